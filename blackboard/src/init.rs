//! Before and after a `blackboard init`: which CUHK is asked, and what one leaves behind that fails:
//! nothing, or the key that CUHK may have certified meanwhile.

use std::fs;
use std::path::Path;

use scb_cli::{Error, Failure, Home, ROOTS, Role, load_config};
use scb_explain::{Language, nothing_changed, refusal, remedy};
use scb_protocol::{Code, Refusal};

use crate::arguments::Init;
use crate::config::Config;
use crate::enrol::{KnownRoot, stored_roots};
use crate::identity::IdentityFiles;

/// How somebody comes to a code for this service.
pub(crate) const CODE_REMEDY: &str = "give the code exactly as `cuhk service add blackboard \
    --code-out FILE` wrote it; for a new one: `cuhk code issue service/blackboard --replace`";

/// Where CUHK listens and how its root is known: as the command line says, else, for a certificate in
/// the place of another, as this home does.
///
/// # Errors
/// What neither says; [`Error::WrongRole`]; a file of the home that cannot be read.
pub(crate) fn known_cuhk(dir: &Path, command: &Init) -> anyhow::Result<(String, KnownRoot)> {
    let home = match Home::open(dir, Role::Blackboard) {
        _ if !command.replace => None,
        Err(Error::NoHome { .. }) => None,
        opened => Some(opened?),
    };
    let address = match (&command.cuhk, &home) {
        (Some(said), _) => Some(said.clone()),
        (None, Some(home)) => load_config::<Config>(home)?.cuhk,
        (None, None) => None,
    };
    let address = address.ok_or_else(no_address)?;
    Ok((address, known_root(command, home.as_ref())?))
}

fn no_address() -> Failure {
    Failure::usage("nothing says where CUHK listens: this home does not know it")
        .with_remedy("give --cuhk HOST:PORT")
        .with_code("no_address")
}

fn known_root(command: &Init, home: Option<&Home>) -> anyhow::Result<KnownRoot> {
    match (&command.ca, command.ca_fingerprint, home) {
        (Some(path), ..) => KnownRoot::file(path),
        (None, Some(fingerprint), _) => Ok(KnownRoot::Fingerprint(fingerprint)),
        (None, None, Some(home)) if home.path(ROOTS).exists() => {
            stored_roots(home).map(KnownRoot::Certificates)
        }
        _ => Err(Failure::usage("nothing says by which root CUHK is known")
            .with_remedy(
                "give --ca FILE (CUHK's ca.pem) or --ca-fingerprint HEX: `cuhk init` and `cuhk \
                 service add` print the root's SHA-256 fingerprint",
            )
            .with_code("no_root")
            .into()),
    }
}

/// An attempt to get the first certificate, or another one.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The home, which may be new.
    pub(crate) home: Home,
    made: Made,
    had_next_key: bool,
}

/// What there was not before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Nothing,
    Home,
    HomeAndDirectory,
}

impl Attempt {
    /// Opens the home, or makes it.
    ///
    /// # Errors
    /// As [`Home::create`].
    pub(crate) fn begin(dir: &Path) -> anyhow::Result<Self> {
        let made = match Home::open(dir, Role::Blackboard) {
            Err(Error::NoHome { .. }) if dir.exists() => Made::Home,
            Err(Error::NoHome { .. }) => Made::HomeAndDirectory,
            _ => Made::Nothing,
        };
        let home = Home::create(dir, Role::Blackboard)?;
        Ok(Self {
            had_next_key: IdentityFiles::open(&home)?.has_next_key(),
            home,
            made,
        })
    }

    /// Takes away what was made for nothing, and says what went wrong. The home is not locked any
    /// more.
    pub(crate) fn fail(self, error: anyhow::Error, language: Language) -> anyhow::Error {
        let has_next_key = self.has_next_key();
        if !has_next_key {
            self.undo();
        }
        match error.downcast::<Refusal>() {
            Ok(refusal) if has_next_key && !self.had_next_key => unanswered(&refusal, language),
            Ok(refusal) => refused(&refusal, language),
            Err(error) => return error,
        }
        .into()
    }

    fn has_next_key(&self) -> bool {
        IdentityFiles::open(&self.home).is_ok_and(|files| files.has_next_key())
    }

    fn undo(&self) {
        if self.made == Made::Nothing {
            return;
        }
        for name in ["lock", "role"] {
            // What cannot be removed harms nobody: the next attempt finds a home.
            let _ = fs::remove_file(self.home.path(name));
        }
        if self.made == Made::HomeAndDirectory {
            let _ = fs::remove_dir(self.home.dir());
        }
    }
}

/// CUHK said no, or never heard the question.
fn refused(refused: &Refusal, language: Language) -> Failure {
    let about_code = matches!(
        refused.code,
        Code::EnrolmentRefused
            | Code::CodeExpired
            | Code::CodeWithdrawn
            | Code::CodeUsed
            | Code::TooManyCodes
    );
    let remedy = match about_code {
        true => language.pick(
            CODE_REMEDY,
            "照 `cuhk service add blackboard --code-out FILE` 所寫的註冊碼一字不差地輸入；索取新碼：\
             `cuhk code issue service/blackboard --replace`",
        ),
        false => remedy(refused.code, language),
    };
    Failure {
        message: told(refused, language) + nothing_changed(language),
        ..Failure::from(refused).with_remedy(remedy)
    }
}

