//! What was found, told while the rest is still looked at.

use std::io::IsTerminal;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use scb_cli::{Failure, say};
use serde::Serialize;
use serde_json::json;

use super::remedy::remedy;
use super::words::Words;
use crate::store::{Error, NUMBERS};
use crate::submissions::print_json;

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weight {
    /// Something is not what was stored.
    Damage,
    /// Something is left over, or not done yet; nothing is lost.
    Leftover,
    /// Whether something is missing cannot be known here.
    Unknown,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What kind of thing it is: a word for scripts.
    pub(crate) code: &'static str,
    pub(crate) weight: Weight,
    /// What it is about: a submission, a file, an entry of a log.
    pub(crate) about: String,
    /// What is wrong with it.
    pub(crate) found: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// How much was looked at.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) submissions: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) logs: u64,
    pub(crate) entries: u64,
}

/// Takes findings, prints them, and shows how far it has come.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    words: Words,
    findings: Vec<Finding>,
    damages: u64,
    leftovers: u64,
    is_put_back: bool,
    pub(crate) counts: Counts,
    bar: ProgressBar,
}

impl Report {
    /// As JSON, or in these words.
    pub(crate) fn new(json: bool, words: Words) -> Self {
        Self {
            json,
            words,
            findings: Vec::new(),
            damages: 0,
            leftovers: 0,
            is_put_back: false,
            counts: Counts::default(),
            bar: ProgressBar::hidden(),
        }
    }

    /// Something is not what was stored.
    pub(crate) fn damage(
        &mut self,
        code: &'static str,
        about: impl ToString,
        found: impl ToString,
    ) -> anyhow::Result<()> {
        let told = (about.to_string(), found.to_string());
        self.add(code, Weight::Damage, told, remedy(code).to_owned())
    }

    /// As [`Report::damage`], with what the failure says there is to do.
    pub(crate) fn failed(&mut self, about: impl ToString, failure: Failure) -> anyhow::Result<()> {
        let code = failure.code.unwrap_or("unreadable");
        let remedy = failure.remedy.unwrap_or_else(|| remedy(code).to_owned());
        let told = (about.to_string(), failure.message);
        self.add(code, Weight::Damage, told, remedy)
    }

    /// Something is left over.
    pub(crate) fn leftover(
        &mut self,
        code: &'static str,
        about: impl ToString,
        found: impl ToString,
    ) -> anyhow::Result<()> {
        let told = (about.to_string(), found.to_string());
        self.add(code, Weight::Leftover, told, remedy(code).to_owned())
    }

    /// Nobody has compared this home with what its witness has seen: whether all is here is not known.
    pub(crate) fn put_back(&mut self) -> anyhow::Result<()> {
        self.is_put_back = true;
        let told = (NUMBERS.to_owned(), Error::PutBack.to_string());
        self.add(
            "put_back",
            Weight::Unknown,
            told,
            remedy("put_back").to_owned(),
        )
    }

    fn add(
        &mut self,
        code: &'static str,
        weight: Weight,
        (about, found): (String, String),
        remedy: String,
    ) -> anyhow::Result<()> {
        match weight {
            Weight::Damage => self.damages += 1,
            Weight::Leftover => self.leftovers += 1,
            Weight::Unknown => {}
        }
        let finding = Finding {
            code,
            weight,
            about,
            found,
            remedy,
        };
        if self.json {
            self.findings.push(finding);
            return Ok(());
        }
        let lines = self.words.finding(&finding);
        let mut lines = lines.iter();
        self.bar
            .suspend(|| Ok(lines.try_for_each(|line| say(line))?))
    }

    /// What was found, where it is kept: for JSON.
    #[cfg(test)]
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A part of the work begins, of so many steps.
    pub(crate) fn begin(&mut self, what: &'static str, steps: u64) {
        self.bar.finish_and_clear();
        if self.json || !std::io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos} of {len}  {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = ProgressBar::new(steps).with_style(style).with_prefix(what);
    }

    /// So many steps are done.
    pub(crate) fn step(&self, steps: u64) {
        self.bar.inc(steps);
    }

    /// Bytes of a file were read.
    pub(crate) fn read(&mut self, bytes: u64) {
        self.counts.bytes += bytes;
        if !self.bar.is_hidden() {
            let read = HumanBytes(self.counts.bytes);
            self.bar.set_message(format!("{read} read"));
        }
    }

    /// Sums up; fails if anything was damaged, or if nobody knows whether all is here.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        if self.json {
            print_json(&json!({ "looked_at": self.counts, "findings": self.findings }))?;
        } else {
            let (damages, leftovers) = (self.damages, self.leftovers);
            say(&self.words.summary(&self.counts, damages, leftovers))?;
            if self.is_put_back && damages > 0 {
                say(self.words.perhaps_old())?;
            }
        }
        match self.damages {
            0 if self.is_put_back => Err(Failure::retry(self.words.perhaps_old())
                .with_remedy(self.words.next())
                .with_code("put_back")
                .into()),
            0 => Ok(()),
            damages => Err(Failure::fault(self.words.damaged(damages))
                .with_remedy(self.words.next())
                .with_code("damaged")
                .into()),
        }
    }
}
