//! `cuhk serve`

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args as _, FromArgMatches as _};
use scb_certs::Passphrase;
use scb_cli::fault::{self, FaultTable as _};
use scb_cli::{
    Failure, Home, HomeArgs, Role, Sandbox, counted, for_stderr, loopback_only, say, write_ready,
};
use scb_explain::ExplainArgs;
use scb_protocol::{Fact, Step, StepEvent};
use scb_transport::telemetry::{self, LogFormat};
use scb_transport::{Limits, Shutdown, SystemClock, tell_service_manager};

use super::passphrases::IssuersPassphrase;
use super::{ClockCheck, config, now, require_own};
use crate::addresses::listen_address;
use crate::fault::{Fault, FaultChoice};
use crate::monitor::Watch;
use crate::{Config, Error, Server, Unlocked, open_home, sandbox};

const EXAMPLES: &str = "\
Examples:
  cuhk serve                                   asks for the passphrase
  cuhk serve --listen 0.0.0.0:8011 --passphrase-file /run/credentials/cuhk
  cuhk serve --http 0.0.0.0:8012               CA certificates and revocation lists as well
  cuhk serve --metrics 127.0.0.1:8013          health and numbers, for Prometheus
  cuhk serve --sandbox /tmp/scb                everything made there, loopback only
  cuhk serve --sandbox /tmp/scb --explain      each step in plain words, for a class";

/// Where a sandbox publishes unless told otherwise.
const ANY_LOOPBACK_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", Fault::NAMES))]
pub(super) struct Arguments {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8011]
    #[arg(long, value_name = "ADDR", env = "SCB_CUHK_LISTEN", value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// Publish CA certificates and revocation lists at this address, HTTP without TLS; port 0
    /// takes a free one [default: config.toml, else nowhere; in a sandbox a free port]
    #[arg(long, value_name = "ADDR", env = "SCB_CUHK_HTTP", value_parser = listen_address)]
    http: Option<SocketAddr>,
    /// Answer /healthz, /readyz and /metrics at this address, HTTP without TLS, for your
    /// monitoring; port 0 takes a free one [default: config.toml, else nowhere]
    #[arg(long, value_name = "ADDR", env = "SCB_CUHK_METRICS", value_parser = listen_address)]
    metrics: Option<SocketAddr>,
    /// Write the bound address to this file once the server is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Likewise the address of --http
    #[arg(long, value_name = "FILE")]
    http_ready_file: Option<PathBuf>,
    #[command(flatten)]
    passphrase: IssuersPassphrase,
    /// Most connections at once; one more is told to come back later [default: config.toml,
    /// else 4096]
    #[arg(long, value_name = "N", value_parser = Limits::parse_max_connections)]
    max_connections: Option<usize>,
    /// In a sandbox: do this wrong, and see what refuses it; `help` says what each of those below
    /// does
    #[arg(long, value_name = "NAME")]
    fault: Option<FaultChoice>,
    /// Print the configuration in force with these arguments, each option explained, and end
    #[arg(long, conflicts_with = "sandbox")]
    print_config: bool,
    /// Make or use a throw-away CA with 12 sample students in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "passphrase_file")]
    sandbox: Option<PathBuf>,
    /// Log lines for people (text) or for machines (json)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log: LogFormat,
    /// error, warn, info, debug or trace [default: info, or SCB_LOG]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    #[command(flatten)]
    explain: ExplainArgs,
}

impl Arguments {
    /// As `cuhk serve` has them without a flag: from the environment. Ends the process if a variable
    /// says nothing that can be understood.
    pub(super) fn of_environment() -> Self {
        let command = Self::augment_args(clap::Command::new("cuhk serve"));
        let matches = command.get_matches_from(["cuhk serve"]);
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// What is said here comes before what the file says.
    pub(super) fn overrule(&self, config: &mut Config) {
        config.listen = self.listen.or(config.listen);
        config.http = self.http.or(config.http);
        config.metrics = self.metrics.or(config.metrics);
        if let Some(most) = self.max_connections {
            config.limits.max_connections = most;
        }
    }
}

pub(super) fn run(home: &HomeArgs, clock: ClockCheck, arguments: Arguments) -> Result<(), Failure> {
    let fault = match arguments.fault {
        Some(FaultChoice::List) => return Ok(fault::list::<Fault>("CUHK")?),
        Some(FaultChoice::One(fault)) => Some(fault),
        None => None,
    };
    if fault.is_some() && arguments.sandbox.is_none() {
        return Err(
            Failure::usage("faults on purpose are for a sandbox").with_remedy("add --sandbox DIR")
        );
    }
    if arguments.print_config {
        return config::print(&home.resolve(Role::Cuhk), |config| {
            arguments.overrule(config)
        });
    }
    let level = arguments.log_level.as_deref();
    telemetry::init(arguments.log, level, for_stderr).map_err(Error::from)?;
    if let Some(language) = arguments.explain.wanted() {
        telemetry::explain(move |event| scb_explain::lines(event, language));
    }
    let place = Place::find(home, &arguments)?;
    let mut unlocked = Unlocked::open(place.home, &place.passphrase)?;
    if let Some(fault) = fault {
        say(&format!("FAULT {fault}: {}", fault.done()))?;
        unlocked.commit(fault);
    }
    unlocked.check_clock(clock, now())?;
    if let Some(most) = arguments.max_connections {
        unlocked.limit_connections(most);
    }
    place.ready.forget()?;
    let listen = unlocked.listen_address(arguments.listen);
    let mut http = unlocked.http_address(arguments.http);
    let metrics = unlocked.metrics_address(arguments.metrics);
    if arguments.sandbox.is_some() {
        let http = *http.get_or_insert(ANY_LOOPBACK_PORT);
        let addresses = [Some(listen), Some(http), metrics];
        addresses
            .into_iter()
            .flatten()
            .try_for_each(loopback_only)?;
    }
    let addresses = Addresses {
        listen,
        http,
        metrics,
    };
    warn(&unlocked, &addresses, clock)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::fault(format!("cannot start: {error}")))?;
    runtime.block_on(serve(unlocked, addresses, &place.ready))
}

