//! Whether a backup will hold what there is, long before it does not.

use super::Finding;
use crate::Error;
use crate::backup::MAX_FILES;
use crate::store::Records;

const CHECK: &str = "backup-room";
/// Entries for which a log has two files: a tile of hashes and one of contents.
const PER_TILE: u64 = 256;

pub(super) fn check(records: &Records<'_>) -> Result<Finding, Error> {
    Ok(judge(records.log().size()?))
}

fn judge(entries: u64) -> Finding {
    let (files, most) = (entries / PER_TILE * 2, MAX_FILES as u64);
    let seen = format!("the log has about {files} files; a backup holds {most}");
    match files > most / 2 {
        true => Finding::warn(
            CHECK,
            seen,
            "install a newer version of cuhk before there are as many",
        ),
        false => Finding::ok(CHECK, seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn warns_when_half_of_the_room_is_used() {
        let half = MAX_FILES as u64 / 4 * PER_TILE;
        assert_eq!(judge(0).outcome, Outcome::Ok);
        assert_eq!(judge(half).outcome, Outcome::Ok);
        assert_eq!(judge(half + PER_TILE).outcome, Outcome::Warn);
    }
}
