//! The very same hand-in from two programs of one home: whoever comes second waits a little for the first one, and then
//! gets the same receipt.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Error, Observer, Setup, pending};

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// Until nobody sends it any more, or for ten seconds. The home is not locked meanwhile: the other one needs it.
pub(super) async fn wait_for(
    setup: &mut Setup,
    pending: &Path,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let kept_out = setup.home.let_in();
    let deadline = Instant::now() + PATIENCE;
    while pending::is_on_its_way(pending) && Instant::now() < deadline {
        sleep(PAUSE).await;
    }
    setup.keep_out_again(kept_out, observer).await
}
