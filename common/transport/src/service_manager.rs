//! What a server tells a service manager such as systemd: `sd_notify`, one datagram of text to
//! the socket that `NOTIFY_SOCKET` names. Without that variable nothing happens.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::Shutdown;

/// Says that the server listens at `address` (`READY=1`) and, once `shutdown` is set off, that
/// it stops (`STOPPING=1`). Where the service manager watches over it (`WATCHDOG_USEC`), it gives
/// a sign of life twice as often as is asked (`WATCHDOG=1`), until it stops. A service manager
/// that cannot be told is no reason not to serve: it is logged. Needs a tokio runtime.
pub fn tell_service_manager(address: SocketAddr, shutdown: &Shutdown) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return;
    };
    tell(
        &socket,
        &format!("READY=1\nSTATUS=listening on {address}\n"),
    );
    let (patience, shutdown) = (watchdog(), shutdown.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = give_signs_of_life(&socket, patience) => {}
        }
        tell(&socket, "STOPPING=1\nSTATUS=stopping\n");
    });
}

/// For how long the service manager waits for a sign of life of this process, if at all.
fn watchdog() -> Option<Duration> {
    let variable = |name| std::env::var(name).ok();
    let is_meant = |process: String| process == std::process::id().to_string();
    if !variable("WATCHDOG_PID").is_none_or(is_meant) {
        return None;
    }
    let microseconds = variable("WATCHDOG_USEC")?.parse().ok()?;
    Some(Duration::from_micros(microseconds)).filter(|patience| !patience.is_zero())
}

/// Never returns. The timer stands still where the runtime does.
async fn give_signs_of_life(socket: &OsString, patience: Option<Duration>) {
    let Some(patience) = patience else {
        return std::future::pending().await;
    };
    let mut signs = interval(patience / 2);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        signs.tick().await;
        tell(socket, "WATCHDOG=1\n");
    }
}

fn tell(socket: &OsString, state: &str) {
    if let Err(error) = send(socket, state) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}

/// To a path, or to an abstract name (`@…`), which Linux has.
#[cfg(target_os = "linux")]
fn send(socket: &OsString, state: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn send(_socket: &OsString, _state: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::*;

    #[test]
    fn reaches_a_socket_by_path_and_by_abstract_name() {
        let name = format!("scb-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        send(&format!("@{name}").into(), "READY=1\n").unwrap();
        let mut buffer = [0; 64];
        let count = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"READY=1\n");
    }

    #[test]
    fn a_socket_that_is_not_there_is_an_error_and_no_panic() {
        assert!(send(&"/none/such".into(), "READY=1\n").is_err());
        assert!(send(&"relative".into(), "READY=1\n").is_err());
        tell(&"/none/such".into(), "READY=1\n");
    }
}
