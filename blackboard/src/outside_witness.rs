//! A witness besides CUHK: each checkpoint that CUHK has cosigned is offered to it over HTTP (C2SP
//! tlog-witness), and its cosignature is verified before anybody sees it.
//!
//! A task of its own per witness: one that is away, or says what cannot be, delays nobody but the
//! receipts that cannot be complete without it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use scb_cli::Home;
use scb_protocol::CLOCK_SKEW;
use scb_protocol::log_leaf::LogName;
use scb_tlog::{
    AddCheckpoint, Cosignature, Error as LogError, SignatureLine, VerifierKey, read_tree_size,
};
use scb_transport::{Clock, HttpAnswer, HttpClient, HttpError};
use tokio::time::{Instant, sleep};

use crate::config::{Config, NamedWitness, WitnessPolicyError};
use crate::logs::Logs;
use crate::store::{self, Asked};
use crate::witnessed::tally::COSIGNED;
use crate::witnessed::{Cosigned, Witnessed};

/// Between two looks, if nothing tells that there is something new; and after it was away.
const PERIOD: Duration = Duration::from_secs(1);
/// For how long a log is left alone about which it said what cannot be.
const PAUSE: Duration = Duration::from_secs(30);
/// How long one question may take, the connection included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer: some lines of signatures.
const MAX_ANSWER: usize = 16 * 1024;
/// The type of an answer that is a size.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// The task that has one witness cosign.
pub(crate) struct OutsideWitness {
    /// Its key.
    pub(crate) key: VerifierKey,
    /// Who speaks to it.
    pub(crate) client: HttpClient,
    /// The logs.
    pub(crate) logs: Logs,
    /// Knows what is offered, and is told what was cosigned.
    pub(crate) witnessed: Witnessed,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// What is known of each log.
    pub(crate) known: BTreeMap<LogName, Known>,
}

/// What is known of a log in this run.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// How many entries it has cosigned, as far as is known; what it says otherwise counts.
    seen: u64,
    /// Until when it is left alone.
    paused: Option<Instant>,
    /// What came of the last question, and how many entries it had cosigned by then.
    noted: Option<(&'static str, u64)>,
}

