//! What to do about each kind of finding.

/// Nothing that `fsck` finds is mended by it: what is damaged is evidence.
pub(super) fn remedy(code: &str) -> &'static str {
    match code {
        "content_altered" | "content_missing" => {
            "put a copy of the file, of a backup or of the group, here under this name, which is its \
             SHA-256. Where it is of their last version, it is enough that the same members hand in \
             the very same files once more (`student submit`, with `--with` from any of their machines): \
             number and receipt stay; an older \
             one would become a new version by that. Until then it is neither exported nor sent"
        }
        "content_extra" => {
            "no record names it: if a record is missing, too, put a backup of blackboard.db back. What a \
             crash left a start of the server removes once it is a day old. What is as old as lost entries \
             or numbers stays, as it may be all that is left of a hand-in: `blackboard recover --receipt` \
             enters that again; what no receipt names you may move away"
        }
        "put_back" => {
            "start `blackboard serve` while CUHK runs: it compares the logs with what CUHK has seen of them, and if \
             this is an old backup it does not go on and says so (`log_behind`). Then put the newest backup in its \
             place; `blackboard recover` says what is lost if there is none"
        }
        "content_foreign" => "find out who put it there, and move it away",
        "record_missing" | "entry_missing" | "commitment_missing" | "commitment_altered"
        | "part_missing" | "leaf_altered" | "log_gap" => {
            "keep this home as evidence, and put a backup of blackboard.db in its place; the \
             group's receipt says what was entered"
        }
        "moment_contradicted" => {
            "the entry says an earlier time than it can have been made at: judge that submission by \
             CUHK's answer that is named here. No receipt is given with this; keep this home as evidence"
        }
        "commitment_unsigned" => {
            "the group's own copy has the right one: what is here was altered. Whoever asks is given it \
             signed anew; keep this home as evidence, and put a backup of blackboard.db in its place"
        }
        "proposal_altered" | "withdrawal_altered" | "window_altered" | "not_entered" => {
            "the log says who signed what, and how it ended, and the server takes its word: what has \
             ended there is not accepted. What the log can tell of a proposal's times and end, and what most \
             tables say of its window, a running server puts right within the hour. Keep a copy of this home \
             as evidence; what is found after that needs a backup of blackboard.db in its place"
        }
        "entry_after_end" => {
            "what has ended went on: judge that submission by the first of these entries. No archive \
             of this log verifies; keep this home as evidence, and put a backup of it in its place"
        }
        "detachment_unfounded" => {
            "nobody is taken out of what is not his: it changes nothing for that student, but no archive of \
             this log verifies. Keep this home as evidence, and put a backup of blackboard.db in its place"
        }
        "assignment_hidden" => {
            "nothing of it is lost, but students and teachers are shown another state of it than was \
             entered: put a backup of blackboard.db in its place"
        }
        "rules_altered" | "extension_altered" => {
            "the log says what was decided: put it right with `blackboard assignment change` or \
             `extension`, which is entered, or put a backup of blackboard.db back"
        }
        "grade_altered" => {
            "the log says what was graded: import the teacher's gradebook again: for whom it has a grade that \
             is not what was entered, it is signed and entered anew. A grade that could be seen before, and one of \
             a student whom nobody graded, are as they were only with a backup of blackboard.db"
        }
        "accepted_after_closing" => {
            "whoever has an archive of before it was told that this could not be, and no archive of this log is final \
             any more. If it is of before 23 November 2026, a build of then took files that were still coming when \
             the archive was made: nothing is amiss. Else keep this home as evidence, find out who wrote into its \
             database, and put a backup of blackboard.db in its place"
        }
        "log_backwards" => {
            "this machine's clock was set back while the server ran, or was ahead before: find out which, \
             and judge by CUHK's cosignatures what was committed after it. It stays, as it was entered"
        }
        "log_behind" | "log_unknown" => {
            "put the newest backup of blackboard.db in its place: what was published once must \
             not be numbered anew; if there is none, `blackboard recover` says what is lost"
        }
        "log_contradicted" => {
            "keep both as evidence; put a backup of blackboard.db of the same server in its place"
        }
        "log_cut" => {
            "CUHK has seen more than is here: put the newest backup of this home in its place; if \
             there is none, `blackboard recover` says what is lost"
        }
        "log_forked" => {
            "CUHK has seen another log: put the right home back, and keep this one as evidence"
        }
        "rules_pin" => {
            "its receipt names rules that were not those in force when it was committed: keep this \
             home as evidence, and judge that submission by the entries of the log"
        }
        "repeat_altered" => {
            "somebody changed which receipt answers a submission: put a backup of blackboard.db back"
        }
        "release_altered" => {
            "the log says which grades students see: `blackboard grades release` enters those that \
             are not shown; for others put a backup of blackboard.db back"
        }
        "log_key" => "put back the key in HOME/logs/key.pem with which this server signed before",
        "log_unpublished" => {
            "start `blackboard serve`: the tiles follow within a second, from the database"
        }
        "upload_leftover" => "nothing: the server removes it within an hour of its start",
        "temporary_leftover" => "nothing: the next start of the server removes it",
        _ => "restore it from a backup of this home",
    }
}
