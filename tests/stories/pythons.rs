//! The scripts in `docs/`, run by whichever Python and `cryptography` somebody has: the same verdict, or none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campus::{Campus, Ran, SAMPLE, python, pythons};

struct Scene {
    campus: Campus,
    receipt: PathBuf,
    root: String,
}

impl Scene {
    fn new() -> Self {
        let campus = Campus::sandbox();
        let told = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
        let told = told.succeeded().json();
        let receipt = PathBuf::from(told["receipt"].as_str().unwrap());
        let ours = campus.student(&["verify", receipt.to_str().unwrap()]);
        let ours = ours.succeeded().stdout;
        let root = ours
            .lines()
            .find_map(|line| line.strip_prefix("root       SHA-256 "));
        Self {
            root: root.unwrap().to_owned(),
            receipt,
            campus,
        }
    }

    fn archive(&self) -> PathBuf {
        let path = self.campus.outside().join("lab.zip");
        let of = ["submissions", "archive", "--course", "SANDBOX"];
        let mut arguments = of.to_vec();
        arguments.extend(["--assignment", "lab", path.to_str().unwrap()]);
        self.campus.administer_blackboard(&arguments).succeeded();
        path
    }

    fn script(&self, python: &Path, name: &str, file: &Path, root: &str) -> Command {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let mut command = Command::new(python);
        command.arg("-B").arg(docs.join(name)).arg(file).arg(root);
        command.current_dir(self.campus.outside());
        command
    }
}

#[test]
fn every_python_on_this_machine_comes_to_the_same_verdict() {
    let Some(_) = python() else { return };
    let scene = Scene::new();
    let archive = scene.archive();
    let altered = scene.campus.outside().join("altered.zip");
    let mut bytes = fs::read(&scene.receipt).unwrap();
    let name = b"leaf.json";
    let place = bytes.windows(name.len()).position(|at| at == name).unwrap();
    bytes[place + name.len() + 40] ^= 1;
    fs::write(&altered, bytes).unwrap();
    let (mut of_receipt, mut of_archive, mut of_altered) = (Vec::new(), Vec::new(), Vec::new());
    let pythons = pythons();
    assert!(!pythons.is_empty());
    for (version, python) in &pythons {
        let said = |name, file: &Path| {
            let ran = Ran::of(&mut scene.script(python, name, file, &scene.root));
            assert_eq!(ran.stderr, "", "{version}");
            (ran.exit, ran.stdout)
        };
        let receipt = said("verify_receipt.py", &scene.receipt);
        assert_eq!(receipt.0, Some(0), "{version}: {}", receipt.1);
        assert!(
            receipt
                .1
                .contains("\nverdict    it verifies: committed at 2")
        );
        let archive = said("verify_export.py", &archive);
        assert_eq!(archive.0, Some(0), "{version}: {}", archive.1);
        assert!(
            archive
                .1
                .contains("\nverdict    it verifies, and is NOT final")
        );
        let altered = said("verify_receipt.py", &altered);
        assert_eq!(altered.0, Some(1), "{version}: {}", altered.1);
        assert!(altered.1.contains("verdict    it does NOT verify: "));
        of_receipt.push(receipt);
        of_archive.push(archive);
        of_altered.push(altered.0);
    }
    for all in [&mut of_receipt, &mut of_archive] {
        all.dedup();
        assert_eq!(all.len(), 1, "{pythons:?}: {all:#?}");
    }
}

#[test]
fn what_older_versions_of_cryptography_lack_is_done_without() {
    let Some(_) = python() else { return };
    let scene = Scene::new();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR"));
    for python in pythons().values() {
        let mut command = Command::new(python);
        command.arg(docs.join("tests/stories/older_python.py"));
        command.arg(docs.join("docs"));
        let home = scene.campus.path().join("student/students");
        command.arg(home.join("1155000001/chain.pem"));
        command.arg(scene.campus.path().join("ca.pem"));
        assert_eq!(Ran::of(&mut command).succeeded().stdout, "as the newest\n");
    }
}

#[test]
fn a_python_that_lacks_something_gives_no_verdict() {
    let Some(_) = python() else { return };
    let scene = Scene::new();
    let archive = scene.archive();
    let package = "cryptography/__init__.py";
    // None; one that is broken; one of before what is needed; and one that lacks what nobody has foreseen.
    for (path, text, why) in [
        (
            package,
            "raise ImportError('no such package')",
            "Python says: no such package;",
        ),
        (
            package,
            "__version__ = '2.9'",
            "Python says: cannot import name",
        ),
        (
            "sitecustomize.py",
            "import cryptography\ncryptography.__version__ = '3.3.2'",
            "this is cryptography 3.3.2;",
        ),
        (
            "sitecustomize.py",
            "from cryptography import x509\ndel x509.load_pem_x509_crl",
            "Python says: AttributeError: ",
        ),
    ] {
        let older = tempfile::tempdir().unwrap();
        let file = older.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        for (name, file) in [
            ("verify_receipt.py", &scene.receipt),
            ("verify_export.py", &archive),
        ] {
            let mut command = scene.script(Path::new("python3"), name, file, &scene.root);
            let ran = Ran::of(command.env("PYTHONPATH", older.path()));
            assert_eq!(ran.exit, Some(2), "{why} {ran:#?}");
            assert!(!ran.stdout.contains("verdict"), "{ran:#?}");
            let told = format!("nothing was judged: {why}");
            assert!(ran.stderr.starts_with(&told), "{why} {ran:#?}");
            assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
            assert!(ran.stderr.contains("cryptography 3.4 or newer"), "{ran:#?}");
        }
    }
}

