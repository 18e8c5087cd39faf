//! `blackboard serve --sandbox DIR`: sets itself up beside CUHK, then serves.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use scb_cli::fault::FaultTable as _;
use scb_cli::{Error, Home, Role, Sandbox, load_config, loopback_only, say};
use scb_transport::{Clock, Shutdown};
use tokio::time::{Instant, sleep};

use crate::arguments::Serve;
use crate::commands::{enrolment_code, lock, run_server};
use crate::config::Config;
use crate::enrol::{Enrolment, KnownRoot};
use crate::fault::{Fault, FaultChoice, Faults};
use crate::identity::IdentityFiles;
use crate::serve::{START_PATIENCE, START_PAUSE, Server};

/// Serves in the sandbox until `shutdown`.
pub(crate) async fn serve(
    dir: &Path,
    command: &Serve,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Some((sandbox, cuhk)) = wait_for_cuhk(dir, &shutdown).await? else {
        return Ok(());
    };
    tracing::warn!("{}", sandbox.banner());
    let home = Home::create(&sandbox.blackboard_home(), Role::Blackboard)?;
    let lock = lock(&home)?;
    let stored: Config = load_config(&home)?;
    let listen = command.listen.unwrap_or(stored.listen);
    loopback_only(listen)?;
    if IdentityFiles::open(&home)?.current()?.is_none() {
        enrol(&sandbox, &home, &cuhk, &clock).await?;
    }
    // CUHK may have another port at every start.
    let config = Config {
        cuhk: Some(cuhk),
        ..load_config::<Config>(&home)?.limited(command.max_connections)
    };
    let faults = match command.fault {
        Some(FaultChoice::One(fault)) => commit(fault, &sandbox, &home, &clock)?,
        _ => Faults::default(),
    };
    let opening = Server::open(&home, lock, &config, listen, clock, faults);
    let address_file = sandbox.blackboard_address_file();
    let mut ready = vec![address_file.as_path()];
    ready.extend(command.ready_file.as_deref());
    run_server(opening, &ready, shutdown).await
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
        root: KnownRoot::File(sandbox.ca_pem()),
        dns: Vec::new(),
        ip: Vec::new(),
    };
    let code = enrolment_code(Some(&sandbox.blackboard_code()))?;
    enrolment.run(home, code, clock).await?;
    Ok(())
}

/// The sandbox and CUHK's address, as soon as CUHK has made the one and written the other;
/// `None` if this program is to stop meanwhile.
async fn wait_for_cuhk(
    dir: &Path,
    shutdown: &Shutdown,
) -> Result<Option<(Sandbox, String)>, Error> {
    let deadline = Instant::now() + START_PATIENCE;
    let mut said = false;
    loop {
        let found = Sandbox::open(dir).and_then(|sandbox| {
            let address = sandbox.cuhk_address()?;
            Ok((sandbox, address.to_string()))
        });
        match found {
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
