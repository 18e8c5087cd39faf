//! What the three command lines share.

use clap::Args;

use crate::Language;

/// `--lang`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LanguageArgs {
    /// Language of explanations and refusals [default: by LC_ALL, LC_MESSAGES, LANG]
    #[arg(
        long,
        value_enum,
        value_name = "LANG",
        global = true,
        display_order = 904
    )]
    pub lang: Option<Language>,
}

impl LanguageArgs {
    /// The language that was asked for, else that of the environment.
    pub fn language(&self) -> Language {
        Language::choose(self.lang)
    }
}

/// `--explain` and `--lang`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct ExplainArgs {
    /// Say under each step, in plain words and with its values, what happened
    #[arg(long, global = true, display_order = 903)]
    pub explain: bool,
    /// In which language.
    #[command(flatten)]
    pub language: LanguageArgs,
}

impl ExplainArgs {
    /// The language of the explanations, if any are wanted.
    pub fn wanted(&self) -> Option<Language> {
        self.explain.then(|| self.language.language())
    }
}
