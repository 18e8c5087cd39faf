//! What a fact means: one or two sentences, and its values.

mod chinese;
mod english;
mod label;
mod values;

use scb_protocol::StepEvent;

use crate::{Language, remedy, sentence};

pub(crate) use label::Label;

/// A fact in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What happened and why it matters.
    pub text: String,
    /// The values, each with its name in the same language. What a peer chose is among them:
    /// whoever shows them escapes them.
    pub values: Vec<(String, String)>,
}

/// Explains an event. Nothing that is not in the event is told, and the event has no secret.
pub fn explain(event: &StepEvent, language: Language) -> Explanation {
    let text = match language {
        Language::English => english::text(event),
        Language::Chinese => chinese::text(event),
    };
    let name = |label: &Label| match language {
        Language::English => english::name(label),
        Language::Chinese => chinese::name(label),
    };
    let values = values::values(&event.fact, language);
    Explanation {
        text,
        values: values
            .iter()
            .map(|(label, value)| (name(label), value.clone()))
            .collect(),
    }
}

/// The sentence and the remedy of a refusal.
fn refused(refusal: &scb_protocol::Refusal, language: Language) -> (&'static str, &'static str) {
    let code = refusal.code;
    (sentence(code, language), remedy(code, language))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
