//! What a run works with: home, servers, root. Flag before sandbox before environment variable
//! before what is remembered.

mod clock;
mod roots;

use std::path::PathBuf;
use std::sync::Arc;

use scb_certs::{Certificate, Fingerprint, ServiceName, SpiffeId, TrustStore};
use scb_cli::{Role, Sandbox};
use scb_transport::ServerTrust;

pub(crate) use roots::verification_roots;

use self::clock::HeardTime;
use crate::cli::{Common, address};
use crate::fault::{Fault, FaultChoice};
use crate::group::USUAL_MEMBERS;
use crate::home::StudentHome;
use crate::trace::Recorder;
use crate::{CodeSheet, Config, Error, Group, Observer};

/// The variables that name the servers where no flag does.
const CUHK: &str = "SCB_STUDENT_CUHK";
const BLACKBOARD: &str = "SCB_STUDENT_BLACKBOARD";

/// How much is known about the root.
#[derive(Clone, Debug)]
enum Root {
    Unknown,
    Fingerprint(Fingerprint),
    Known(Arc<TrustStore>),
}

/// Addresses and root, to go back to if others do not prove to be right.
#[derive(Debug)]
pub(crate) struct Acquaintance {
    given: Config,
    root: Root,
}

/// Everything about the surroundings of a run.
#[derive(Debug)]
pub struct Setup {
    /// Keys, certificates, pending hand-ins.
    pub home: StudentHome,
    /// Where receipts are kept.
    pub receipts: PathBuf,
    /// The sandbox, if it is one.
    pub sandbox: Option<Sandbox>,
    /// What is done wrong on purpose; only in a sandbox.
    pub(crate) fault: Option<Fault>,
    /// Who looks on, for a trace.
    pub(crate) recorder: Option<Recorder>,
    /// Addresses from the command line or the prompt.
    given: Config,
    remembered: Config,
    root: Root,
    root_remembered: bool,
    /// Roots from a file that names one that is known, and others: whom to ask about them.
    introduced: Option<Arc<TrustStore>>,
    /// Whether somebody has vouched for a root that is not remembered yet.
    root_vouched: bool,
    heard: HeardTime,
}

impl Setup {
    /// From the command line, the sandbox and the home, which is made if it is not there. The
    /// code sheet may vouch for the root.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRoot`] if two of them name different roots, [`Error::RootFile`],
    /// [`Error::FaultOutsideSandbox`], [`Error::HomeInSandbox`], [`Error::Cli`].
    pub fn new(common: &Common, sheet: Option<&CodeSheet>) -> Result<Self, Error> {
        let sandbox = common.sandbox.as_deref().map(Sandbox::open).transpose()?;
        let fault = match common.fault {
            Some(_) if sandbox.is_none() => return Err(Error::FaultOutsideSandbox),
            Some(FaultChoice::One(fault)) => Some(fault),
            Some(FaultChoice::List) | None => None,
        };
        let dir = match &sandbox {
            Some(_) if common.home.home.is_some() => return Err(Error::HomeInSandbox),
            Some(sandbox) => sandbox.student_home(),
            None => common.home.resolve(Role::Student),
        };
        let home = StudentHome::create(&dir)?;
        let receipts = match &sandbox {
            Some(sandbox) => sandbox.receipts(),
            None => home.receipts_dir(),
        };
        let mut setup = Self {
            receipts,
            given: Config {
                cuhk: given(common.cuhk.as_ref(), CUHK, sandbox.is_some())?,
                blackboard: given(common.blackboard.as_ref(), BLACKBOARD, sandbox.is_some())?,
                max_members: None,
                max_bytes: None,
            },
            remembered: home.config()?,
            root: Root::Unknown,
            root_remembered: false,
            introduced: None,
            root_vouched: false,
            heard: HeardTime::default(),
            fault,
            recorder: None,
            sandbox,
            home,
        };
        setup.find_root(common, sheet)?;
        Ok(setup)
    }

    /// Where CUHK listens.
    ///
    /// # Errors
    ///
    /// [`Error::NoAddress`]; [`Error::Cli`] if the sandbox's server is not up.
    pub fn cuhk(&self) -> Result<String, Error> {
        if let Some(given) = &self.given.cuhk {
            return Ok(given.clone());
        }
        if let Some(sandbox) = &self.sandbox {
            return Ok(sandbox.cuhk_address()?.to_string());
        }
        self.remembered.cuhk.clone().ok_or(Error::NoAddress {
            service: "CUHK",
            flag: "--cuhk",
        })
    }

