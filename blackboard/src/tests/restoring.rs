//! What was damaged on the disk is whole again when the very same files are handed in once more.

use std::fs;
use std::path::PathBuf;

use scb_certs::Fingerprint;
use scb_protocol::Code;

use super::campus::Campus;
use super::proposals::{A, B, Machine};
use super::uploads::{again, anew};
use crate::fsck::found;

fn stored(campus: &Campus, content: &[u8]) -> PathBuf {
    let name = Fingerprint::of(content).to_string();
    campus.home.path("content").join(&name[..2]).join(name)
}

#[tokio::test]
async fn a_file_that_is_damaged_or_gone_comes_back_by_the_same_hand_in() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let receipt = group.hand_in().await.unwrap();
    let path = stored(&campus, &group.report);
    let damage = || fs::write(&path, b"another").unwrap();
    let remove = || fs::remove_file(&path).unwrap();
    // The same command after its answer was lost, and a later one.
    for (harm, mut same) in [
        (&damage as &dyn Fn(), again(&group)),
        (&remove, again(&group)),
        (&damage, anew(&group)),
        (&remove, anew(&group)),
    ] {
        harm();
        assert_eq!(same.hand_in().await.unwrap(), receipt);
        assert_eq!(fs::read(&path).unwrap(), group.report);
    }
    assert_eq!(campus.submissions().len(), 1, "nothing else has changed");
    let home = campus.home.clone();
    let sound = move || found(&home, None, rustls_pki_types::UnixTime::now()).unwrap();
    assert_eq!(tokio::task::spawn_blocking(sound).await.unwrap(), []);
}

#[tokio::test]
async fn other_bytes_do_not_take_the_place_of_what_is_damaged() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    let path = stored(&campus, &group.report);
    fs::write(&path, b"another").unwrap();
    let mut wrong = again(&group);
    let mut sent = group.report.clone();
    sent[0] ^= 1;
    wrong.sent = Some(sent);
    let refusal = wrong.hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::ContentAltered);
    assert_eq!(fs::read(&path).unwrap(), b"another");
    let receipt = again(&group).hand_in().await.unwrap();
    assert_eq!(group.verify(&receipt).number().get(), 1);
    assert_eq!(fs::read(&path).unwrap(), group.report);
}

#[tokio::test]
async fn what_is_whole_does_not_come_again() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let receipt = group.hand_in().await.unwrap();
    let path = stored(&campus, &group.report);
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(again(&group).hand_in().await.unwrap(), receipt);
    let then = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(then, written, "nothing came, as nothing was missing");
}

#[tokio::test]
async fn what_several_machines_handed_in_comes_back_from_one_of_them() {
    let campus = Campus::open().await;
    let mut machines = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = machines[0].work(&[A, B], b"our report");
    machines[0].propose(&work).await.unwrap().waits();
    let receipt = machines[1].sign(&work).await.unwrap().receipt();
    let path = stored(&campus, &work.report);
    let before = super::proposals::happened(&campus);
    // The same command after its answer was lost, and a later one, on either machine.
    let anew = [(0, [A, B]), (1, [B, A])];
    let anew = anew.map(|(index, group)| (index, machines[index].work(&group, &work.report)));
    for (index, same) in std::iter::once(&(0, work.clone())).chain(&anew) {
        fs::write(&path, b"another").unwrap();
        let came = machines[*index].propose(same).await.unwrap();
        assert_eq!(came.receipt(), receipt);
        assert_eq!(fs::read(&path).unwrap(), work.report);
    }
    assert_eq!(super::proposals::happened(&campus), before);

    fs::write(&path, b"another").unwrap();
    let mut wrong = machines[0].work(&[A, B], &work.report);
    wrong.report = b"0ur report".to_vec();
    let refusal = machines[0].propose(&wrong).await.unwrap_err();
    assert_eq!(refusal.code, Code::ContentAltered);
    assert_eq!(fs::read(&path).unwrap(), b"another");
}
