//! The languages in which people are spoken to.

use clap::ValueEnum;

/// A language that the programs speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Language {
    /// English.
    #[default]
    #[value(name = "en")]
    English,
    /// Chinese in traditional characters.
    #[value(name = "zh-Hant")]
    Chinese,
}

impl Language {
    /// The language that `--lang` names, else that of the environment.
    pub fn choose(flag: Option<Self>) -> Self {
        flag.unwrap_or_else(|| Self::of_environment(|name| std::env::var(name).ok()))
    }

    /// The language of messages by POSIX: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that
    /// is set and not empty.
    fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .filter_map(variable)
            .find(|value| !value.is_empty());
        match set {
            Some(value) if value.to_ascii_lowercase().starts_with("zh") => Self::Chinese,
            _ => Self::English,
        }
    }

    /// The tag of the language (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-Hant",
        }
    }

    /// The text in this language.
    pub fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Language {
        Language::of_environment(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn follows_the_environment_as_posix_says() {
        assert_eq!(with(&[]), Language::English);
        assert_eq!(with(&[("LANG", "zh_HK.UTF-8")]), Language::Chinese);
        assert_eq!(
            with(&[("LANG", "zh_HK.UTF-8"), ("LC_ALL", "C")]),
            Language::English
        );
        assert_eq!(
            with(&[("LC_ALL", ""), ("LC_MESSAGES", "zh-Hant")]),
            Language::Chinese
        );
    }

    #[test]
    fn the_flag_comes_first() {
        assert_eq!(Language::choose(Some(Language::Chinese)), Language::Chinese);
    }
}
