//! The report on its way in: counted, hashed and written as it comes.

use scb_certs::Fingerprint;
use scb_protocol::message::blackboard::Request;
use scb_protocol::server::{AwaitReverification, ReceivingContent};
use scb_protocol::{Frame, Refusal, Step, decode};
use scb_storage::{ContentWriter, Error};
use scb_transport::Connection;
use tokio::time::Instant;

use super::Shared;
use super::vigil::Vigil;

/// Receives chunks and then `end`. The content is in a temporary file when this returns, and
/// has the hash that the members signed; dropped, it leaves nothing.
pub(super) async fn receive(
    connection: &mut Connection,
    vigil: &mut Vigil,
    mut state: ReceivingContent,
    shared: &Shared,
) -> Result<(AwaitReverification, ContentWriter), Refusal> {
    let deadline = Instant::now() + shared.limits.content;
    let size = state.statement().file().size;
    let mut writer = shared.content.begin(size).await.map_err(refusal)?;
    loop {
        let next = deadline.min(Instant::now() + shared.limits.message);
        match receive_frame(connection, vigil, next).await? {
            Frame::Chunk(chunk) => {
                state.chunk(chunk.len())?;
                writer.write(&chunk).await.map_err(refusal)?;
            }
            Frame::Message(payload) => {
                let request: Request = decode(&payload, Step::Six)?;
                #[cfg(test)]
                crate::tests::panics::if_wanted(state.statement());
                let received = writer.sha256().await.map_err(refusal)?;
                let state = state.handle(request, Fingerprint::from_bytes(received))?;
                return Ok((state, writer));
            }
        }
    }
}

/// One frame; meanwhile a revocation ends the connection at once.
async fn receive_frame(
    connection: &mut Connection,
    vigil: &mut Vigil,
    deadline: Instant,
) -> Result<Frame, Refusal> {
    loop {
        tokio::select! {
            biased;
            () = vigil.alarm() => vigil.look(Step::Six).await?,
            frame = connection.receive_frame_until(Step::Six, deadline) => return frame,
        }
    }
}

/// Makes the content durable under its hash.
pub(super) async fn keep(writer: ContentWriter, sha256: &Fingerprint) -> Result<(), Refusal> {
    writer.finish(*sha256.as_bytes()).await.map_err(refusal)?;
    Ok(())
}

fn refusal(error: Error) -> Refusal {
    crate::store::Error::Storage(error).into()
}
