//! What packagers install beside a program: shell completions and man pages, made from the
//! definition of its command line, so that they never say anything else than `--help`.

use std::io::Write;
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use crate::Error;

/// `generate`: what is installed beside a program.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Generate {
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write a man page for the program and one for each command
    Man {
        /// Directory to write into; it must exist
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// The examples at the end of `generate --help`, for the program of this name.
#[must_use]
pub fn generate_examples(program: &str) -> String {
    format!(
        "Examples:
  {program} generate completions bash > /etc/bash_completion.d/{program}
  {program} generate man /usr/local/share/man/man1"
    )
}

impl Generate {
    /// Does it for the program of this definition.
    ///
    /// # Errors
    ///
    /// [`Error::File`], [`Error::Output`].
    pub fn run(&self, mut definition: Command) -> Result<(), Error> {
        match self {
            Self::Completions { shell } => {
                let name = definition.get_name().to_owned();
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut definition, name, &mut script);
                let written = std::io::stdout().write_all(&script);
                written.map_err(Error::Output)
            }
            Self::Man { dir } => {
                let written = clap_mangen::generate_to(definition, dir);
                written.map_err(Error::file("write into", dir))
            }
        }
    }
}
