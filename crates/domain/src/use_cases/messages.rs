use tracing::info;

use crate::{Action, AuditEvent, Context, MessageId, MessageRecord, MessageState, StoreError, Target, ports::*};

/// Why a message can't be tried again or discarded.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// There is no such message.
    #[error("there is no such message")]
    UnknownMessage,
    /// It isn't dead.
    #[error("the message is {}", .state.as_str())]
    NotDead {
        /// Where it stands.
        state: MessageState,
    },
    /// What it carried has expired, and was wiped.
    #[error("the message is of no use any more")]
    Expired,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts a dead message of the outbox back: it is due at once, and its tries start anew.
///
/// One that waits already is answered as it is, and nothing changes.
///
/// # Errors
/// See [`MessageError`].
pub async fn retry_message<S: Store>(store: &S, cx: &Context<'_>, id: MessageId) -> Result<MessageRecord, MessageError> {
    let mut tx = store.begin().await?;
    let won = tx.retry_message(id, cx.now).await?;
    let message = tx.message(id).await?.ok_or(MessageError::UnknownMessage)?;
    match (won, message.state) {
        (true, _) => audit(tx, cx, Action::MessageRetried, &message).await?,
        (false, MessageState::Waiting) => {}
        (false, MessageState::Dead) => return Err(MessageError::Expired),
        (false, state) => return Err(MessageError::NotDead { state }),
    }
    Ok(message)
}

/// Discards a dead message of the outbox: what it says is wiped, and it is never sent.
///
/// One that was dropped already is answered as it is, and nothing changes.
///
/// # Errors
/// [`UnknownMessage`](MessageError::UnknownMessage), [`NotDead`](MessageError::NotDead), [`Store`](MessageError::Store).
pub async fn discard_message<S: Store>(store: &S, cx: &Context<'_>, id: MessageId) -> Result<MessageRecord, MessageError> {
    let mut tx = store.begin().await?;
    let won = tx.discard_message(id, cx.now).await?;
    let message = tx.message(id).await?.ok_or(MessageError::UnknownMessage)?;
    match (won, message.state) {
        (true, _) => audit(tx, cx, Action::MessageDiscarded, &message).await?,
        (false, MessageState::Dropped) => {}
        (false, state) => return Err(MessageError::NotDead { state }),
    }
    Ok(message)
}

async fn audit(mut tx: impl Transaction, cx: &Context<'_>, action: Action, message: &MessageRecord) -> Result<(), StoreError> {
    let event = AuditEvent::new(cx, action, None, Some(Target::Message(message.id)));
    tx.append_audit(&event.with("topic", &message.topic)).await?;
    tx.commit().await?;
    info!(message.id = %message.id, action = action.as_str(), "changed message");
    Ok(())
}
