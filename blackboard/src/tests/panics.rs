//! A handler that panics, by a hook that only the build for these tests has.

use scb_protocol::Code;
use scb_protocol::statement::Statement;

use super::campus::Campus;

/// The report whose arrival the handler does not survive.
const FATAL: &str = "panic.txt";

/// Called when a report has arrived.
pub(crate) fn if_wanted(statement: &Statement) {
    assert_ne!(
        statement.files[0].name.to_string(),
        FATAL,
        "as a test wants"
    );
}

#[tokio::test]
async fn a_handler_that_panics_harms_no_other_and_leaves_nothing() {
    let campus = Campus::open().await;
    let mut bystander = campus.group(&["1155000001"]);
    let (connection, session) = bystander.open_session().await.unwrap();
    for _ in 0..3 {
        let mut fatal = campus.group(&["1155000002"]);
        fatal.name = FATAL;
        let refusal = fatal.hand_in().await.unwrap_err();
        assert_eq!(refusal.code, Code::ConnectionLost);
    }
    campus.assert_nothing_stored().await;

    let receipt = bystander.submit(connection, session).await.unwrap();
    let receipt = bystander.verify(&receipt);
    assert_eq!(receipt.number().to_string(), "S-000001");
    campus.three().hand_in().await.unwrap();
}