/// What it answered, if that makes sense.
enum Answer {
    /// It cosigned.
    Cosigned(SignatureLine, Cosignature),
    /// It has cosigned another number of entries than was thought.
    Seen(u64),
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// No answer, or none that could be read.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The log has no proof for it.
    #[error(transparent)]
    Log(#[from] store::Error),
    /// The answer is none of a witness, or is about something else.
    #[error("its answer is wrong")]
    Answer(#[from] LogError),
    /// Not text.
    #[error("its answer is not text")]
    NotText,
    /// 404: nobody has told it of this log.
    #[error("it does not know this log (404)")]
    Unknown,
    /// 403: it knows the log under another key.
    #[error("it knows this log under another key (403)")]
    OtherKey,
    /// 422 or 409: another tree than the one that it has cosigned.
    #[error("it says that the log does not extend what it has cosigned of it ({0})")]
    NotGrown(u16),
    /// Any other status.
    #[error("it answers {0}")]
    Status(u16),
    /// It has cosigned more than there is.
    #[error("it says that it has cosigned {seen} entries, and there are {offered}")]
    Ahead {
        /// What it says.
        seen: u64,
        /// What was offered.
        offered: u64,
    },
    /// Its clock is wrong: a receipt with that time would not verify.
    #[error("its clock is wrong: it cosigned at {time}, now it is {now} (seconds since 1970)")]
    Clock {
        /// Its time.
        time: u64,
        /// The time here.
        now: u64,
    },
}

/// One task for each that is named.
///
/// # Errors
///
/// As for [`NamedWitness::client`].
pub(crate) fn outside_witnesses(
    home: &Home,
    config: &Config,
    (logs, witnessed): (&Logs, &Witnessed),
    clock: &Arc<dyn Clock>,
) -> Result<Vec<OutsideWitness>, WitnessPolicyError> {
    let witness = |named: &NamedWitness| {
        Ok(OutsideWitness {
            key: named.key.clone(),
            client: named.client(home)?,
            logs: logs.clone(),
            witnessed: witnessed.clone(),
            clock: Arc::clone(clock),
            known: BTreeMap::new(),
        })
    };
    config.witnesses.iter().map(witness).collect()
}

/// What to do about a witness that did not cosign, by the word for why.
pub(crate) fn remedy(word: &str) -> &'static str {
    match word {
        "away" => "see whether it runs, and whether `url` and `ca` in config.toml are right",
        "answer" | "status" => "compare `url` and `key` in config.toml with what its operator says",
        "own_log" => "see `blackboard fsck`",
        "log_unknown" => "give its operator the log's key: `blackboard logs`",
        "log_key" => "ask its operator which key it has; `blackboard logs` shows the right one",
        "log_forked" => {
            "keep this home as evidence and find out which history is the right one; if this server \
             was put back from a backup, see `blackboard recover`"
        }
        "ahead" => {
            "if this server was put back from a backup, put back a newer one; if there is none, or it \
             never had more entries, ask its operator to forget this log, or name another witness in \
             config.toml: until then its receipts wait"
        }
        "clock" => "its operator sets its clock, if the one here is right",
        _ => "",
    }
}

impl Error {
    /// A word for the numbers.
    fn word(&self) -> &'static str {
        match self {
            error if error.is_away() => "away",
            Self::Http(_) | Self::NotText | Self::Answer(_) => "answer",
            Self::Log(_) => "own_log",
            Self::Unknown => "log_unknown",
            Self::OtherKey => "log_key",
            Self::NotGrown(_) => "log_forked",
            Self::Status(_) => "status",
            Self::Ahead { .. } => "ahead",
            Self::Clock { .. } => "clock",
        }
    }

    /// What to do about it.
    fn remedy(&self) -> &'static str {
        remedy(self.word())
    }

    /// Whether nothing can be said about the log.
    fn is_away(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_away())
            || matches!(self, Self::Status(500..=599 | 429))
    }
}

impl OutsideWitness {
    /// Offers what there is, again and again. What is wrong is logged, and tried again after a while.
    pub(crate) async fn run(mut self) {
        let (name, url) = (self.key.name().clone(), self.client.url().clone());
        tracing::info!("{name} at {url} is asked to cosign this server's logs");
        let (mut changes, mut is_away) = (self.witnessed.changes(), false);
        loop {
            changes.mark_known();
            match self.look().await {
                Ok(()) => {
                    if is_away {
                        tracing::info!("the witness {name} answers again");
                    }
                    is_away = false;
                    self.witnessed.answers(&self.key);
                    changes.next_within(PERIOD).await;
                }
                Err(away) => {
                    if !is_away {
                        let error = anyhow::Error::new(away);
                        tracing::warn!("the witness {name} at {url} is away: {error:#}");
                    }
                    is_away = true;
                    self.witnessed.is_away(&self.key);
                    sleep(PERIOD).await;
                }
            }
        }
    }

    /// Offers everything that it has not cosigned. An error: it is away.
    async fn look(&mut self) -> Result<(), Error> {
        for (log, offered) in self.witnessed.offered_to(&self.key) {
            if self.is_paused(&log) {
                continue;
            }
            let came = self.offer(&log, &offered).await;
            let end = came.as_ref().map_or_else(Error::word, |()| COSIGNED);
            let name = self.key.name().to_string();
            self.witnessed.tally().count(&name, end);
            let seen = match &came {
                Err(Error::Ahead { seen, .. }) => *seen,
                _ => self.known(&log).seen,
            };
            self.note(&log, (end, seen)).await;
            match came {
                Ok(()) => {}
                Err(error) if error.is_away() => return Err(error),
                Err(error) => self.leave_alone(&log, error),
            }
        }
        Ok(())
    }

