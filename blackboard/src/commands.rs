//! What each command does, and how the program ends.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use scb_cli::{
    Failure, Home, Role, fault, finish_in, finish_json, for_stderr, load_config, local_time,
    passphrase_from_flag, say, write_ready,
};
use scb_explain::{Language, what_to_do};
use scb_protocol::{EnrolmentCode, Fact, Step, StepEvent, install_crypto};
use scb_storage::HomeLock;
use scb_transport::{Clock, Shutdown, SystemClock, telemetry, tell_service_manager};

use crate::arguments::{Arguments, Command, Init, LogForm, Logging, Serve, Use};
use crate::authority::CuhkAddress;
use crate::config::Config;
use crate::enrol::{Enrolment, KnownRoot, stored_roots};
use crate::failure::failure;
use crate::fault::{Fault, FaultChoice, Faults};
use crate::fsck::fsck;
use crate::identity::{Identity, IdentityFiles};
use crate::init::{Attempt, CODE_REMEDY, known_cuhk};
use crate::monitor::Watch;
use crate::platform::readable_by_others;
use crate::recover::recover;
use crate::serve::Server;
use crate::store::{DATABASE, Register, Store};
use crate::{courses, gradebook, logs, sandbox, submissions, witness};

/// What a home has once it was served.
const FIRST_MADE: [&str; 2] = [DATABASE, "content"];

/// The program: reads the command line, does what it says, gives the exit code.
pub fn main() -> ExitCode {
    run(Arguments::parse())
}

/// Does what the command line says.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let json = match &arguments.command {
        Some(Command::Submissions(command)) => command.json(),
        Some(Command::Course(command)) => command.json(),
        Some(Command::Assignment(command)) => command.json(),
        Some(Command::Extension(command)) => command.json(),
        Some(Command::Fsck(command)) => command.output.json,
        Some(Command::Logs(command)) => command.output.json,
        Some(Command::Witness(command)) => command.json(),
        Some(Command::Grades(command)) => command.json(),
        _ => false,
    };
    let language = language(&arguments);
    let result = dispatch(arguments).map_err(failure);
    if json {
        finish_json(result)
    } else {
        finish_in(result, what_to_do(language))
    }
}

