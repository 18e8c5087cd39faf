//! How a command ends that did not do what was asked: the one map from what went wrong to
//! exit code, word and remedy, where the error itself does not say.

use std::error::Error as StdError;

use scb_cli::{Failure, exit, local_moments};

use crate::store;

/// The code of rules that would have ended before they were given.
const BACKDATED: &str = "rules_backdated";

/// What is to be printed, and with which exit code the program ends.
pub(crate) fn failure(error: anyhow::Error) -> Failure {
    let known = error.chain().find_map(known);
    let mut failure = Failure::from(error);
    if known.as_ref().is_some_and(|known| known.code == BACKDATED) {
        // Whoever typed a time in the zone of this machine reads it as he typed it.
        failure.message = local_moments(&failure.message);
    }
    if let (None, Some(known)) = (failure.code, known) {
        failure.exit = known.exit;
        failure.code = Some(known.code);
        failure.remedy = failure.remedy.or(known.remedy);
    }
    failure
}

/// What is known of a cause.
struct Known {
    exit: u8,
    code: &'static str,
    remedy: Option<String>,
}

fn known(cause: &(dyn StdError + 'static)) -> Option<Known> {
    let store = || cause.downcast_ref().map(of_store);
    let storage = || cause.downcast_ref().map(of_storage);
    let certificates = || cause.downcast_ref().and_then(of_certificates);
    let transport = || cause.downcast_ref().and_then(of_transport);
    store()
        .or_else(storage)
        .or_else(certificates)
        .or_else(transport)
}

fn of_store(error: &store::Error) -> Known {
    match error {
        store::Error::Storage(error) => of_storage(error),
        error if error.is_asked_wrongly() => Known {
            exit: exit::REFUSED,
            ..fault(error.code(), error.remedy())
        },
        error => fault(error.code(), error.remedy()),
    }
}

fn of_storage(error: &scb_storage::Error) -> Known {
    let exit = match error.is_busy() {
        true => exit::RETRY,
        false => exit::FAULT,
    };
    Known {
        exit,
        ..fault(error.code(), error.remedy())
    }
}

fn of_certificates(error: &scb_certs::Error) -> Option<Known> {
    use scb_certs::Error::{
        KeyFile, KeyFileReadable, KeyFileTooLarge, KeyMalformed, KeyUnsupported, PassphraseNeeded,
    };
    let (code, remedy) = match error {
        KeyFileReadable { path, .. } => (
            "key_file_readable",
            format!(
                "run `chmod 600 {}`; whoever could read it may have copied it: if others use \
                 this machine, {NEW_CERTIFICATE}",
                path.display()
            ),
        ),
        KeyFile { path, .. } => (
            "key_file",
            format!(
                "let this user read {} again, or put it back from a backup; if it is lost, \
                 {NEW_CERTIFICATE}",
                path.display()
            ),
        ),
        KeyFileTooLarge { .. } | KeyMalformed | KeyUnsupported | PassphraseNeeded => (
            "key_file",
            format!("put the file back from a backup; if there is none, {NEW_CERTIFICATE}"),
        ),
        _ => return None,
    };
    Some(fault(code, Some(remedy)))
}

/// How a key is replaced.
pub(crate) const NEW_CERTIFICATE: &str = "have the certificate replaced: `cuhk code issue \
     service/blackboard --replace` at CUHK, then `blackboard init --replace` with the new code";

fn of_transport(error: &scb_transport::Error) -> Option<Known> {
    use scb_transport::Error::{AddressInUse, Bind, LogLevel};
    let of = |code, remedy: &str| Some(fault(code, Some(remedy.to_owned())));
    match error {
        AddressInUse(_) => of(
            "address_in_use",
            "stop what listens there, or choose another address with --listen or --metrics",
        ),
        Bind { .. } => of(
            "cannot_listen",
            "choose an address of this machine, and a port that this user may use, with --listen",
        ),
        LogLevel(_) => Some(Known {
            exit: exit::USAGE,
            code: "log_level",
            remedy: None,
        }),
        _ => None,
    }
}

fn fault(code: &'static str, remedy: Option<String>) -> Known {
    Known {
        exit: exit::FAULT,
        code,
        remedy,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn what_lies_under_the_context_says_what_to_do() {
        let error = scb_certs::Error::KeyFileReadable {
            path: "/h/tls/key.pem".into(),
            mode: 0o644,
        };
        let failure = failure(Err::<(), _>(error).context("cannot start").unwrap_err());
        assert_eq!(failure.exit, exit::FAULT);
        assert_eq!(failure.code, Some("key_file_readable"));
        assert!(failure.message.starts_with("cannot start: /h/tls/key.pem "));
        assert!(failure.remedy.unwrap().contains("chmod 600 /h/tls/key.pem"));
    }

    #[test]
    fn a_failure_keeps_its_own_words() {
        let own = Failure::refused("no").with_code("own");
        assert_eq!(failure(own.clone().into()), own);
    }

    #[test]
    fn what_is_not_known_is_a_fault_of_this_machine() {
        let failure = failure(anyhow::anyhow!("odd"));
        assert_eq!((failure.exit, failure.code), (exit::FAULT, None));
    }

    #[test]
    fn a_busy_store_is_worth_another_try() {
        let busy = store::Error::from(scb_storage::Error::Busy);
        assert_eq!(failure(busy.into()).exit, exit::RETRY);
    }
}
