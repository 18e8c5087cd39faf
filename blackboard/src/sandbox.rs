//! `blackboard serve --sandbox DIR`: sets itself up beside CUHK, then serves.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use scb_cli::fault::FaultTable as _;
use scb_cli::{Error, Home, Role, Sandbox, load_config, loopback_only, say};
use scb_protocol::server::Outage;
use scb_transport::{Clock, Shutdown};
use tokio::time::{Instant, sleep};

use crate::arguments::Serve;
use crate::authority::CuhkAddress;
use crate::commands::{enrolment_code, lock, run_server};
use crate::config::Config;
use crate::enrol::{Enrolment, KnownRoot};
use crate::fault::{Fault, FaultChoice, Faults};
use crate::identity::IdentityFiles;
use crate::monitor::Watch;
use crate::serve::{START_PATIENCE, START_PAUSE, Server};

/// Serves in the sandbox until `shutdown`.
pub(crate) async fn serve(
    dir: &Path,
    command: &Serve,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Some(sandbox) = wait_for_cuhk(dir, &shutdown, || Sandbox::open(dir)).await? else {
        return Ok(());
    };
    tracing::warn!("{}", sandbox.banner());
    let home = Home::create(&sandbox.blackboard_home(), Role::Blackboard)?;
    let lock = lock(&home)?;
    let stored: Config = load_config(&home)?;
    let listen = command.listen.unwrap_or(stored.listen);
    loopback_only(listen)?;
    let metrics = command.metrics.or(stored.metrics);
    metrics.map_or(Ok(()), loopback_only)?;
    let is_enrolled = IdentityFiles::open(&home)?.current()?.is_some();
    let address = || match sandbox.cuhk_address() {
        // Who is enrolled and may do without CUHK need not wait for it.
        Err(Error::NotReady { .. }) if is_enrolled && stored.outage == Outage::Tokens => {
            Ok(stored.cuhk.clone().unwrap_or_default())
        }
        address => address.map(|address| address.to_string()),
    };
    let Some(cuhk) = wait_for_cuhk(dir, &shutdown, address).await? else {
        return Ok(());
    };
    if !is_enrolled {
        enrol(&sandbox, &home, &cuhk, &clock).await?;
    }
    let config = load_config::<Config>(&home)?.limited(command.max_connections);
    let faults = match command.fault {
        Some(FaultChoice::One(fault)) => commit(fault, &sandbox, &home, &clock)?,
        _ => Faults::default(),
    };
    let watch = Watch::start(metrics, &cuhk, &shutdown).await?;
    let cuhk = CuhkAddress::of_sandbox(&sandbox, cuhk);
    let opening = async {
        let opening = Server::open(&home, lock, &config, cuhk, listen, clock, faults);
        let server = opening.await?.with_sample_course()?;
        Ok(server.remarking_limits())
    };
    let address_file = sandbox.blackboard_address_file();
    let mut ready = vec![address_file.as_path()];
    ready.extend(command.ready_file.as_deref());
    run_server(opening, &ready, watch, shutdown).await
}

/// Says what will be done wrong from now on.
fn commit(
    fault: Fault,
    sandbox: &Sandbox,
    home: &Home,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Faults> {
    let identity = IdentityFiles::open(home)?.current()?;
    let identity = identity.context("there is no certificate")?;
    say(&format!("FAULT {fault}: {}", fault.done()))?;
    Faults::of(fault, sandbox, &identity, clock.now())
}

async fn enrol(
    sandbox: &Sandbox,
    home: &Home,
    cuhk: &str,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let enrolment = Enrolment {
        cuhk: cuhk.to_owned(),
        root: KnownRoot::file(&sandbox.ca_pem())?,
        dns: Vec::new(),
        ip: Vec::new(),
    };
    let code = enrolment_code(Some(&sandbox.blackboard_code()))?;
    enrolment.run(home, code, clock).await?;
    Ok(())
}

/// What `find` finds, as soon as CUHK has made it; `None` if this program is to stop meanwhile.
async fn wait_for_cuhk<T>(
    dir: &Path,
    shutdown: &Shutdown,
    find: impl Fn() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let deadline = Instant::now() + START_PATIENCE;
    let mut said = false;
    loop {
        match find() {
            Err(Error::NoSandbox { .. } | Error::NotReady { .. })
                if Instant::now() < deadline && !shutdown.is_triggered() =>
            {
                if !said {
                    tracing::info!("waiting for `cuhk serve --sandbox {}`", dir.display());
                    said = true;
                }
                sleep(START_PAUSE).await;
            }
            Err(_) if shutdown.is_triggered() => return Ok(None),
            found => return found.map(Some),
        }
    }
}
