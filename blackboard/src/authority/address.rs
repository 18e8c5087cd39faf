//! Where CUHK listens.

use scb_cli::Sandbox;

/// An address from the configuration; in a sandbox, where CUHK has another port at every start,
/// the one that it has written down last.
#[derive(Debug, Clone)]
pub(crate) struct CuhkAddress {
    known: String,
    sandbox: Option<Sandbox>,
}

impl CuhkAddress {
    /// Always this `host:port`.
    pub(crate) fn fixed(address: impl Into<String>) -> Self {
        Self {
            known: address.into(),
            sandbox: None,
        }
    }

    /// What the sandbox's file says; `known` before there is one.
    pub(crate) fn of_sandbox(sandbox: &Sandbox, known: impl Into<String>) -> Self {
        Self {
            known: known.into(),
            sandbox: Some(sandbox.clone()),
        }
    }

    /// As of now. While CUHK is down there is no file, and the last address holds.
    pub(crate) fn current(&mut self) -> &str {
        let written = self.sandbox.as_ref().map(Sandbox::cuhk_address);
        if let Some(Ok(address)) = written {
            self.known = address.to_string();
        }
        &self.known
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::write_ready;

    use super::*;

    #[test]
    fn follows_what_cuhk_writes_down_and_keeps_the_last_when_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        let file = sandbox.cuhk_address_file();
        let mut address = CuhkAddress::of_sandbox(&sandbox, "127.0.0.1:1");
        assert_eq!(address.current(), "127.0.0.1:1");
        write_ready(&file, "127.0.0.1:2".parse().unwrap()).unwrap();
        assert_eq!(address.current(), "127.0.0.1:2");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(address.current(), "127.0.0.1:2");
    }

    #[test]
    fn follows_nobody_off_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        let file = sandbox.cuhk_address_file();
        write_ready(&file, "10.0.0.1:2".parse().unwrap()).unwrap();
        let mut address = CuhkAddress::of_sandbox(&sandbox, "127.0.0.1:1");
        assert_eq!(address.current(), "127.0.0.1:1");
    }
}
