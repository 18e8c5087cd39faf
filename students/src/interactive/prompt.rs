//! Questions answered by a line.

use std::io::{self, BufRead, Write};

use scb_cli::{printable, say};

use crate::Error;

/// Longest answer that is read, in bytes.
const LIMIT: u64 = 4096;

/// Asks once; none if input ended.
pub(crate) fn ask(question: &str) -> Result<Option<String>, Error> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(question.as_bytes())
        .and_then(|()| out.flush());
    written.map_err(scb_cli::Error::Output)?;
    drop(out);
    read_line(&mut io::stdin().lock())
}

/// Asks until the answer can be used, saying each time why it cannot; none if input ended.
pub(super) fn ask_until<T>(
    question: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Error> {
    loop {
        let Some(typed) = ask(question)? else {
            return Ok(None);
        };
        match read(&typed) {
            Ok(answer) => return Ok(Some(answer)),
            Err(reason) => say(&printable(&reason))?,
        }
    }
}

/// As [`ask_until`], where no answer is a `q`: it quits, as in the menu.
pub(super) fn ask_or_quit<T>(
    question: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Error> {
    let asked = ask_until(question, |typed| match typed {
        "q" | "Q" => Ok(None),
        typed => read(typed).map(Some),
    })?;
    Ok(asked.flatten())
}

fn read_line(input: &mut impl BufRead) -> Result<Option<String>, Error> {
    let mut line = Vec::new();
    let read = io::Read::take(input, LIMIT).read_until(b'\n', &mut line);
    let read = read.map_err(|source| Error::System {
        action: "read from the terminal",
        source,
    })?;
    if read == 0 {
        // What comes next begins on a line of its own.
        say("")?;
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_line_without_its_end() {
        let mut input = &b" 1155000001\r\nnext\n"[..];
        assert_eq!(read_line(&mut input).unwrap().unwrap(), "1155000001");
        assert_eq!(read_line(&mut input).unwrap().unwrap(), "next");
        assert!(read_line(&mut input).unwrap().is_none());
    }

    #[test]
    fn an_endless_line_ends() {
        let mut input = io::BufReader::new(io::repeat(b'x'));
        assert_eq!(read_line(&mut input).unwrap().unwrap().len() as u64, LIMIT);
    }
}