    /// Where Blackboard listens.
    ///
    /// # Errors
    ///
    /// As [`Setup::cuhk`].
    pub fn blackboard(&self) -> Result<String, Error> {
        if let Some(given) = &self.given.blackboard {
            return Ok(given.clone());
        }
        if let Some(sandbox) = &self.sandbox {
            return Ok(sandbox.blackboard_address()?.to_string());
        }
        self.remembered.blackboard.clone().ok_or(Error::NoAddress {
            service: "Blackboard",
            flag: "--blackboard",
        })
    }

    /// Takes CUHK's address and the root's fingerprint as somebody typed them, on trial.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRoot`].
    pub(crate) fn propose_cuhk(
        &mut self,
        address: Option<String>,
        root: Option<Fingerprint>,
    ) -> Result<(), Error> {
        if address.is_some() {
            self.given.cuhk = address;
        }
        root.map_or(Ok(()), |root| self.claim(root))
    }

    /// Takes Blackboard's address as somebody typed it, on trial.
    pub(crate) fn propose_blackboard(&mut self, address: String) {
        self.given.blackboard = Some(address);
    }

    /// Whom this run takes for CUHK and Blackboard.
    pub(crate) fn acquaintance(&self) -> Acquaintance {
        Acquaintance {
            given: self.given.clone(),
            root: self.root.clone(),
        }
    }

    /// Back to whom it took for them before.
    pub(crate) fn restore(&mut self, before: Acquaintance) {
        self.given = before.given;
        self.root = before.root;
    }

