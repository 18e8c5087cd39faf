//! A member's signature in a real receipt is removed, added or exchanged for somebody else's: ours, openssl and the
//! script notice it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::campus::{Campus, Ran, judge, python, script, shell, until_complete};

const GROUP: [&str; 3] = ["1155000001", "1155000002", "1155000003"];
const STRANGER: &str = "1155000004";

/// A receipt of the group, and a folder with what is in it.
struct Scene {
    campus: Campus,
    receipt: PathBuf,
    unpacked: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let campus = Campus::sandbox();
        campus.student(&["enrol", "--ids", STRANGER]).succeeded();
        let submit = ["submit", "--ids", &GROUP.join(","), "--json"];
        let told = campus.student(&submit).succeeded().json();
        let receipt = PathBuf::from(told["receipt"].as_str().unwrap());
        until_complete(|words| campus.student(words), receipt.to_str().unwrap());
        let unpacked = campus.outside().join("unpacked");
        let mut unpack = Command::new("python3");
        unpack.args(["-m", "zipfile", "-e"]);
        Ran::of(unpack.arg(&receipt).arg(&unpacked)).succeeded();
        Self {
            campus,
            receipt,
            unpacked,
        }
    }

    /// The statement of the receipt, signed by these with their own keys, by openssl.
    fn signed_by(&self, sids: &[&str]) -> PathBuf {
        let mut openssl = Command::new("openssl");
        openssl.args(["cms", "-sign", "-binary", "-md", "sha256"]);
        openssl.args(["-outform", "DER", "-in", "statement.json"]);
        openssl.arg("-certfile").arg(self.issuer());
        for sid in sids {
            let own = self.campus.path().join("student/students").join(sid);
            openssl.arg("-signer").arg(own.join("chain.pem"));
            openssl.arg("-inkey").arg(own.join("key.pem"));
        }
        let file = self
            .campus
            .outside()
            .join(format!("{}.p7s", sids.join("-")));
        openssl.arg("-out").arg(&file).current_dir(&self.unpacked);
        Ran::of(&mut openssl).succeeded();
        file
    }

    /// The certificate of the authority that certified them all.
    fn issuer(&self) -> PathBuf {
        let own = self.campus.path().join("student/students").join(STRANGER);
        let chain = fs::read_to_string(own.join("chain.pem")).unwrap();
        let last = chain.rfind("-----BEGIN").unwrap();
        let file = self.campus.outside().join("issuer.pem");
        fs::write(&file, &chain[last..]).unwrap();
        file
    }

    /// The receipt with these signatures in place of its own.
    fn with(&self, signatures: &Path) -> PathBuf {
        let other = self.campus.outside().join("other.zip");
        let mut python = Command::new("python3");
        python.args(["-c", PACK]).args([&self.receipt, &other]);
        Ran::of(python.arg(signatures)).succeeded();
        other
    }

    /// What openssl says of them by the lines of the receipt's own page that compare signers and members.
    fn signers_are_the_members(&self, signatures: &Path) -> bool {
        let page = fs::read_to_string(self.unpacked.join("VERIFY.md")).unwrap();
        fs::copy(signatures, self.unpacked.join("statement.p7s")).unwrap();
        let blocks = page.split("```").skip(1).step_by(2);
        let is_about_members = |block: &&str| {
            let parts = ["-in statement.p7s", "member[0-9]*", "by name"];
            parts.iter().any(|part| block.contains(part))
        };
        let lines = blocks.filter(is_about_members);
        let lines: String = lines
            .map(|block| block.strip_prefix("sh\n").unwrap())
            .collect();
        assert_eq!(lines.matches("openssl cms -verify").count(), 1, "{lines}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let lines = lines.replace("SECONDS", &now.as_secs().to_string());
        let fresh = "rm -f member*.pem; cat cuhk-ca.pem crl.pem > trust.pem\n";
        let ran = shell(&self.unpacked, &format!("{fresh}{lines}"));
        assert_eq!(ran.exit, Some(0), "each signature is good: {ran:#?}");
        ran.stdout.contains("by name: True")
    }

    #[track_caller]
    fn is_refused(&self, signatures: &Path) {
        let altered = self.with(signatures);
        let words = ["verify", altered.to_str().unwrap(), "--json"];
        self.campus.student(&words).refused(3, "receipt_invalid");
        let said = script(&self.campus, &altered).unwrap();
        assert_eq!(said.exit, Some(1), "{said:#?}");
        assert!(said.stdout.contains("it does NOT verify"), "{said:#?}");
    }
}

/// Packs a receipt anew with other signatures.
const PACK: &str = r#"
import sys, zipfile
receipt, other, signatures = sys.argv[1:]
with zipfile.ZipFile(receipt) as old, zipfile.ZipFile(other, "w") as new:
    for info in old.infolist():
        own = info.filename != "statement.p7s"
        new.writestr(info.filename, old.read(info) if own else open(signatures, "rb").read())
"#;

#[test]
fn signatures_exchanged_removed_or_added_in_a_receipt_are_noticed_by_every_judge() {
    let (Some(_), Some(_)) = (judge("openssl"), python()) else {
        return;
    };
    let scene = Scene::new();
    let own = scene.campus.outside().join("own.p7s");
    fs::copy(scene.unpacked.join("statement.p7s"), &own).unwrap();
    // The way in which it is packed and judged here refuses nothing that is as it was.
    let same = scene.with(&own);
    let words = ["verify", same.to_str().unwrap(), "--json"];
    scene.campus.student(&words).succeeded();
    script(&scene.campus, &same).unwrap().succeeded();
    assert!(scene.signers_are_the_members(&own));

    let [one, two, three] = GROUP;
    for others in [
        vec![one, two, STRANGER],
        vec![one, two],
        vec![one, two, three, STRANGER],
    ] {
        let signatures = scene.signed_by(&others);
        assert!(!scene.signers_are_the_members(&signatures), "{others:?}");
        scene.is_refused(&signatures);
    }
    // Good signatures of the very members that were made later: not those that the log entry has.
    scene.is_refused(&scene.signed_by(&GROUP));
}
