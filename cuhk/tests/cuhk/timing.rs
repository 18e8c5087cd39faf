//! What somebody who guesses or who reads the disk can learn about codes.

use std::fs;
use std::time::{Duration, Instant};

use scb_certs::SigningKey;
use scb_protocol::{Code, EnrolmentCode};

use crate::university::{University, ask, enrol, refused};

/// Connections on which the two guesses are compared.
const CONNECTIONS: usize = 60;

#[tokio::test]
async fn an_unknown_id_takes_as_long_as_a_wrong_code() {
    let university = University::open().await;
    university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..CONNECTIONS {
        let mut connection = university.connect().await;
        let code = EnrolmentCode::generate().unwrap();
        // The first answer of a connection takes longer, whatever it is.
        let first = enrol("1155000002", &code, &key);
        assert!(ask(&mut connection, &first).await.is_err());
        for (sid, times) in ["1155000001", "1155009999"].iter().zip(&mut times) {
            let guess = enrol(sid, &EnrolmentCode::generate().unwrap(), &key);
            let started = Instant::now();
            let reply = ask(&mut connection, &guess).await;
            times.push(started.elapsed());
            assert_eq!(refused(reply), Code::EnrolmentRefused);
        }
    }
    let [known, unknown] = times.map(median);
    let (shorter, longer) = (known.min(unknown), known.max(unknown));
    // Only a difference of kind, such as a signature, would be seen here: the machine is shared.
    assert!(longer < 2 * shorter, "{known:?} and {unknown:?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
async fn no_code_lies_in_the_database() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let text = code.reveal();
    let home = university.dir.path().join("cuhk");
    let mut bytes = fs::read(home.join("cuhk.db")).unwrap();
    bytes.extend(fs::read(home.join("cuhk.db-wal")).unwrap_or_default());
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!holds(text.as_bytes()));
    assert!(!holds(text.replace('-', "").as_bytes()));
    assert!(holds(&code.digest("1155000001")), "its hash does");
}
