//! Whether a file holds a private key, as far as its text tells.

/// How many of a file's first bytes are looked at.
pub(super) const LOOKED_AT: u64 = 64 * 1024;
/// Within so many bytes after its first line a key begins: there may be headers before it.
const HEADERS: usize = 400;
/// So many characters of base64 in a row are no word of a text about keys, nor of a program's.
const KEY: usize = 32;

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";
/// Of one word more (`RSA PRIVATE KEY`) or none, and of PGP's.
const KINDS: [&[u8]; 2] = [b"PRIVATE KEY", b"PRIVATE KEY BLOCK"];

/// Whether there is a PEM private key, encrypted or not, at the beginning of a line or in a text (as in
/// the JSON of a service account). The words alone are none.
pub(super) fn holds_private_key(first: &[u8]) -> bool {
    let begins = first
        .windows(BEGIN.len())
        .enumerate()
        .filter(|(_, window)| *window == BEGIN)
        .map(|(at, _)| &first[at + BEGIN.len()..]);
    begins.filter_map(after_label).any(is_followed_by_a_key)
}

/// The base64 of the first private key that is there, whatever stands between its lines.
pub(super) fn key_text(pem: &[u8]) -> Option<Vec<u8>> {
    let begins = pem.windows(BEGIN.len()).enumerate();
    let mut begins = begins.filter(|(_, window)| *window == BEGIN);
    let rest = begins.find_map(|(at, _)| after_label(&pem[at + BEGIN.len()..]))?;
    let end = rest.windows(DASHES.len()).position(|at| at == DASHES)?;
    let text = base64_of(&rest[..end]);
    (text.len() >= KEY).then_some(text)
}

/// Whether this very key is there, as it is kept, at other line ends or within a text.
pub(super) fn holds_key(first: &[u8], key: &[u8]) -> bool {
    let text = base64_of(first);
    text.windows(key.len()).any(|at| at == key)
}

fn base64_of(text: &[u8]) -> Vec<u8> {
    let is_base64 = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.iter().filter(is_base64).copied().collect()
}

/// What follows the line that says that a private key begins.
fn after_label(rest: &[u8]) -> Option<&[u8]> {
    let is_label = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    let end = rest.iter().position(|byte| !is_label(byte))?;
    let (label, rest) = rest.split_at(end);
    let rest = rest.strip_prefix(DASHES)?;
    KINDS
        .iter()
        .any(|kind| label.ends_with(kind))
        .then_some(rest)
}

fn is_followed_by_a_key(rest: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let near = &rest[..rest.len().min(HEADERS)];
    let mut runs = near.split(|byte| !is_base64(byte));
    runs.any(|run| run.len() >= KEY)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LINE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";

    #[test]
    fn finds_a_key_of_every_kind_wherever_it_stands() {
        let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
        for text in [
            format!("-----BEGIN PRIVATE KEY-----\n{LINE}\n"),
            format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\r\n{LINE}\r\n"),
            format!("-----BEGIN RSA PRIVATE KEY-----\n{headers}{LINE}\n"),
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{LINE}\n"),
            format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{LINE}\n"),
            format!("\u{feff}a certificate first\n  -----BEGIN EC PRIVATE KEY-----\n  {LINE}\n"),
            format!("{{\"private_key\": \"-----BEGIN PRIVATE KEY-----\\n{LINE}\\n\"}}"),
        ] {
            assert!(holds_private_key(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn finds_this_very_key_and_no_other() {
        let pem = |line: &str| {
            format!("-----BEGIN PRIVATE KEY-----\n{LINE}\n{line}\n-----END PRIVATE KEY-----\n")
        };
        let own = pem("MHQCAQEEIOwnOwnOwnOwnOwnOwnOwnOwnOwn");
        let key = key_text(own.as_bytes()).unwrap();
        let utf16: Vec<u8> = own.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let windows = format!("my key:\r\n{}", own.replace('\n', "\r\n"));
        for copy in [own.as_bytes(), &utf16, windows.as_bytes()] {
            assert!(holds_key(copy, &key));
        }
        let other = pem("MHQCAQEEIOther0ther0ther0ther0ther0t");
        assert!(!holds_key(other.as_bytes(), &key));
        assert_eq!(key_text(b"-----BEGIN PRIVATE KEY-----\n"), None);
        assert_eq!(key_text(b"a text"), None);
    }

    #[test]
    fn what_is_public_or_only_speaks_of_keys_holds_none() {
        for text in [
            String::new(),
            "-----BEGIN ".to_owned(),
            "-----BEGIN PRIVATE KEY".to_owned(),
            "-----BEGIN PRIVATE KEY-----".to_owned(),
            format!("-----BEGIN PUBLIC KEY-----\n{LINE}\n"),
            format!("-----BEGIN CERTIFICATE-----\n{LINE}\n"),
            format!("-----BEGIN private key-----\n{LINE}\n"),
            "if line == \"-----BEGIN PRIVATE KEY-----\" { return parse(rest_of_lines); }"
                .to_owned(),
            "It begins with -----BEGIN RSA PRIVATE KEY----- and is base64 from then on.".to_owned(),
        ] {
            assert!(!holds_private_key(text.as_bytes()), "{text}");
        }
    }
}