/// Says in the log what an operator should look at before anybody comes.
fn warn(unlocked: &Unlocked, addresses: &Addresses, clock: ClockCheck) -> Result<(), Failure> {
    for warning in unlocked.lost_settings() {
        tracing::warn!("{warning}");
    }
    let unpublished = match addresses.http {
        Some(_) => None,
        None => unlocked.unpublished(),
    };
    let found = [
        unlocked.uncovered(addresses.listen),
        unpublished,
        unlocked.doubted_clock(clock, now())?,
        unlocked.behind()?,
    ];
    for warning in found.into_iter().flatten() {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// Where everything is served.
struct Addresses {
    listen: SocketAddr,
    http: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

/// What is served, and who is told when it is ready.
struct Place {
    home: Home,
    passphrase: Passphrase,
    ready: ReadyFiles,
}

/// The files that say where the server listens, once it does.
#[derive(Default)]
struct ReadyFiles {
    tls: Vec<PathBuf>,
    http: Vec<PathBuf>,
}

impl ReadyFiles {
    fn write(&self, server: &Server) -> Result<(), Failure> {
        for file in &self.tls {
            write_ready(file, server.local_addr())?;
        }
        if let Some(address) = server.http_addr() {
            for file in &self.http {
                write_ready(file, address)?;
            }
        }
        Ok(())
    }

    /// An address file from an earlier run would send others to a server that is gone.
    fn forget(&self) -> Result<(), Failure> {
        self.tls
            .iter()
            .chain(&self.http)
            .try_for_each(|file| forget(file))
    }
}

impl Place {
    fn find(home: &HomeArgs, arguments: &Arguments) -> Result<Self, Failure> {
        let mut ready = ReadyFiles {
            tls: arguments.ready_file.iter().cloned().collect(),
            http: arguments.http_ready_file.iter().cloned().collect(),
        };
        if let Some(dir) = &arguments.sandbox {
            if home.home.is_some() {
                return Err(Failure::usage(
                    "--sandbox has a home of its own: leave --home out",
                ));
            }
            if let Some(listen) = arguments.listen {
                loopback_only(listen)?;
            }
            let sandbox = Sandbox::create(dir)?;
            let (home, passphrase) = sandbox::prepare(&sandbox, now())?;
            tracing::warn!("{}", sandbox.banner());
            ready.tls.push(sandbox.cuhk_address_file());
            ready.http.push(sandbox.cuhk_http_address_file());
            return Ok(Self {
                home,
                passphrase,
                ready,
            });
        }
        let dir = home.resolve(Role::Cuhk);
        require_own(&dir)?;
        let home = open_home(&dir)?;
        Ok(Self {
            home,
            passphrase: arguments.passphrase.read()?,
            ready,
        })
    }
}

async fn serve(
    unlocked: Unlocked,
    addresses: Addresses,
    ready: &ReadyFiles,
) -> Result<(), Failure> {
    let shutdown = Shutdown::on_signals().map_err(Error::from)?;
    let watch = watch(addresses.metrics, &shutdown).await?;
    let (store, root) = (unlocked.store().clone(), unlocked.root()?.fingerprint());
    let mut server = Server::bind(unlocked, addresses.listen, Arc::new(SystemClock)).await?;
    if let Some(http) = addresses.http {
        server = server.publish_at(http).await?;
    }
    if let Some(watch) = &watch {
        server.watched_by(watch);
    }
    let address = server.local_addr();
    let students = store
        .read(|records| records.roster().count_active())
        .await?;
    // Whoever reads `listening on` may rely on the files.
    ready.write(&server)?;
    telemetry::emit(&StepEvent::new(
        Step::Zero,
        Fact::Listening { address, root },
    ));
    if let Some(http) = server.http_addr() {
        say(&format!(
            "cuhk  step 0  CA certificates and revocation lists at http://{http}"
        ))?;
    }
    say(&format!(
        "cuhk  step 0  {}, listening on {address}",
        counted(students, "student")
    ))?;
    tell_service_manager(address, &shutdown);
    server.run(shutdown).await;
    if let Some(watch) = watch {
        watch.stop().await;
    }
    ready.forget()?;
    tracing::info!("stopped");
    Ok(())
}

/// Answers from now on, so that a start that takes its time can be seen.
async fn watch(address: Option<SocketAddr>, shutdown: &Shutdown) -> Result<Option<Watch>, Failure> {
    let Some(address) = address else {
        return Ok(None);
    };
    let watch = Watch::start(address, shutdown).await?;
    say(&format!(
        "cuhk  step 0  health and metrics at http://{}",
        watch.address()
    ))?;
    Ok(Some(watch))
}

fn forget(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::fault(format!(
            "cannot remove {}: {error}",
            file.display()
        ))),
        _ => Ok(()),
    }
}