#[test]
fn a_mistyped_fingerprint_says_nothing_of_the_file() {
    let Some(_) = python() else { return };
    let scene = Scene::new();
    let archive = scene.archive();
    let root = &scene.root;
    let colons: Vec<_> = (0..64).step_by(2).map(|at| &root[at..at + 2]).collect();
    let colons = colons.join(":").to_uppercase();
    for (name, file) in [
        ("verify_receipt.py", &scene.receipt),
        ("verify_export.py", &archive),
    ] {
        let python = Path::new("python3");
        let said = |root: &str| Ran::of(&mut scene.script(python, name, file, root));
        let twice = format!("{root},{colons}");
        for good in [root, &colons, &twice] {
            said(good).succeeded();
        }
        for bad in [
            &root[2..],
            &format!("SHA256:{root}"),
            &format!("{}:{}", &root[..10], &root[10..]),
            &format!("sha256 Fingerprint={colons}"),
            &format!("{root},"),
            "",
        ] {
            let ran = said(bad);
            assert_eq!(ran.exit, Some(2), "{bad}: {ran:#?}");
            assert!(!ran.stdout.contains("verdict"), "{ran:#?}");
            let told = "is no SHA-256 fingerprint: 64 hexadecimal digits";
            assert!(ran.stderr.contains(told), "{ran:#?}");
        }
    }
}

/// The verdict is about the file: what nobody could have asked of it, or is no key, says nothing of it.
#[test]
fn what_cannot_be_asked_says_nothing_of_the_file() {
    let Some(_) = python() else { return };
    let scene = Scene::new();
    let archive = scene.archive();
    let rules = fs::read_dir(scene.campus.path().join("receipts/rules"));
    let mut rules = rules.unwrap().map(|file| file.unwrap().path());
    let rules = rules.find(|file| file.extension() == Some("zip".as_ref()));
    let rules = rules.unwrap();
    let says = |name: &str, file: &Path, more: &[&str]| {
        let mut command = scene.script(Path::new("python3"), name, file, &scene.root);
        Ran::of(command.args(more))
    };
    let nothing = |name: &str, file: &Path, more: &[&str], told: &str| {
        let ran = says(name, file, more);
        assert_eq!(ran.exit, Some(2), "{more:?}: {ran:#?}");
        assert!(!ran.stdout.contains("verdict"), "{ran:#?}");
        assert!(ran.stderr.contains(told), "{told}: {ran:#?}");
    };
    let key = "library.example/witness+8fd8a4f5+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    let other = key.replace("8fd8a4f5", "8fd8a4f6");
    for (name, file) in [
        ("verify_receipt.py", &scene.receipt),
        ("verify_export.py", &archive),
    ] {
        for bad in ["foo", "foo+00+AA", &other] {
            nothing(name, file, &["--witness", bad], "is no witness's key");
        }
        for bad in ["0", "2", "-1"] {
            let told = "from 1 to 1 can have cosigned";
            nothing(name, file, &[&format!("--quorum={bad}")], told);
        }
        let twice = ["--witness", key, "--witness", key, "--quorum", "3"];
        nothing(name, file, &twice, "from 1 to 2 can have cosigned");
        says(name, file, &["--witness", key]).succeeded();
        // It could have cosigned, and has not.
        let ran = says(name, file, &["--witness", key, "--quorum", "2"]);
        assert_eq!(ran.exit, Some(1), "{ran:#?}");
    }
    let told = "it is an archive of an assignment: use verify_export.py";
    nothing("verify_receipt.py", &archive, &[], told);
    for file in [&scene.receipt, &rules] {
        let told = "use verify_receipt.py";
        nothing("verify_export.py", file, &[], told);
    }
    let own = scene.receipt.to_str().unwrap();
    let told = "this is no receipt, but rules that Blackboard told: no FILE is compared with it";
    nothing("verify_receipt.py", &rules, &[own], told);
    let told = "no witness cosigns it";
    nothing("verify_receipt.py", &rules, &["--witness", key], told);
    says("verify_receipt.py", &rules, &[]).succeeded();
}
