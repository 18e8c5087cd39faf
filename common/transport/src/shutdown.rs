//! Stopping in an orderly way. The only file that knows about signals.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// A wish to stop that many tasks can wait for. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// One that only [`Shutdown::trigger`] sets off.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGINT (Ctrl-C) or SIGTERM sets off. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Signals`] if the system refuses.
    pub fn on_signals() -> Result<Self, Error> {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
        let shutdown = Self::new();
        let trigger = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            trigger.trigger();
        });
        Ok(shutdown)
    }

    /// Sets it off.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    /// A token that is cancelled with it, or before, alone.
    pub(crate) fn child(&self) -> CancellationToken {
        self.0.child_token()
    }

    /// Whether it was set off.
    pub fn is_triggered(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is set off. Cancel-safe.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clone_sees_the_trigger() {
        let shutdown = Shutdown::new();
        let waiting = shutdown.clone();
        assert!(!waiting.is_triggered());
        shutdown.trigger();
        waiting.cancelled().await;
        assert!(waiting.is_triggered());
    }
}
