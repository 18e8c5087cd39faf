//! Faults on purpose: what each role has a table of, and `--fault NAME`.
//!
//! A table says what is done wrong, which program refuses it, with which code and why. What
//! really happens stands in the role, between the protocol's states and the wire.

use std::fmt;
use std::str::FromStr;

pub use scb_protocol::Code;

use crate::{Error, say};

/// A table of faults, made by [`faults!`](crate::faults).
pub trait FaultTable: Copy + fmt::Display + 'static {
    /// Every fault, in the order of the steps.
    const ALL: &'static [Self];
    /// The names, one on a line, for `--help`.
    const NAMES: &'static str;

    /// Its name on the command line.
    fn name(self) -> &'static str;
    /// The program that refuses it.
    fn refused_by(self) -> &'static str;
    /// The code of the refusal.
    fn code(self) -> Code;
    /// What is done, without the one who does it.
    fn done(self) -> &'static str;
    /// What stops it.
    fn stops(self) -> &'static str;
}

/// Makes an enumeration that is a [`FaultTable`], of rows such as
/// `Silent = "silent", "student", Timeout, "says nothing", "every wait has a deadline";`:
/// name, who refuses, code, what is done, what stops it.
#[macro_export]
macro_rules! faults {
    (
        $(#[$about:meta])* $visible:vis enum $Table:ident;
        $($variant:ident = $name:literal, $who:literal, $code:ident, $done:literal, $stops:literal;)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visible enum $Table {
            $(#[doc = $done] $variant,)*
        }

        impl $crate::fault::FaultTable for $Table {
            const ALL: &'static [Self] = &[$(Self::$variant),*];
            const NAMES: &'static str = concat!("Faults for --fault:" $(, "\n  ", $name)*);

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            fn refused_by(self) -> &'static str {
                match self { $(Self::$variant => $who),* }
            }

            fn code(self) -> $crate::fault::Code {
                match self { $(Self::$variant => $crate::fault::Code::$code),* }
            }

            fn done(self) -> &'static str {
                match self { $(Self::$variant => $done),* }
            }

            fn stops(self) -> &'static str {
                match self { $(Self::$variant => $stops),* }
            }
        }

        impl std::fmt::Display for $Table {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::fault::FaultTable::name(*self))
            }
        }
    };
}

/// The argument of `--fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultChoice<F> {
    /// `help`: say which there are.
    List,
    /// This one.
    One(F),
}

impl<F: FaultTable> FromStr for FaultChoice<F> {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "help" {
            return Ok(Self::List);
        }
        let found = F::ALL.iter().find(|fault| fault.name() == name);
        let found = found.copied().map(Self::One);
        found.ok_or_else(|| "no such fault; --fault help lists them".to_owned())
    }
}

/// `--fault help`: the whole table, on standard output.
///
/// # Errors
/// [`Error::Output`].
pub fn list<F: FaultTable>(doer: &str) -> Result<(), Error> {
    for &fault in F::ALL {
        say(&described(doer, fault))?;
    }
    Ok(())
}

fn described<F: FaultTable>(doer: &str, fault: F) -> String {
    let (code, done) = (fault.code(), fault.done());
    let (who, stops) = (fault.refused_by(), fault.stops());
    format!("{fault} [{code}]\n  {doer} {done}\n  refused by {who}: {stops}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    faults! {
        /// Two for this test.
        enum Fault;
        Silent = "silent", "student", Timeout, "says nothing", "every wait has a deadline";
        HugeFrame = "huge-frame", "blackboard", FrameTooLarge, "announces 2 GiB", "a limit";
    }

    type Choice = FaultChoice<Fault>;

    #[test]
    fn a_fault_is_chosen_by_its_name_and_all_are_listed_for_help() {
        for &fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(Choice::One(fault)));
        }
        assert_eq!("help".parse(), Ok(Choice::List));
        assert_eq!(Fault::NAMES, "Faults for --fault:\n  silent\n  huge-frame");
    }

    #[test]
    fn refuses_a_name_that_is_none() {
        for name in ["huge_frame", "Silent", ""] {
            let error = name.parse::<Choice>().unwrap_err();
            assert!(error.contains("--fault help"), "{error}");
        }
    }

    #[test]
    fn says_what_is_done_who_refuses_it_and_why() {
        assert_eq!(
            described("CUHK", Fault::Silent),
            "silent [timeout]\n  CUHK says nothing\n  refused by student: every wait has a \
             deadline"
        );
    }
}
