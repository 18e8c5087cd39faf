//! The whole server over real TLS, beside a CUHK that exists only at its socket.

mod altered_rules;
mod assignments;
mod campus;
mod closing;
mod commitments;
mod cuhk;
mod cuhk_away;
mod dating;
mod desk;
mod detached;
mod enrolment;
mod fake_witness;
mod form;
mod fsck;
mod group;
mod groups;
mod hand_in;
mod log;
mod log_witness;
mod logs;
mod outage;
mod overview;
pub(crate) mod panics;
mod proposals;
mod quota;
mod reading;
mod receipts;
mod records;
mod refusals;
mod rejections;
mod renewal;
mod repeats;
mod restoring;
mod revocation;
mod roots;
mod rulebook;
mod sessions;
mod set_back;
mod submissions;
mod superseded;
mod sweep;
mod uncertified;
mod uploads;
mod windows;
mod withdrawals;
mod witness;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything here takes: reached only by a failing test.
const LONG: Duration = Duration::from_secs(60);

/// What may come to a time that is promised: several times what so many groups at once take to come while
/// nothing is to be waited for.
async fn usual(campus: &campus::Campus, groups: usize) -> Duration {
    let begun = Instant::now();
    let coming =
        (0..groups).map(|_| async move { drop(campus.three().open_session().await.unwrap()) });
    futures_util::future::join_all(coming).await;
    4 * begun.elapsed()
}

/// Waits until `condition` holds; fails after [`LONG`]. Between two looks the servers of this thread have
/// their turn, however long a look takes.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
