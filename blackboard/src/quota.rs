//! How much may lie here of which not everything has come: what was signed and recorded keeps its
//! place on the disk until its time is over.

/// Whoever has nothing else that is unfinished may use all the room there is; others leave a quarter.
const SHARED: (u64, u64) = (3, 4);
/// For each hand-in that a student may have unfinished, so many may be given up.
const GIVEN_UP: u32 = 4;
/// Hand-ins of up to so many bytes always find room: they are over before anybody notices.
const SMALL: u64 = 1024 * 1024;

/// Bounds of what is unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Hand-ins of one student.
    pub(crate) per_student: u32,
    /// Bytes of these together, as they were signed.
    pub(crate) bytes_per_student: u64,
    /// Hand-ins of all together, beside which only those begin one who have nothing else unfinished.
    pub(crate) in_all: u32,
    /// Bytes of all together, on the disk or promised to those who are bringing them.
    pub(crate) bytes_in_all: u64,
}

/// What is unfinished, of one student or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// How many hand-ins.
    pub(crate) number: u32,
    /// Their bytes.
    pub(crate) bytes: u64,
}

impl Quota {
    /// Whether a student who has so much may begin another one of so many bytes. The first one is
    /// bounded by the rules alone.
    pub(crate) fn takes_another(&self, has: Backlog, bytes: u64) -> bool {
        let together = has.bytes.saturating_add(bytes);
        has.number == 0 || (has.number < self.per_student && together <= self.bytes_per_student)
    }

    /// How many hand-ins a student may have given up whose time is not over.
    pub(crate) fn most_given_up(&self) -> u32 {
        self.per_student.saturating_mul(GIVEN_UP)
    }

    /// Whether somebody who has something unfinished may begin more, beside so many hand-ins of all.
    pub(crate) fn takes_beside(&self, all: u32) -> bool {
        all < self.in_all
    }

    /// Whether there is room for a hand-in of so many bytes beside so many of others.
    pub(crate) fn has_room(&self, bytes: u64, others: u64, is_only_one: bool) -> bool {
        let (part, whole) = SHARED;
        let limit = match is_only_one {
            true => self.bytes_in_all,
            false => self.bytes_in_all / whole * part,
        };
        bytes <= SMALL || others.saturating_add(bytes) <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;
    const QUOTA: Quota = Quota {
        per_student: 3,
        in_all: 10,
        bytes_per_student: 100 * MIB,
        bytes_in_all: 400 * MIB,
    };

    #[test]
    fn a_student_begins_no_more_than_he_may_and_always_one() {
        let has = |number, bytes| Backlog { number, bytes };
        assert!(QUOTA.takes_another(has(0, 0), 500 * MIB));
        assert!(QUOTA.takes_another(has(2, 60 * MIB), 40 * MIB));
        assert!(!QUOTA.takes_another(has(2, 60 * MIB), 40 * MIB + 1));
        assert!(!QUOTA.takes_another(has(3, 3), 1));
        assert!(!QUOTA.takes_another(has(1, 1), u64::MAX));
    }

    #[test]
    fn all_together_begin_no_more_than_they_may() {
        assert!(QUOTA.takes_beside(9));
        assert!(!QUOTA.takes_beside(10));
    }

    #[test]
    fn a_quarter_is_left_to_those_who_have_nothing_else() {
        assert!(QUOTA.has_room(50 * MIB, 250 * MIB, false));
        assert!(!QUOTA.has_room(50 * MIB + 1, 250 * MIB, false));
        assert!(QUOTA.has_room(50 * MIB, 350 * MIB, true));
        assert!(!QUOTA.has_room(50 * MIB + 1, 350 * MIB, true));
        assert!(!QUOTA.has_room(u64::MAX, 1, true));
    }

    #[test]
    fn what_is_small_always_finds_room() {
        assert!(QUOTA.has_room(SMALL, 1000 * MIB, false));
        assert!(!QUOTA.has_room(SMALL + 1, 1000 * MIB, true));
    }
}
