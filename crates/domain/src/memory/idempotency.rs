use super::store::MemoryTransaction;
use crate::{IdempotencyKey, KeyClaim, KeyClaimId, KeyState, SealedPayload, StoreError, ports::IdempotencyWrites};

impl IdempotencyWrites for MemoryTransaction {
    async fn claim_key(&mut self, claim: &KeyClaim) -> Result<KeyState, StoreError> {
        let keys = &mut self.tables_mut().idempotency_keys;
        let now = claim.claimed_at;
        match keys.get(&claim.key) {
            Some((held, answer))
                if now < held.expires_at && (answer.is_some() || now < held.locked_until && held.id != claim.id) =>
            {
                Ok(match answer {
                    _ if held.fingerprint != claim.fingerprint => KeyState::Mismatch,
                    Some(answer) => KeyState::Answered(answer.clone()),
                    None => KeyState::InFlight,
                })
            }
            _ => {
                keys.put(claim.key, (claim.clone(), None));
                Ok(KeyState::Claimed)
            }
        }
    }

    async fn answer_key(&mut self, key: IdempotencyKey, claim: KeyClaimId, answer: &SealedPayload) -> Result<bool, StoreError> {
        let keys = &mut self.tables_mut().idempotency_keys;
        let answered = keys.change_if(&key, |row| is_held(row, claim), |(_, stored)| *stored = Some(answer.clone()));
        Ok(answered.is_some())
    }

    async fn release_key(&mut self, key: IdempotencyKey, claim: KeyClaimId) -> Result<bool, StoreError> {
        Ok(self.tables_mut().idempotency_keys.delete_if(&key, |row| is_held(row, claim)))
    }
}

fn is_held((held, answer): &(KeyClaim, Option<SealedPayload>), claim: KeyClaimId) -> bool {
    held.id == claim && answer.is_none()
}
