//! `blackboard recover`: going on with logs whose newest entries are lost.
//!
//! What CUHK has seen stays: the commitments of the lost entries are taken over from it, an entry
//! says that they were lost, and no number is given twice. What they recorded comes back by its receipts.

mod from_receipt;
mod gaps;

use std::path::Path;

use scb_cli::{Failure, Home, Role, counted, load_config, say};
use scb_protocol::log_leaf::LogName;
use scb_transport::Clock;

use self::gaps::Gap;
use crate::arguments::Recover;
use crate::authority::{CuhkAddress, LogWitness, Missing, Trouble};
use crate::commands::lock;
use crate::config::Config;
use crate::serve::log_witness_of;
use crate::store::{Register, Store};

/// Says what is lost; with the number of lost entries as the operator's word it goes on.
pub(crate) async fn recover(
    home: &Path,
    command: &Recover,
    clock: std::sync::Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let home = Home::open(home, Role::Blackboard)?;
    if let Some(receipt) = &command.receipt {
        return from_receipt::restore(&home, (receipt, &command.files), clock.now()).await;
    }
    let _lock = lock(&home)?;
    let config = load_config::<Config>(&home)?;
    let cuhk = CuhkAddress::fixed(config.cuhk.clone().unwrap_or_default());
    let store = Store::open(&home)?;
    let now = clock.now();
    let mut witness = log_witness_of(&home, &store, &config, cuhk, clock).await?;
    let Missing { lost, foreign } = witness.lost().await.map_err(told)?;
    explain_foreign(&foreign)?;
    let gaps = Gap::all(&witness.logs, lost)?;
    if gaps.is_empty() && !foreign.is_empty() {
        return Err(under_another_key(foreign.len()).into());
    }
    if gaps.is_empty() {
        say("nothing to recover: every log begins with all that CUHK has seen of it")?;
        return Ok(());
    }
    explain(&gaps)?;
    let total: u64 = gaps.iter().map(Gap::count).sum();
    check_word(command.lose, total)?;
    let after = Register::open(&home, store.clone())?.skip_lost(total)?;
    say(&format!(
        "submissions go on after S-{after:06}: no number is given twice"
    ))?;
    for gap in &gaps {
        go_on(&home, &store, &mut witness, gap, now).await?;
    }
    say("`blackboard serve` can start again")?;
    store.close().await;
    Ok(())
}

/// Logs of a home of which nothing is left: their key is lost, so that nothing goes on after their entries.
fn explain_foreign(foreign: &[LogName]) -> anyhow::Result<()> {
    if foreign.is_empty() {
        return Ok(());
    }
    for log in foreign {
        say(&format!(
            "{log}  CUHK has seen it under another key than the one in this home"
        ))?;
    }
    for line in [
        "Those entries were signed with a key that is not here. Nothing goes on after them, and",
        "`recover --receipt` enters nothing: a log of this key has no place in which they were.",
        "  - A copy of the home that served before, or of its logs/key.pem, of whatever age, put back is",
        "    better than this, unless somebody has handed in to this home since: then `blackboard recover` goes",
        "    on, and receipts bring back what is lost.",
        "  - Nothing enters into that copy what was handed in to this home. If there is any, export it first",
        "    (`blackboard submissions export`: its receipts stay good, with their time). With the copy in its",
        "    place those groups hand in the same files again, under an extension that you give them.",
        "  - Without any copy: every receipt that was given stays good. Open the assignment under another",
        "    name, collect receipts and files (`student verify RECEIPT FILES`), and let the groups hand in the",
        "    same files there; the time that counts for them is in the receipt. OPERATIONS.md says each step",
        "    (\"A home of Blackboard is lost without any copy\").",
        "  - If only the key was lost and the entries are here: CUHK's operator types",
        "    cuhk witness accept-key KEY   (the key is in this server's log beside `log_key_changed`)",
    ] {
        say(line)?;
    }
    Ok(())
}

fn under_another_key(logs: usize) -> Failure {
    let logs = counted(logs as u64, "log");
    Failure::refused(format!(
        "CUHK knows {logs} under another key than this home's; nothing was changed"
    ))
    .with_remedy(
        "unless somebody has handed in to this home since (then export that first), put a copy of the home that \
         served before in its place, of whatever age it is",
    )
    .with_code("log_key_changed")
}

fn explain(gaps: &[Gap]) -> anyhow::Result<()> {
    for gap in gaps {
        say(&gap.told())?;
    }
    if gaps.iter().any(|gap| gap.published.is_some()) {
        say(
            "blackboard.db is older than HOME/logs, or was copied without blackboard.db-wal, which belongs beside it: \
             if you have that file still, put it back",
        )?;
    }
    for line in [
        "What was recorded there is lost here:",
        "  - submissions that were acknowledged since. Their receipts stay good, and prove what was",
        "    handed in and when: ask those groups for their receipts and the same files before they hand",
        "    in anything else, and enter each again, so that it counts from the time in the receipt:",
        "    blackboard recover --receipt S-000123.zip FILES   (once the server can start again)",
        "  - submissions whose receipt or files are gone: who hands in again does so by the time of then.",
        "    If the due time is over, first give them one that is still to come:",
        "    blackboard extension add ASSIGNMENT --course COURSE --student SID,SID --due TIME",
        "  - courses, rules of assignments and extensions entered since: enter them again",
        "  - grades, releases, and students taken out of a version since (`submissions detach`): that",
        "    version counts for them again until you enter it again",
        "A newer backup of this home, if there is one, is better than this: put it in its place.",
        "To go on without: the lost numbers stay taken, and each log says from then on that it",
        "was so (an entry `recovered`).",
    ] {
        say(line)?;
    }
    Ok(())
}

/// The operator's word is the number of entries that are lost.
fn check_word(word: Option<u64>, total: u64) -> Result<(), Failure> {
    let failure = match word {
        Some(word) if word == total => return Ok(()),
        Some(word) => format!("lost in all: {total}, not {word}; nothing was changed"),
        None => format!(
            "lost in all: {}; nothing was changed yet",
            counted(total, "entry")
        ),
    };
    Err(Failure::refused(failure)
        .with_remedy(format!(
            "look for a newer backup; if there is none: blackboard recover --lose {total}"
        ))
        .with_code("log_behind"))
}

async fn go_on(
    home: &Home,
    store: &Store,
    witness: &mut LogWitness,
    gap: &Gap,
    now: rustls_pki_types::UnixTime,
) -> anyhow::Result<()> {
    let scratch = home.path("logs/recovering");
    let mut commitments = match &gap.published {
        Some(published) => published.commitments()?,
        None => Vec::new(),
    };
    if let Some(seen) = &gap.seen {
        commitments.extend(witness.commitments(seen, &scratch).await.map_err(told)?);
    }
    store.recover_log(&gap.name, (gap.has, commitments), now)?;
    let next = gap.end + 1;
    Ok(say(&format!("{}  goes on with number {next}", gap.name))?)
}

fn told(trouble: Trouble) -> anyhow::Error {
    match trouble {
        Trouble::Astray(failure) => failure.into(),
        Trouble::Refused(refusal) => refusal.into(),
    }
}