    /// Notes what came of a question, if it is something else than before.
    async fn note(&mut self, log: &LogName, came: (&'static str, u64)) {
        if self.known(log).noted.replace(came) == Some(came) {
            return;
        }
        let asked = Asked {
            witness: self.key.name().to_string(),
            outcome: came.0.to_owned(),
            seen: came.1,
            at: self.clock.now(),
        };
        if let Err(error) = self.logs.keep_asked(log, asked).await {
            tracing::warn!("what came of asking a witness was not kept: {error}");
        }
    }

    fn leave_alone(&mut self, log: &LogName, error: Error) {
        let name = self.key.name();
        if matches!(error, Error::Ahead { .. }) {
            self.witnessed.offer_newest(log);
        }
        let remedy = error.remedy();
        let error = anyhow::Error::new(error);
        tracing::error!("the witness {name} did not cosign {log}: {error:#}; {remedy}");
        self.known(log).paused = Some(Instant::now() + PAUSE);
    }

    /// One checkpoint. Where it begins is asked once.
    async fn offer(&mut self, log: &LogName, offered: &Arc<Cosigned>) -> Result<(), Error> {
        let size = offered.checkpoint.size();
        let mut old = self.known(log).seen.min(size);
        let mut answer = self.ask(log, offered, old).await?;
        if let Answer::Seen(seen) = answer
            && seen != old
        {
            if seen > size {
                let offered = size;
                return Err(Error::Ahead { seen, offered });
            }
            old = seen;
            answer = self.ask(log, offered, old).await?;
        }
        let Answer::Cosigned(line, cosignature) = answer else {
            return Err(Error::NotGrown(409));
        };
        self.check_clock(cosignature)?;
        let said = (line.clone(), &self.key);
        self.witnessed.add(log, offered, said)?;
        let name = self.key.name().to_string();
        self.witnessed.tally().cosigned(&name, cosignature.time());
        self.logs.keep_cosignature(log, offered, line).await?;
        self.known(log).seen = size;
        Ok(())
    }

    async fn ask(&self, log: &LogName, offered: &Cosigned, old: u64) -> Result<Answer, Error> {
        let checkpoint = offered.checkpoint.checkpoint().clone();
        let growth = self.logs.growth(log, old, checkpoint.head().size).await?;
        let request = AddCheckpoint::new(checkpoint, old, growth);
        let asked = self
            .client
            .post("add-checkpoint", request.body(), MAX_ANSWER, PATIENCE);
        self.read(&request, asked.await?)
    }

    fn read(&self, request: &AddCheckpoint, answer: HttpAnswer) -> Result<Answer, Error> {
        let is_size = answer.content_type.as_deref() == Some(SIZE_TYPE);
        let body = || String::from_utf8(answer.body).map_err(|_| Error::NotText);
        match answer.status {
            200 => {
                let (line, cosignature) = request.cosignature(&body()?, &self.key)?;
                Ok(Answer::Cosigned(line, cosignature))
            }
            409 if is_size => Ok(Answer::Seen(read_tree_size(&body()?)?)),
            404 => Err(Error::Unknown),
            403 => Err(Error::OtherKey),
            status @ (409 | 422) => Err(Error::NotGrown(status)),
            status => Err(Error::Status(status)),
        }
    }

    /// What a receipt carries must not be before its entry, nor in the future.
    fn check_clock(&self, cosignature: Cosignature) -> Result<(), Error> {
        let (time, now) = (cosignature.time(), self.clock.now().as_secs());
        match time.abs_diff(now) <= CLOCK_SKEW {
            true => Ok(()),
            false => Err(Error::Clock { time, now }),
        }
    }

    fn known(&mut self, log: &LogName) -> &mut Known {
        self.known.entry(log.clone()).or_default()
    }

    fn is_paused(&self, log: &LogName) -> bool {
        let until = self.known.get(log).and_then(|known| known.paused);
        until.is_some_and(|until| Instant::now() < until)
    }
}
