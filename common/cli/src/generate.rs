//! What packagers install beside a program: shell completions and man pages, made from the
//! definition of its command line, so that they never say anything else than `--help`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Command, ValueHint};
use clap_complete::{Generator, Shell};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::{Error, say, write_atomic};

/// `generate`: what is installed beside a program.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Generate {
    /// Print completions for a shell, or write them into a directory
    Completions {
        /// Which shell
        shell: Shell,
        /// Directory to write into, under the name that the shell looks for; it is made if it is
        /// missing [default: standard output]
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Write a man page for the program and one for each command
    Man {
        /// Directory to write into; it is made if it is missing
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// The examples at the end of `generate --help`, for the program of this name.
#[must_use]
pub fn generate_examples(program: &str) -> String {
    format!("Examples:\n{}\n{}", completions(program), man(program))
}

/// Gives each command of `generate` its own examples, for the program of this name.
pub fn with_generate_examples(program: &'static str) -> impl FnMut(Command) -> Command {
    move |command| match command.get_name() {
        "completions" => command.after_help(format!(
            "Examples:
{}
  {program} generate completions zsh > \"${{fpath[1]}}/_{program}\"
  {program} generate completions bash ~/.local/share/bash-completion/completions
  {program} generate completions fish ~/.config/fish/completions

They take effect in the next shell that is opened.",
            completions(program)
        )),
        "man" => command.after_help(format!(
            "Examples:
{}
  {program} generate man ~/.local/share/man/man1

Then: man {program}",
            man(program)
        )),
        _ => command,
    }
}

fn completions(program: &str) -> String {
    format!("  {program} generate completions bash > /etc/bash_completion.d/{program}")
}

fn man(program: &str) -> String {
    format!("  {program} generate man /usr/local/share/man/man1")
}

impl Generate {
    /// Does it for the program of this definition.
    ///
    /// # Errors
    ///
    /// [`Error::File`], [`Error::Output`].
    pub fn run(&self, mut definition: Command) -> Result<(), Error> {
        match self {
            Self::Completions { shell, dir } => {
                let name = definition.get_name().to_owned();
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut definition, &name, &mut script);
                let Some(dir) = dir else {
                    let script = String::from_utf8_lossy(&script);
                    return say(script.strip_suffix('\n').unwrap_or(&script));
                };
                make(dir)?;
                write_atomic(&dir.join(shell.file_name(&name)), &script, 0o644)
            }
            Self::Man { dir } => {
                make(dir)?;
                let mut definition = definition.disable_help_subcommand(true);
                definition.build();
                let source = format!("{} {}", definition.get_name(), env!("CARGO_PKG_VERSION"));
                let written = write_pages(&definition, &source, dir);
                written.map_err(Error::file("write into", dir))
            }
        }
    }
}

/// A directory in which nothing is secret, with those above it.
fn make(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(Error::file("create", dir))
}

/// A page for the command and for each below it.
fn write_pages(command: &Command, source: &str, dir: &Path) -> io::Result<()> {
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        write_pages(below, source, dir)?;
    }
    let help = command.get_after_long_help().or(command.get_after_help());
    let help = help.map(ToString::to_string);
    let bare = command.clone().after_help(Resettable::Reset);
    // An empty date would move what comes after it to its place.
    let page = Man::new(bare.after_long_help(Resettable::Reset))
        .date(" ")
        .source(source);
    let mut file = File::create(dir.join(page.get_filename()))?;
    page.render(&mut file)?;
    if let Some(help) = help {
        as_it_stands(&help).to_writer(&mut file)?;
    }
    file.flush()
}

/// What stands below the options in `--help`, line by line.
fn as_it_stands(help: &str) -> Roff {
    let examples = help.strip_prefix("Examples:\n");
    let examples = examples.or_else(|| help.strip_prefix("Example:\n"));
    let heading = examples.map_or("NOTES", |_| "EXAMPLES");
    let mut section = Roff::new();
    section.control("SH", [heading]).control("nf", []);
    for line in examples.unwrap_or(help).lines() {
        section.text([roman(line)]);
    }
    section.control("fi", []);
    section
}
