//! Whether names and addresses lead anywhere, as others would find out: names are looked up, and
//! files fetched over plain HTTP. Neither takes longer than [`PATIENCE`].

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::http::Uri;

/// Total time for one look.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read; more is no list of a root.
const MAX_ANSWER: u64 = 1024 * 1024;
const HTTP: u16 = 80;

/// The addresses of a name.
///
/// # Errors
///
/// Why there are none, in words.
pub(super) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let (answer, answered) = mpsc::channel();
    let asked = (host.to_owned(), port);
    // The system has no time limit of its own to set: whoever waits too long goes on without.
    std::thread::spawn(move || {
        let found = asked.to_socket_addrs().map(Iterator::collect);
        let _ = answer.send(found);
    });
    match answered.recv_timeout(PATIENCE) {
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses;
            match addresses.is_empty() {
                true => Err("it has no address".to_owned()),
                false => Ok(addresses),
            }
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}

/// What is at a URL of plain HTTP.
///
/// # Errors
///
/// Why it could not be fetched, in words.
pub(super) fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let url: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    let host = url.host().unwrap_or_default();
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let deadline = Instant::now() + PATIENCE;
    let addresses = resolve(name, url.port_u16().unwrap_or(HTTP))?;
    let mut stream = connect(&addresses)?;
    let authority = url.authority().map_or(host, |authority| authority.as_str());
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n\r\n",
        url.path()
    );
    stream
        .write_all(request.as_bytes())
        .map_err(|error| error.to_string())?;
    body(read(stream, deadline)?)
}

fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut failure = String::new();
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE / 2) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = format!("{address}: {error}"),
        }
    }
    Err(failure)
}

/// Until the other side has said all, or the time is over.
fn read(mut stream: TcpStream, deadline: Instant) -> Result<Vec<u8>, String> {
    let mut answer = Vec::new();
    let mut part = [0; 8192];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || answer.len() as u64 > MAX_ANSWER {
            return Err("no whole answer in time, or a huge one".to_owned());
        }
        let told = |error: std::io::Error| error.to_string();
        stream.set_read_timeout(Some(left)).map_err(told)?;
        match stream.read(&mut part).map_err(told)? {
            0 => return Ok(answer),
            count => answer.extend_from_slice(part.get(..count).unwrap_or_default()),
        }
    }
}

/// What follows the head of an answer whose status is 200 (RFC 9112).
fn body(answer: Vec<u8>) -> Result<Vec<u8>, String> {
    const END: &[u8] = b"\r\n\r\n";
    let head = answer.windows(END.len()).position(|part| part == END);
    let head = head.ok_or("the answer is not HTTP")?;
    let status = String::from_utf8_lossy(answer.get(..head).unwrap_or_default());
    let status = status.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(answer.get(head + END.len()..).unwrap_or_default().to_vec()),
        _ => Err(format!("the answer is {status:?}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Fetches from somebody who answers this, and hangs up.
    fn fetched(answer: &'static [u8]) -> Result<Vec<u8>, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/crl/root.crl", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let count = stream.read(&mut asked).unwrap();
            assert!(asked[..count].starts_with(b"GET /crl/root.crl HTTP/1.0\r\n"));
            stream.write_all(answer).unwrap();
        });
        let fetched = fetch(&url);
        serving.join().unwrap();
        fetched
    }

    #[test]
    fn takes_the_body_of_a_200_and_of_nothing_else() {
        let whole = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nlist\r\n\r\n";
        assert_eq!(fetched(whole).unwrap(), b"list\r\n\r\n");
        let missing = fetched(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err();
        assert!(missing.contains("404"), "{missing}");
        assert!(fetched(b"SSH-2.0-x\r\n").is_err());
    }

    #[test]
    fn says_why_nobody_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(fetch(&format!("http://{address}/")).is_err());
        // Reserved: nobody has such a name (RFC 6761).
        assert!(resolve("no-such-host.invalid", HTTP).is_err());
        assert!(!resolve("127.0.0.1", HTTP).unwrap().is_empty());
    }
}
