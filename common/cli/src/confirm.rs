//! Asking before what cannot be undone.

use std::io::{BufRead, IsTerminal, Read, Write};

/// Asks somebody at the keyboard, who agrees by typing what is expected; nobody there has not
/// agreed.
pub fn confirmed(question: &str, expected: &str) -> bool {
    if !is_anybody_there() || std::io::stderr().write_all(question.as_bytes()).is_err() {
        return false;
    }
    let mut answer = String::new();
    let read = std::io::stdin().lock().take(100).read_line(&mut answer);
    read.is_ok() && answer.trim() == expected
}

/// Whether somebody sees a question and can answer it.
pub fn is_anybody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
