//! A grade as `--json` tells it, the same on the teacher's side and on the student's.

use scb_protocol::grade::Grade;
use scb_protocol::rfc3339;
use serde_json::{Value, json};

/// Whose grade it is and all that it says; the time in RFC 3339. Where it was entered, and whether it is
/// shown, each side tells in its own way.
pub fn grade_json(grade: &Grade) -> Value {
    json!({
        "sid": grade.sid,
        "points": grade.points,
        "maximum": grade.maximum,
        "group": grade.group,
        "lateness": grade.lateness,
        "submission": grade.submission,
        "comment": grade.comment,
        "grader": grade.grader,
        "at": rfc3339(grade.at),
    })
}