    /// Takes note of the largest group and of the largest hand-in that Blackboard takes, as it
    /// said itself.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn hear_limits(&mut self, members: u8, bytes: u64) -> Result<(), Error> {
        let said = (Some(members), Some(bytes));
        if (self.remembered.max_members, self.remembered.max_bytes) != said {
            (self.remembered.max_members, self.remembered.max_bytes) = said;
            self.home.save_config(&self.remembered)?;
        }
        Ok(())
    }

    /// The most bytes that Blackboard takes in one hand-in, if it has said so.
    pub fn max_bytes(&self) -> Option<u64> {
        self.remembered.max_bytes
    }

    /// The largest group that Blackboard takes, as far as it is known here.
    pub fn max_members(&self) -> u8 {
        self.remembered.max_members.unwrap_or(USUAL_MEMBERS)
    }

    /// Whether a code may be used up for this group: not if it cannot hand in anyway.
    ///
    /// # Errors
    ///
    /// [`Error::GroupTooLarge`].
    pub(crate) fn check_size(&self, group: &Group) -> Result<(), Error> {
        let (got, limit) = (group.ids().len(), self.max_members());
        if got <= usize::from(limit) {
            return Ok(());
        }
        Err(Error::GroupTooLarge {
            ids: group.listed().replace(", ", ","),
            got,
            limit,
            said: self.remembered.max_members.is_some(),
        })
    }

    /// Takes in what another program of this home has learned since this one began. The home must
    /// be locked.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRoot`], [`Error::RootFile`], [`Error::Cli`].
    pub(crate) fn catch_up(&mut self) -> Result<(), Error> {
        self.remembered = self.home.config()?;
        if self.root_remembered {
            return Ok(());
        }
        let roots = self.home.roots()?;
        if roots.is_empty() {
            return Ok(());
        }
        let store = TrustStore::of_roots(roots)?;
        let given = self.fingerprint();
        if let Some(given) = given.filter(|given| !roots::is_root_of(&store, given)) {
            let remembered = store.root().fingerprint();
            return Err(Error::OtherRoot { remembered, given });
        }
        self.root = Root::Known(Arc::new(store));
        self.root_remembered = true;
        Ok(())
    }

    /// Keeps others out of the home again, if they had been, and takes in what they left there.
    ///
    /// # Errors
    ///
    /// As [`Self::catch_up`], and [`Error::HomeBusy`].
    pub(crate) async fn keep_out_again(
        &mut self,
        were_kept_out: bool,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        if !were_kept_out {
            return Ok(());
        }
        self.home.keep_out_again(observer).await?;
        self.catch_up()
    }

    /// What was given and not proved by a server is asked for again.
    pub(crate) fn forget_unproved(&mut self) {
        self.given = Config::default();
        if !self.root_remembered {
            self.root = Root::Unknown;
        }
    }

    /// The root's fingerprint, as far as it is known.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.root {
            Root::Unknown => None,
            Root::Fingerprint(fingerprint) => Some(*fingerprint),
            Root::Known(store) => Some(store.root().fingerprint()),
        }
    }

    /// The trust store, once the root itself is known.
    pub fn trust(&self) -> Option<&Arc<TrustStore>> {
        match &self.root {
            Root::Known(store) => Some(store),
            Root::Unknown | Root::Fingerprint(_) => None,
        }
    }

    /// As [`Setup::trust`], where it cannot be done without.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoot`].
    pub(crate) fn require_trust(&self) -> Result<Arc<TrustStore>, Error> {
        self.trust().cloned().ok_or(Error::NoRoot)
    }

    /// As [`Setup::require_trust`], where CUHK itself has just shown the root that is meant.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoot`], [`Error::Certs`].
    pub(crate) fn trust_under(&self, root: Option<&Certificate>) -> Result<Arc<TrustStore>, Error> {
        match (self.trust(), root) {
            (Some(store), _) => Ok(Arc::clone(store)),
            (None, Some(root)) => Ok(Arc::new(TrustStore::new(root.clone())?)),
            (None, None) => Err(Error::NoRoot),
        }
    }

    /// How servers are recognised.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoot`].
    pub fn server_trust(&self) -> Result<ServerTrust, Error> {
        match &self.root {
            Root::Unknown => Err(Error::NoRoot),
            Root::Fingerprint(fingerprint) => Ok(ServerTrust::Fingerprint(*fingerprint)),
            Root::Known(store) => Ok(ServerTrust::Pinned(Arc::clone(store))),
        }
    }

    /// CUHK proved itself at this address under this root: both are remembered.
    ///
    /// # Errors
    ///
    /// [`Error::Certs`], [`Error::Cli`].
    pub(crate) fn cuhk_proved(&mut self, root: Option<&Certificate>) -> Result<(), Error> {
        if let (Root::Fingerprint(_), Some(root)) = (&self.root, root) {
            self.root = Root::Known(Arc::new(TrustStore::new(root.clone())?));
        }
        let given = self.given.cuhk.clone();
        self.remember(given, |config| &mut config.cuhk)
    }

    /// Blackboard proved itself at this address: it is remembered.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn blackboard_proved(&mut self) -> Result<(), Error> {
        let given = self.given.blackboard.clone();
        if given.is_some() && given != self.remembered.blackboard {
            // Another Blackboard, other limits.
            self.remembered.max_members = None;
            self.remembered.max_bytes = None;
        }
        self.remember(given, |config| &mut config.blackboard)
    }

    /// A sandbox says anew where its servers are: nothing is remembered there.
    fn remember(
        &mut self,
        given: Option<String>,
        field: impl Fn(&mut Config) -> &mut Option<String>,
    ) -> Result<(), Error> {
        if self.sandbox.is_some() {
            return Ok(());
        }
        let is_new = !self.root_remembered || self.root_vouched;
        if let (true, Root::Known(store)) = (is_new, &self.root) {
            self.home.save_roots(store.roots())?;
            (self.root_remembered, self.root_vouched) = (true, false);
        }
        let place = field(&mut self.remembered);
        if given.is_some() && *place != given {
            *place = given;
            self.home.save_config(&self.remembered)?;
        }
        Ok(())
    }
}

/// The flag, else the environment variable; a sandbox knows better where its servers are.
fn given(
    flag: Option<&String>,
    variable: &'static str,
    sandbox: bool,
) -> Result<Option<String>, Error> {
    let set = std::env::var_os(variable).filter(|value| !value.is_empty());
    match (flag, set) {
        (Some(flag), _) => Ok(Some(flag.clone())),
        (None, Some(value)) if !sandbox => match address(&value.to_string_lossy()) {
            Ok(address) => Ok(Some(address)),
            Err(reason) => Err(Error::Environment { variable, reason }),
        },
        (None, _) => Ok(None),
    }
}

/// Where the receipts of this run's home or sandbox are; makes no home.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn receipts_dir(common: &Common) -> Result<PathBuf, Error> {
    Ok(match &common.sandbox {
        Some(dir) => Sandbox::open(dir)?.receipts(),
        None => common.home.resolve(Role::Student).join("receipts"),
    })
}

/// The name of a service of the trust domain.
pub(crate) fn service_id(trust: &TrustStore, name: &ServiceName) -> SpiffeId {
    SpiffeId::new_service(trust.trust_domain(), name)
}
