use std::future::Future;

use super::StoreError;
use crate::{IdempotencyKey, KeyClaim, KeyClaimId, KeyState, SealedPayload};

/// Writes of idempotency keys.
pub trait IdempotencyWrites {
    /// Claims a key at `claim.claimed_at`. It can be had where nobody has it, where it has expired, and where its claimant's lock has run
    /// out without an answer. Of any number of racing claims one is [`KeyState::Claimed`]. Whoever has it, and claims it again by the same
    /// [`id`](KeyClaim::id), as it wasn't told so, has it still, with the lock of now.
    fn claim_key(&mut self, claim: &KeyClaim) -> impl Future<Output = Result<KeyState, StoreError>> + Send;

    /// Writes the answer to the request that holds the claim, in the transaction of what the request does. `false`, and nothing is
    /// written, where it holds it no longer: what it did must not be committed.
    fn answer_key(
        &mut self,
        key: IdempotencyKey,
        claim: KeyClaimId,
        answer: &SealedPayload,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Gives a claimed key back: it is as good as new. `false`, and nothing is written, where it was answered, or the claim is another's.
    fn release_key(&mut self, key: IdempotencyKey, claim: KeyClaimId) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