/// The registry speaks of student IDs where this is a service.
fn told(refused: &Refusal, language: Language) -> String {
    match refused.code {
        Code::EnrolmentRefused => language
            .pick(
                "step 0: CUHK does not accept this enrolment code for service/blackboard",
                "步驟 0：中大不接受此註冊碼用於 service/blackboard",
            )
            .to_owned(),
        _ => refusal(refused, language),
    }
}

/// The request was sent, and nobody knows what became of it.
fn unanswered(refused: &Refusal, language: Language) -> Failure {
    let kept = language.pick(
        "; the key that was sent is kept, for CUHK may have certified it",
        "；已送出的金鑰會保留，因為中大可能已為它簽發證書",
    );
    let remedy = language.pick(
        "run the same command again: the same code and key give the same certificate",
        "再執行同一指令：同一註冊碼與金鑰會得到同一張證書",
    );
    Failure {
        message: refusal(refused, language) + kept,
        ..Failure::from(refused).with_remedy(remedy)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::Fingerprint;
    use scb_cli::write_atomic;
    use scb_protocol::{Step, install_crypto};
    use scb_testkit::TestCampus;

    use super::*;

    fn replacing() -> Init {
        Init {
            cuhk: None,
            ca: None,
            ca_fingerprint: None,
            code_file: None,
            dns: Vec::new(),
            ip: Vec::new(),
            replace: true,
        }
    }

    fn code_of(dir: &Path, command: &Init) -> Option<&'static str> {
        let refused = known_cuhk(dir, command).unwrap_err();
        refused.downcast::<Failure>().unwrap().code
    }

    #[test]
    fn for_another_certificate_the_home_says_where_cuhk_is_and_which() {
        install_crypto();
        let dir = tempfile::tempdir().unwrap();
        let (new, first) = (dir.path().join("new"), replacing());
        // Neither a place without a home, nor a home in which nothing was ever certified.
        assert_eq!(code_of(&new, &first), Some("no_address"));
        assert!(!new.exists());
        let home = Home::create(&new, Role::Blackboard).unwrap();
        assert_eq!(code_of(&new, &first), Some("no_address"));
        let address = b"cuhk = \"cuhk.example:8011\"\n";
        write_atomic(&home.path("config.toml"), address, 0o600).unwrap();
        assert_eq!(code_of(&new, &first), Some("no_root"));

        let root = TestCampus::new().root().certificate().clone();
        write_atomic(&home.path(ROOTS), root.to_pem().as_bytes(), 0o644).unwrap();
        let (address, known) = known_cuhk(&new, &first).unwrap();
        assert_eq!(address, "cuhk.example:8011");
        assert!(matches!(&known, KnownRoot::Certificates(roots) if *roots == [root.clone()]));
        let other = Fingerprint::of(b"other");
        let said = Init {
            cuhk: Some("c:1".to_owned()),
            ca_fingerprint: Some(other),
            ..replacing()
        };
        let (address, known) = known_cuhk(&new, &said).unwrap();
        assert_eq!(address, "c:1");
        assert!(matches!(known, KnownRoot::Fingerprint(print) if print == other));
        // A home is no reason for a first certificate from a CUHK that nobody has named.
        let first = Init {
            replace: false,
            cuhk: said.cuhk,
            ..replacing()
        };
        assert_eq!(code_of(&new, &first), Some("no_root"));
    }

    fn failed(attempt: Attempt, language: Language) -> Failure {
        let refusal = Refusal::new(Code::EnrolmentRefused, Step::Zero);
        attempt.fail(refusal.into(), language).downcast().unwrap()
    }

    #[test]
    fn a_new_home_is_gone_and_an_older_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (new, empty) = (dir.path().join("new"), dir.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        for dir in [&new, &empty] {
            let told = failed(Attempt::begin(dir).unwrap(), Language::English);
            assert!(told.message.ends_with("nothing was changed by this step"));
        }
        assert!(!new.exists());
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
        let home = Home::create(&new, Role::Blackboard).unwrap();
        failed(Attempt::begin(&new).unwrap(), Language::English);
        assert!(home.path("role").exists());
    }

    #[test]
    fn a_key_that_cuhk_may_have_certified_is_kept_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let attempt = Attempt::begin(dir.path()).unwrap();
        let files = IdentityFiles::open(&attempt.home).unwrap();
        let key = files.next_key().unwrap();
        let lost = Refusal::new(Code::ConnectionLost, Step::Zero);
        let told: Failure = attempt
            .fail(lost.into(), Language::English)
            .downcast()
            .unwrap();
        assert!(told.message.contains("key that was sent is kept"), "{told}");
        assert!(!told.message.contains("nothing was changed"), "{told}");
        assert!(told.remedy.unwrap().contains("same command again"));
        assert_eq!(files.next_key().unwrap().public_key(), key.public_key());
    }

    #[test]
    fn a_wrong_code_leads_to_the_command_that_issues_another() {
        let dir = tempfile::tempdir().unwrap();
        for language in [Language::English, Language::Chinese] {
            let told = failed(Attempt::begin(dir.path()).unwrap(), language);
            assert_eq!(told.code, Some("enrolment_refused"));
            assert_eq!(told.message.is_ascii(), language == Language::English);
            let remedy = told.remedy.unwrap();
            assert!(
                remedy.contains("`cuhk code issue service/blackboard"),
                "{remedy}"
            );
            let told = [&remedy, &told.message];
            for student in ["department", "student", "學系", "學生"] {
                assert!(told.iter().all(|text| !text.contains(student)), "{told:?}");
            }
        }
    }
}
