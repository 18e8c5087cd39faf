//! How far long work is, for who waits at a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// For work of `size`, drawn as the template says if that is `large`. Without a terminal on standard
/// error it draws nothing.
pub(super) fn bar(size: u64, large: bool, template: &str) -> ProgressBar {
    let bar = match large {
        true => ProgressBar::new(size),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
