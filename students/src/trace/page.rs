//! The page: a sequence diagram whose messages open. One file, no script but its own, nothing
//! fetched.

use std::fmt::Write;

use data_encoding::BASE64;
use ring::digest;
use rustls_pki_types::UnixTime;
use scb_cli::local_time;
use scb_explain::{Language, explain, message_title, step_title};
use scb_protocol::{Fact, Step, StepEvent, counted, grouped};

use super::html::{escaped, json};
use super::json::Json;
use super::words::Words;
use super::{Entry, Lane, What};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of these entries.
pub(super) fn page(entries: &[Entry], language: Language, began: UnixTime) -> String {
    let page = Page {
        words: Words::of(language),
        language,
    };
    let mut steps: Vec<&Entry> = entries.iter().collect();
    steps.sort_by_key(|entry| entry.step);
    let mut html = page.head();
    html += &page.summary(entries, began);
    html += &page.lanes();
    for of_one_step in steps.chunk_by(|one, next| one.step == next.step) {
        html += &page.section(of_one_step);
    }
    html += &page.foot();
    html
}

struct Page {
    words: &'static Words,
    language: Language,
}

impl Page {
    /// The policy allows this very style and script and nothing else, from nowhere else.
    fn head(&self) -> String {
        let (tag, title) = (self.language.tag(), self.words.title);
        let (style, script) = (hash(STYLE), hash(SCRIPT));
        format!(
            "<!DOCTYPE html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; \
             form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        )
    }

    fn summary(&self, entries: &[Entry], began: UnixTime) -> String {
        let words = self.words;
        let took = entries
            .iter()
            .map(|entry| entry.at)
            .max()
            .unwrap_or_default();
        let messages = entries.iter().filter(|entry| is_seen(&entry.what)).count();
        let (class, label, outcome) = self.outcome(entries);
        let mut html = format!(
            "<header>\n<p class=\"eyebrow\">scb/1</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n\
             <dl class=\"figures\">\n",
            words.title, words.lead
        );
        for (class, label, value) in [
            ("", words.began, local_time(began)),
            (
                "",
                words.took,
                format!("{:.0} ms", took.as_secs_f64() * 1000.0),
            ),
            ("", words.messages, messages.to_string()),
            (class, label, outcome),
        ] {
            let value = escaped(&value);
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(
                html,
                "<div class=\"figure {class}\"><dt>{label}</dt><dd>{value}</dd></div>"
            );
        }
        let _ = write!(
            html,
            "</dl>\n<p class=\"legend\"><span><span class=\"key\"></span>{}</span>\
             <span><span class=\"key dashed\"></span>{}</span></p>\n<p class=\"hint\">{} \
             <button id=\"all\" data-close=\"{}\" hidden=\"\">{}</button></p>\n</header>\n",
            words.seen, words.inferred, words.click, words.close_all, words.open_all
        );
        html
    }

    fn outcome(&self, entries: &[Entry]) -> (&'static str, &'static str, String) {
        let events = entries.iter().rev().filter_map(|entry| match &entry.what {
            What::Event(event) => Some(&event.fact),
            _ => None,
        });
        for fact in events {
            match fact {
                Fact::ReceiptKept { number, .. } => {
                    return ("good", self.words.outcome, number.to_string());
                }
                Fact::Refused(refusal) => {
                    return ("bad", self.words.refused, refusal.code.to_string());
                }
                _ => {}
            }
        }
        ("bad", self.words.outcome, self.words.unfinished.to_owned())
    }

    fn lanes(&self) -> String {
        format!(
            "<main>\n<div class=\"lanes\"><span class=\"student\">{}</span>\
             <span class=\"blackboard\">Blackboard</span><span class=\"cuhk\">{}</span></div>\n",
            self.words.student, self.words.cuhk
        )
    }

    fn section(&self, entries: &[&Entry]) -> String {
        let step = entries.first().map_or(Step::Zero, |entry| entry.step);
        let mut html = format!(
            "<section id=\"step-{step}\">\n<h2><span>{} {step}</span>{}</h2>\n\
             <div class=\"flow\">\n",
            self.words.step,
            step_title(step, self.language)
        );
        for entry in entries {
            html += &self.row(entry);
        }
        html + "</div>\n</section>\n"
    }

    fn row(&self, entry: &Entry) -> String {
        let words = self.words;
        let at = format!("+{:.1} ms", entry.at.as_secs_f64() * 1000.0);
        match &entry.what {
            What::Event(event) => self.note(event),
            What::Handshake {
                server,
                details,
                mutual,
            } => {
                let title = match mutual {
                    true => words.handshake_mutual,
                    false => words.handshake_server,
                };
                let class = format!("handshake {}", direction(Lane::Student, *server));
                let body = json(details, words);
                arrow(&class, ("handshake", "TLS 1.3", title), &at, &body)
            }
            What::Message {
                from,
                to,
                name,
                size,
                body,
            } => {
                let lanes = direction(*from, *to);
                self.message((&at, lanes), (name, *size), body)
            }
            What::Chunks {
                from,
                to,
                frames,
                bytes,
            } => {
                let title = match from {
                    Lane::Student => words.content,
                    Lane::Blackboard | Lane::Cuhk => words.receipt_file,
                };
                let meta = format!(
                    "{at} · {} · {}",
                    self.counted(*frames, words.frame),
                    self.counted(*bytes, words.byte)
                );
                let class = format!("chunks {}", direction(*from, *to));
                let body = format!("<p class=\"why\">{}</p>", words.content_why);
                arrow(&class, ("chunks", title, ""), &meta, &body)
            }
        }
    }

    /// A message; one without a size was not seen here, but must have been sent.
    fn message(
        &self,
        (at, lanes): (&str, &str),
        (name, size): (&str, Option<usize>),
        body: &Json,
    ) -> String {
        let words = self.words;
        let title = message_title(name, self.language).unwrap_or_default();
        let (kind, meta, why) = match size {
            Some(size) => {
                let size = self.counted(size, words.byte);
                ("seen", format!("{at} · {size}"), String::new())
            }
            None => {
                let why = format!("<p class=\"why\">{}</p>", words.inferred_why);
                ("inferred", String::new(), why)
            }
        };
        let refused = if name == "refusal" { " refused" } else { "" };
        let class = format!("{kind}{refused} {lanes}");
        let body = why + &json(body, words);
        arrow(&class, (name, name, title), &meta, &body)
    }

    fn counted(&self, count: usize, noun: &str) -> String {
        match self.language {
            Language::English => counted(count, noun),
            Language::Chinese => format!("{} {noun}", grouped(count)),
        }
    }

    /// What the student's program made of what came.
    fn note(&self, event: &StepEvent) -> String {
        let explanation = explain(event, self.language);
        let class = match event.fact {
            Fact::Refused(_) => "note refused",
            _ => "note",
        };
        let mut html = format!(
            "<div class=\"{class}\"><p><span class=\"where\">{}</span>{}</p>",
            self.words.here,
            escaped(&explanation.text)
        );
        if !explanation.values.is_empty() {
            let _ = write!(
                html,
                "<details><summary>{}</summary><dl>",
                self.words.values
            );
            for (name, value) in &explanation.values {
                let _ = write!(
                    html,
                    "<dt>{}</dt><dd>{}</dd>",
                    escaped(name),
                    escaped(value)
                );
            }
            html += "</dl></details>";
        }
        html + "</div>\n"
    }

    fn foot(&self) -> String {
        format!(
            "</main>\n<footer>{}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
            self.words.foot
        )
    }
}

/// A row that opens. `name` is the message's type, `label` and `title` are what people read.
fn arrow(class: &str, (name, label, title): (&str, &str, &str), meta: &str, body: &str) -> String {
    let (name, label, title) = (escaped(name), escaped(label), escaped(title));
    let meta = escaped(meta);
    format!(
        "<details class=\"row {class}\" data-message=\"{name}\"><summary>\
         <span class=\"label\"><b>{label}</b> <span class=\"title\">{title}</span></span>\
         <span class=\"arrow\"></span><span class=\"meta\">{meta}</span></summary>\
         <div class=\"card\">{body}</div></details>\n"
    )
}

fn direction(from: Lane, to: Lane) -> &'static str {
    match (from, to) {
        (Lane::Student, Lane::Cuhk) => "s-c",
        (Lane::Cuhk, Lane::Student) => "c-s",
        (Lane::Blackboard, Lane::Cuhk) => "b-c",
        (Lane::Cuhk, Lane::Blackboard) => "c-b",
        (Lane::Blackboard, Lane::Student) => "b-s",
        _ => "s-b",
    }
}

fn is_seen(what: &What) -> bool {
    matches!(what, What::Message { size: Some(_), .. })
}

/// For the content security policy (CSP 3, hash source).
fn hash(text: &str) -> String {
    BASE64.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
