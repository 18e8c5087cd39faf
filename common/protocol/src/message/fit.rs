//! How many of a list fit into one message.

use serde::Serialize;

/// So many bytes of a message may be a list; the rest is room for what is around it.
const ROOM: usize = 60 * 1024;

/// As many as fit into one message, from the first on; one always does.
pub fn that_fit<T: Serialize>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    fit_into(all, ROOM)
}

/// The room for a list in a message.
#[derive(Debug)]
pub struct Room {
    left: usize,
}

impl Room {
    /// What another list, which comes in any case, leaves.
    pub fn beside<O: Serialize>(others: &[O]) -> Self {
        let taken = serde_json::to_vec(others).map_or(ROOM, |json| json.len());
        Self {
            left: ROOM.saturating_sub(taken),
        }
    }

    /// Whether there is room for this one, too, which then takes it.
    pub fn takes(&mut self, one: &impl Serialize) -> bool {
        // What cannot be written takes all the room; the message will tell why.
        let size = serde_json::to_vec(one).map_or(self.left, |json| json.len() + 1);
        let fits = size <= self.left;
        self.left = self.left.saturating_sub(size);
        fits
    }
}

/// As many as fit into `room` bytes of JSON.
pub(super) fn fit_into<T: Serialize>(all: impl IntoIterator<Item = T>, room: usize) -> Vec<T> {
    let mut room = Room { left: room };
    all.into_iter().take_while(|one| room.takes(one)).collect()
}
