//! What a server tells whoever looks after it, over plain HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::LONG;

/// Status and body of an answer.
pub fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// The address of the monitor, from what a server has said.
pub fn monitor(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("health and metrics at http://")?;
    Some(rest.lines().next()?.to_owned())
}

/// Asks until the answer has this status; returns its body.
pub fn wait_for(address: &str, path: &str, status: u16) -> String {
    let begun = Instant::now();
    loop {
        let (found, body) = get(address, path);
        if found == status {
            return body;
        }
        assert!(begun.elapsed() < LONG, "{found}: {body}");
        std::thread::yield_now();
    }
}
