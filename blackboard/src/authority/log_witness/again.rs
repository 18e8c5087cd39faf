//! What CUHK has seen is looked at again although no log grows here: somebody else may have shown it more of the
//! same logs. A CUHK that was put back from a backup, and was asked at once, knows nothing of what this server
//! lacks, if that is an old backup, too; the one that goes on elsewhere tells it within a second.

use tokio::time::Instant;

use super::super::link::Link;
use super::{LogWitness, PATIENCE, Trouble};

impl LogWitness {
    /// Looks at all logs the first time on a connection, and at one in turn each time after that.
    pub(super) async fn look_again(
        &mut self,
        link: &mut Link,
        looks: usize,
    ) -> Result<(), Trouble> {
        link.by(Instant::now() + PATIENCE).status().await?;
        let mut logs = self.logs.all();
        if looks == 0 {
            self.has_all = false;
            self.check_forgotten(link).await?;
        } else if !logs.is_empty() {
            logs = vec![logs.swap_remove(looks % logs.len())];
        }
        for (name, log) in logs {
            if self.is_paused(&name) || log.published().checkpoint.head().size == 0 {
                continue;
            }
            link.by(Instant::now() + PATIENCE);
            self.look(link, &name, &log).await?;
        }
        Ok(())
    }
}
