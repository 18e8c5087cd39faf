//! Programs of others that judge our output.

use std::process::Command;

/// A judge from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Judge {
    /// `openssl`, with a shell, `sha256sum` and Python's standard library, as `VERIFY.md` asks.
    Openssl,
    /// Python's `cryptography`.
    Cryptography,
}

impl Judge {
    fn name(self) -> &'static str {
        match self {
            Self::Openssl => "openssl",
            Self::Cryptography => "python3 with cryptography",
        }
    }

    fn is_present(self) -> bool {
        let succeeds = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            output.is_ok_and(|output| output.status.success())
        };
        match self {
            Self::Openssl => succeeds("openssl", &["version"]) && succeeds("python3", &["-V"]),
            Self::Cryptography => succeeds("python3", &["-c", "import cryptography"]),
        }
    }
}

/// Whether this judge is here. Without it the test is skipped and says so; with `CI=true` it
/// fails, so that no judge is missed unnoticed.
#[allow(clippy::print_stdout)]
pub(crate) fn judge(judge: Judge) -> bool {
    let present = judge.is_present();
    if !present {
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!ci, "no {} although CI=true", judge.name());
        println!("skipped: no {}", judge.name());
    }
    present
}
