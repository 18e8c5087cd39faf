//! What each command's help shows.

use clap::CommandFactory;

use super::Cli;

/// The options of [`Common`] that do something in a command; the others are not in its help.
/// They are understood all the same, so that a script may give one list to every command.
fn applicable(command: &str) -> Option<&'static [&'static str]> {
    const OFFLINE: &[&str] = &["home", "sandbox", "lang", "json"];
    const RECEIPTS: &[&str] = &["home", "sandbox", "ca", "ca_fingerprint", "lang", "json"];
    const SESSION: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "blackboard",
        "ca",
        "ca_fingerprint",
        "passphrase_file",
        "wait",
        "explain",
        "lang",
        "json",
    ];
    const PASSPHRASE: &[&str] = &["home", "sandbox", "passphrase_file", "lang", "json"];
    const ASSIGNMENTS: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "blackboard",
        "ca",
        "ca_fingerprint",
        "passphrase_file",
        "wait",
        "course",
        "assignment",
        "explain",
        "lang",
        "json",
    ];
    const AUDIT: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "ca",
        "ca_fingerprint",
        "passphrase_file",
        "lang",
        "json",
    ];
    const ENROL: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "blackboard",
        "ca",
        "ca_fingerprint",
        "codes",
        "passphrase_file",
        "wait",
        "explain",
        "lang",
        "json",
    ];
    const RENEW: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "ca",
        "ca_fingerprint",
        "passphrase_file",
        "wait",
        "explain",
        "lang",
        "json",
    ];
    match command {
        "verify" => Some(RECEIPTS),
        "receipts" | "download" | "cosign" | "withdraw" => Some(SESSION),
        "status" => Some(OFFLINE),
        "passphrase" => Some(PASSPHRASE),
        "assignments" | "history" | "grades" => Some(ASSIGNMENTS),
        "audit" => Some(AUDIT),
        "enrol" => Some(ENROL),
        "renew" => Some(RENEW),
        "generate" => Some(&[]),
        _ => None,
    }
}

/// The definition, with each command's help showing what applies to it.
pub(crate) fn definition() -> clap::Command {
    let definition = Cli::command();
    let global: Vec<_> = definition
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .cloned()
        .collect();
    definition.mut_subcommands(|command| {
        let Some(applicable) = applicable(command.get_name()) else {
            return command;
        };
        let idle = |argument: &&clap::Arg| !applicable.contains(&argument.get_id().as_str());
        let hidden = global.iter().filter(idle).cloned();
        command.args(hidden.map(|argument| argument.hide(true)))
    })
}
