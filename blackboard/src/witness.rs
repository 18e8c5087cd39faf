//! `blackboard witness`: CUHK's issuance log as this server has seen it, beside what there is now.
//!
//! A log that contradicts what was seen is never gone on with in silence: its operator's word sets aside
//! what was seen, by its tree, and keeps it as evidence.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_cli::{Failure, Home, Role, counted, load_config, local_time, rfc3339, say};
use scb_protocol::audit::KnownLog;
use scb_tlog::Hash;
use scb_transport::Clock;
use serde_json::{Value, json};

use crate::arguments::WitnessCommand;
use crate::authority::{Comparison, CuhkAddress};
use crate::config::Config;
use crate::serve::witness_of;
use crate::store::{FormerLog, Store};
use crate::submissions::print_json;

/// Compares; and with the operator's word goes on with what there is now.
pub(crate) async fn run(
    home: &Path,
    command: &WitnessCommand,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let home = Home::open(home, Role::Blackboard)?;
    let config = load_config::<Config>(&home)?;
    let cuhk = CuhkAddress::fixed(config.cuhk.clone().unwrap_or_default());
    let (store, now) = (Store::open(&home)?, clock.now());
    let mut witness = witness_of(&home, &store, &config, cuhk, clock).await?;
    let compared = witness.compare().await?;
    let former = store.former_logs().await?;
    let done = match command {
        WitnessCommand::Show(output) if output.json => print_json(&as_json(&compared, &former)),
        WitnessCommand::Show(_) => print(&compared, &former),
        WitnessCommand::AcceptLog(command) => {
            print(&compared, &former)?;
            return accept(&store, compared, command.instead_of, now).await;
        }
    };
    done?;
    store.close().await;
    match (compared.contradiction, compared.seen) {
        (Some(_), Some(seen)) => Err(contradicted(&seen).into()),
        _ => Ok(()),
    }
}

/// The operator's word is the tree that was seen.
async fn accept(
    store: &Store,
    compared: Comparison,
    word: Option<Hash>,
    at: UnixTime,
) -> anyhow::Result<()> {
    let Comparison { seen, now, .. } = &compared;
    let (Some(seen), Some(_)) = (seen, &compared.contradiction) else {
        say("nothing to accept; nothing was changed")?;
        return Ok(());
    };
    match word {
        Some(word) if word == seen.head.root => {}
        Some(_) => return Err(another_tree(seen).into()),
        None => return Err(contradicted(seen).into()),
    }
    store.replace_log(seen.clone(), now, at).await?;
    store.close().await;
    let now = counted(now.known().head.size, "entry");
    Ok(say(&format!(
        "this server goes on with CUHK's log as it is now, {now}; what was seen before is kept as evidence"
    ))?)
}

fn contradicted(seen: &KnownLog) -> Failure {
    Failure::refused(
        "CUHK's issuance log does not begin with what this server has seen of it, and is not cosigned; \
         nothing was changed",
    )
    .with_remedy(remedy(seen))
    .with_code("log_forked")
}

fn another_tree(seen: &KnownLog) -> Failure {
    Failure::refused("this is not the tree that was seen here; nothing was changed")
        .with_remedy(remedy(seen))
        .with_code("log_forked")
}

fn remedy(seen: &KnownLog) -> String {
    format!(
        "ask CUHK's operator why: where its home was restored without the newest entries of the log, and \
         these are lost, `blackboard witness accept-log --instead-of {}` goes on with the log as it is now; \
         else keep this as evidence",
        seen.head.root
    )
}

fn print(compared: &Comparison, former: &[FormerLog]) -> anyhow::Result<()> {
    for log in former {
        let FormerLog { known, reason, .. } = log;
        let at = local_time(log.set_aside);
        print_log(&format!("set aside {at} ({reason})"), known)?;
    }
    match &compared.seen {
        Some(seen) => print_log("seen here", seen)?,
        None => say("seen here  nothing yet")?,
    }
    print_log("CUHK now", &compared.now.known())?;
    let told = match &compared.contradiction {
        None => "CUHK's log begins with all that was seen here".to_owned(),
        Some(why) => format!("CUHK's log does NOT begin with what was seen here: {why}"),
    };
    Ok(say(&told)?)
}

fn print_log(what: &str, log: &KnownLog) -> anyhow::Result<()> {
    let (entries, tree) = (counted(log.head.size, "entry"), log.head.root);
    say(&format!("{what}  {entries}, tree {tree}"))?;
    Ok(say(&format!("  key {}", log.key))?)
}

fn as_json(compared: &Comparison, former: &[FormerLog]) -> Value {
    let former = former.iter().map(|log| {
        let mut told = log_as_json(&log.known);
        told["checkpoint"] = log.checkpoint.clone().into();
        told["set_aside"] = rfc3339(log.set_aside).into();
        told["reason"] = log.reason.clone().into();
        told
    });
    json!({
        "seen": compared.seen.as_ref().map(log_as_json),
        "now": log_as_json(&compared.now.known()),
        "checkpoint": compared.now.checkpoint().to_string(),
        "forked": compared.contradiction.as_ref().map(ToString::to_string),
        "set_aside": former.collect::<Vec<_>>(),
    })
}

fn log_as_json(log: &KnownLog) -> Value {
    json!({
        "key": log.key.to_string(),
        "entries": log.head.size,
        "tree": log.head.root.to_string(),
    })
}
