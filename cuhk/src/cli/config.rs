//! `cuhk --print-config`

use std::path::Path;

use scb_cli::{Failure, load_config, say};

use crate::{Config, Error, open_home};

/// Prints the commented file with what is in force: the home's configuration, or the defaults
/// if there is no home yet, and over it what the command line says.
pub(super) fn print(dir: &Path, overrule: impl FnOnce(&mut Config)) -> Result<(), Failure> {
    let mut config = match open_home(dir) {
        Ok(home) => load_config(&home)?,
        Err(Error::NotInitialised { .. }) => Config::default(),
        Err(error) => return Err(error.into()),
    };
    overrule(&mut config);
    Ok(say(config.to_toml().trim_end())?)
}
