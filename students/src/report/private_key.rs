//! Whether a file holds a private key, as far as its text, or the whole of a small one, tells.

use scb_certs::{SigningKey, is_private_key};
use zeroize::Zeroizing;

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

/// Names that a private key is kept under, or the ends of them.
const NAMES: [&str; 5] = ["key.pem", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];
const ENDINGS: [&str; 5] = ["-key.pem", "_key.pem", ".key", ".p8", ".pk8"];

/// Whether these are all bytes of a private key (DER), or hold one (PEM).
pub(super) fn is_or_holds_private_key(bytes: &[u8]) -> bool {
    is_private_key(bytes) || holds_private_key(bytes)
}

/// Whether a private key is usually called so.
pub(super) fn is_called_like_one(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || ENDINGS.iter().any(|end| name.ends_with(end))
}

/// A key of this home, as copies of it are found.
pub(super) struct OwnKey {
    /// Its base64 as it is kept.
    text: Option<Vec<u8>>,
    /// The key itself, where it is not encrypted.
    key: Option<SigningKey>,
}

impl OwnKey {
    pub(super) fn of(pem: &[u8]) -> Self {
        let text = str::from_utf8(pem).ok();
        Self {
            text: key_text(pem),
            key: text.and_then(|pem| SigningKey::from_pem(pem, None).ok()),
        }
    }

    /// Whether this very key is there: as it is kept, or in DER or PEM of any kind.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        let as_kept = self.text.as_ref().is_some_and(|text| {
            holds_key(bytes, text) || is_private_key(bytes) && base64(bytes) == *text
        });
        let is_it =
            |key: &SigningKey| key.is_in(bytes) || pem_keys(bytes).any(|der| key.is_in(&der));
        as_kept || self.key.as_ref().is_some_and(is_it)
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    base64_of(data_encoding::BASE64_NOPAD.encode(bytes).as_bytes())
}

/// Whether there is a PEM private key, encrypted or not, at the beginning of a line or in a text (as in
/// the JSON of a service account). The words alone are none.
fn holds_private_key(first: &[u8]) -> bool {
    let begins = first
        .windows(BEGIN.len())
        .enumerate()
        .filter(|(_, window)| *window == BEGIN)
        .map(|(at, _)| &first[at + BEGIN.len()..]);
    begins.filter_map(after_label).any(is_followed_by_a_key)
}

/// The base64 of the first private key that is there, whatever stands between its lines.
fn key_text(pem: &[u8]) -> Option<Vec<u8>> {
    key_texts(pem).next().filter(|text| text.len() >= KEY)
}

/// The base64 of each private key that is there.
fn key_texts(pem: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let begins = pem.windows(BEGIN.len()).enumerate();
    let begins = begins.filter(|(_, window)| *window == BEGIN);
    let rests = begins.filter_map(|(at, _)| after_label(&pem[at + BEGIN.len()..]));
    rests.filter_map(|rest| {
        let end = rest.windows(DASHES.len()).position(|at| at == DASHES)?;
        Some(base64_of(&rest[..end]))
    })
}

/// The DER of each private key that is there in PEM, also of two bytes a character (UTF-16), as Windows writes
/// what a program says.
fn pem_keys(bytes: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    let plain: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let texts: Vec<_> = key_texts(&plain).collect();
    let ders = texts
        .into_iter()
        .filter_map(|text| data_encoding::BASE64_NOPAD.decode(&text).ok());
    ders.map(Zeroizing::new)
}

/// Whether this very key is there, as it is kept, at other line ends or within a text.
fn holds_key(first: &[u8], key: &[u8]) -> bool {
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
    fn finds_a_key_in_der_however_it_is_encoded() {
        let own = SigningKey::generate().unwrap();
        let pem = own.to_pem(None).unwrap();
        let passphrase = scb_certs::Passphrase::from("a long passphrase".to_owned());
        let encrypted = own.to_pem(Some(&passphrase.known_random())).unwrap();
        let der = |pem: &str| {
            let body: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
            data_encoding::BASE64.decode(body.as_bytes()).unwrap()
        };
        let [plain, closed] = [&pem, &encrypted].map(|pem| der(pem));
        // ECPrivateKey alone, as `openssl ec` writes it, is what PKCS#8 wraps.
        let at = plain.windows(3).rposition(|at| at == [2, 1, 1]).unwrap();
        let inner = &plain[at - 2..];
        for key in [&plain[..], &closed, inner] {
            assert!(is_or_holds_private_key(key));
            assert!(!is_or_holds_private_key(&key[1..]));
            assert!(!is_or_holds_private_key(&[key, b"0"].concat()));
        }
        let public = own.public_key().point();
        assert!(!is_or_holds_private_key(public));

        let kept = OwnKey::of(pem.as_bytes());
        let packed = [b"PK and more ", inner, b" and more"].concat();
        // As `openssl ec` and `openssl pkey` write it.
        let to_pem = |kind: &str, der: &[u8]| {
            let text = data_encoding::BASE64.encode(der).into_bytes();
            let lines: Vec<_> = text.chunks(64).map(String::from_utf8_lossy).collect();
            let lines = lines.join("\r\n");
            format!("-----BEGIN {kind}-----\r\n{lines}\r\n-----END {kind}-----\r\n")
        };
        let parameters = to_pem(
            "EC PARAMETERS",
            &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
        );
        let sec1 = parameters + &to_pem("EC PRIVATE KEY", inner);
        let utf16: Vec<u8> = sec1.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let short = &inner[..7 + 32];
        let pkcs8 = [b"anything before it, ", short].concat();
        let pkcs8 = to_pem("PRIVATE KEY", &pkcs8);
        for copy in [&plain, pem.as_bytes(), inner, &packed] {
            assert!(kept.is_in(copy));
        }
        for copy in [sec1.as_bytes(), &utf16, pkcs8.as_bytes()] {
            assert!(kept.is_in(copy));
        }
        let foreign = to_pem(
            "EC PRIVATE KEY",
            &der(&SigningKey::generate().unwrap().to_pem(None).unwrap()),
        );
        let public_pem = to_pem("EC PRIVATE KEY", public);
        let broken = "-----BEGIN EC PRIVATE KEY-----\nAAAAA\n-----END EC PRIVATE KEY-----";
        for other in [
            foreign.as_str(),
            public_pem.as_str(),
            broken,
            "-----BEGIN EC PRIVATE KEY-----",
        ] {
            assert!(!kept.is_in(other.as_bytes()), "{other}");
        }
        let other = SigningKey::generate().unwrap().to_pem(None).unwrap();
        for other in [&der(&other)[..], other.as_bytes(), public, b""] {
            assert!(!kept.is_in(other));
        }
        // Of one with a passphrase, what is kept is found, in both forms.
        let kept = OwnKey::of(encrypted.as_bytes());
        assert!(kept.is_in(&closed) && kept.is_in(encrypted.as_bytes()));
        assert!(!kept.is_in(&plain));
    }

    #[test]
    fn tells_a_key_by_its_name() {
        for name in [
            "a/key.pem",
            "ID_RSA",
            ".ssh/id_ed25519",
            "ca-key.pem",
            "x\\y.key",
            "k.p8",
        ] {
            assert!(is_called_like_one(name), "{name}");
        }
        for name in [
            "cert.pem",
            "id_rsa.pub",
            "key",
            "monkey.txt",
            "keys/report.pdf",
            "",
        ] {
            assert!(!is_called_like_one(name), "{name}");
        }
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