/// The language of failures: refusals of `init`, and what `fsck` finds, are told in every one, all else
/// in English.
fn language(arguments: &Arguments) -> Language {
    match &arguments.command {
        Some(Command::Init(_) | Command::Fsck(_)) => arguments.logging.explain.language.language(),
        _ => Language::English,
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    install_crypto();
    start_logging(&arguments.logging)?;
    let language = language(&arguments);
    let home = arguments.home.resolve(Role::Blackboard);
    if arguments.print_config {
        return print_config(&home, None);
    }
    let Some(command) = arguments.command else {
        let failure = Failure::usage("no command is given");
        let failure = failure.with_remedy("see `blackboard --help`");
        return Err(failure.with_code("no_command").into());
    };
    match &command {
        Command::Init(_) => scb_cli::require_own_place(&home, Role::Blackboard, DATABASE)?,
        other => require_own(&home, other.uses())?,
    }
    match command {
        Command::Serve(Serve {
            sandbox: Some(_), ..
        }) if arguments.home.home.is_some() => {
            Err(Failure::usage("--home and --sandbox exclude each other")
                .with_remedy("leave --home out: a sandbox has a home of its own")
                .with_code("home_and_sandbox")
                .into())
        }
        Command::Init(command) => init(&home, command, language),
        Command::Serve(Serve {
            fault: Some(FaultChoice::List),
            ..
        }) => Ok(fault::list::<Fault>("Blackboard")?),
        Command::Serve(Serve {
            fault: Some(_),
            sandbox: None,
            ..
        }) => Err(Failure::usage("faults on purpose are for a sandbox")
            .with_remedy("add --sandbox DIR")
            .with_code("fault_outside_sandbox")
            .into()),
        Command::Serve(command) if command.print_config => print_config(&home, Some(&command)),
        Command::Serve(command) => runtime()?.block_on(serve(&home, command)),
        Command::Course(command) => courses::course(&home, &command),
        Command::Assignment(command) => courses::assignment(&home, &command),
        Command::Extension(command) => courses::extension(&home, &command),
        Command::Grades(command) => gradebook::run(&home, &command),
        Command::Recover(command) => runtime()?.block_on(recover(&home, &command, clock())),
        Command::Submissions(command) => submissions::run(&home, &command),
        Command::Logs(command) => logs::list(&home, &command),
        Command::Witness(command) => runtime()?.block_on(witness::run(&home, &command, clock())),
        Command::Fsck(command) => fsck(&home, &command, (language, clock().now())),
        Command::Generate(what) => Ok(what.run(Arguments::command())?),
    }
}

/// Root leaves nothing in the home of Blackboard's user that its server could not open.
fn require_own(home: &Path, uses: Use) -> Result<(), scb_cli::Error> {
    let is_whole = || FIRST_MADE.iter().all(|name| home.join(name).exists());
    match uses {
        Use::Nothing => Ok(()),
        Use::Read if is_whole() => Ok(()),
        Use::Read | Use::Write => scb_cli::require_own(home, Role::Blackboard, DATABASE),
    }
}

/// What is in force: what `command` says, else the home's configuration, else the defaults.
fn print_config(home: &Path, command: Option<&Serve>) -> anyhow::Result<()> {
    let mut config = match Home::open(home, Role::Blackboard) {
        Ok(home) => load_config::<Config>(&home)?,
        Err(scb_cli::Error::NoHome { .. }) => Config::default(),
        Err(error) => return Err(error.into()),
    };
    if let Some(command) = command {
        config = config.limited(command.max_connections);
        config.listen = command.listen.unwrap_or(config.listen);
        config.metrics = command.metrics.or(config.metrics);
    }
    Ok(say(config.to_toml().trim_end())?)
}

fn start_logging(logging: &Logging) -> anyhow::Result<()> {
    let format = match logging.log {
        LogForm::Text => telemetry::LogFormat::Text,
        LogForm::Json => telemetry::LogFormat::Json,
    };
    telemetry::init(format, logging.log_level.as_deref(), for_stderr)?;
    if let Some(language) = logging.explain.wanted() {
        telemetry::explain(move |event| scb_explain::lines(event, language));
    }
    Ok(())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn init(home: &Path, command: Init, language: Language) -> anyhow::Result<()> {
    let known = known_cuhk(home, &command)?;
    let attempt = Attempt::begin(home)?;
    init_in(&attempt.home, command, known).map_err(|error| attempt.fail(error, language))
}

fn init_in(home: &Home, command: Init, (cuhk, root): (String, KnownRoot)) -> anyhow::Result<()> {
    let _lock = lock(home)?;
    let clock = clock();
    let current = IdentityFiles::open(home)?.current()?;
    // One that has expired can no longer renew itself; a new code mends that.
    let good = |identity: &Identity| !command.replace && !identity.has_expired(clock.now());
    if let Some(identity) = current.filter(good) {
        say("already certified; nothing was changed")?;
        return describe(home, &identity);
    }
    let code = enrolment_code(command.code_file.as_deref())?;
    let enrolment = Enrolment {
        cuhk,
        root,
        dns: command.dns,
        ip: command.ip,
    };
    let identity = runtime()?.block_on(enrolment.run(home, code, &clock))?;
    say("certified by CUHK")?;
    describe(home, &identity)
}

/// The first line of the file, else a hidden prompt.
pub(crate) fn enrolment_code(file: Option<&Path>) -> anyhow::Result<EnrolmentCode> {
    if let Some(path) = file {
        only_for_its_owner(path)?;
    }
    let flag = "--code-file";
    let text = passphrase_from_flag(flag, file, "Enrolment code of blackboard:", false);
    let text = text.map_err(|error| match error {
        scb_cli::Error::NoPassphrase { path } => no_code(format!(
            "there is no code on the first line of {}",
            path.display()
        )),
        error => error.into(),
    })?;
    let code = text.expose().parse();
    Ok(code.map_err(|error: scb_protocol::Error| no_code(error.to_string()))?)
}

fn no_code(message: String) -> Failure {
    Failure::usage(message)
        .with_remedy(CODE_REMEDY)
        .with_code("no_code")
}

/// Whoever can read the code can be this platform before it is.
fn only_for_its_owner(path: &Path) -> Result<(), Failure> {
    match readable_by_others(path) {
        None => Ok(()),
        Some(mode) => Err(Failure::fault(format!(
            "{} can be read by other users (mode {mode:04o})",
            path.display()
        ))
        .with_remedy(format!(
            "run `chmod 600 {}`; if somebody else has used the code, CUHK refuses it: then get \
             a new one with `cuhk code issue service/blackboard --replace`",
            path.display()
        ))
        .with_code("code_file_readable")),
    }
}

fn describe(home: &Home, identity: &Identity) -> anyhow::Result<()> {
    let leaf = identity.chain.leaf();
    let mut names = leaf.dns_names();
    names.extend(leaf.ip_addresses().iter().map(ToString::to_string));
    let config: Config = load_config(home)?;
    for (what, value) in [
        ("home", home.dir().display().to_string()),
        ("service", leaf.spiffe_id()?.to_string()),
        ("names", names.join(", ")),
        ("until", local_time(leaf.not_after())),
        ("cuhk", config.cuhk.unwrap_or_default()),
    ] {
        say(&format!("  {what:<8} {}", scb_cli::printable(&value)))?;
    }
    for root in stored_roots(home)? {
        say(&format!("  {:<8} SHA-256 {}", "root", root.fingerprint()))?;
    }
    Ok(())
}

async fn serve(home: &Path, command: Serve) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    if let Some(dir) = &command.sandbox {
        return sandbox::serve(dir, &command, clock(), shutdown).await;
    }
    let home = Home::open(home, Role::Blackboard)?;
    let lock = lock(&home)?;
    let clock_is_right = command.clock_is_right;
    if !clock_is_right {
        Register::check_clock(&home, clock().now())?;
    } else {
        Register::vouch_for_clock(&Store::open(&home)?)?;
    }
    let config = load_config::<Config>(&home)?.limited(command.max_connections);
    if let Some(warning) = Config::lost_of(&home) {
        tracing::warn!("{warning}");
    }
    let listen = command.listen.unwrap_or(config.listen);
    let faults = Faults::default();
    let cuhk = config.cuhk.clone().unwrap_or_default();
    let metrics = command.metrics.or(config.metrics);
    let watch = Watch::start(metrics, &cuhk, &shutdown).await?;
    let cuhk = CuhkAddress::fixed(cuhk);
    let opening = async {
        let opening = Server::open(&home, lock, &config, cuhk, listen, clock(), faults);
        let server = opening.await?.remarking_courses().remarking_limits();
        Ok(match clock_is_right {
            true => server.believing_clock(),
            false => server,
        })
    };
    let ready: Vec<&Path> = command.ready_file.iter().map(PathBuf::as_path).collect();
    run_server(opening, &ready, watch, shutdown).await
}

/// Opens the server, says that it is ready, on standard output and in each of the files,
/// and serves until `shutdown`. The files are there only while somebody listens.
pub(crate) async fn run_server(
    opening: impl Future<Output = anyhow::Result<Server>>,
    ready_files: &[&Path],
    watch: Option<Watch>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    remove(ready_files);
    let server = tokio::select! {
        server = opening => server?,
        () = shutdown.cancelled() => return Ok(()),
    };
    if let Some(watch) = &watch {
        server.watched_by(watch);
    }
    let address = server.address();
    for file in ready_files {
        write_ready(file, address)?;
    }
    let root = server.root();
    telemetry::emit(&StepEvent::new(
        Step::Zero,
        Fact::Listening { address, root },
    ));
    say(&format!(
        "blackboard  step 0  certified by CUHK, listening on {address}"
    ))?;
    tell_service_manager(address, &shutdown);
    let ran = server.run(shutdown).await;
    if let Some(watch) = watch {
        watch.stop().await;
    }
    remove(ready_files);
    tracing::info!("stopped");
    Ok(ran?)
}

fn remove(files: &[&Path]) {
    for file in files {
        // Most often there is none; one that cannot be removed cannot be written either.
        let _ = std::fs::remove_file(file);
    }
}

/// Keeps a second server, and `init` beside a server, out of the home.
pub(crate) fn lock(home: &Home) -> Result<HomeLock, scb_storage::Error> {
    HomeLock::acquire(home.dir(), home.role().as_str())
}
