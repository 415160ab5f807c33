use tenantry_domain::{IdempotencyKey, KeyClaim, KeyClaimId, KeyState, SealedPayload, StoreError, ports::IdempotencyWrites};

use crate::{store::RedbTransaction, tables::IDEMPOTENCY_KEYS};

impl IdempotencyWrites for RedbTransaction {
    async fn claim_key(&mut self, claim: &KeyClaim) -> Result<KeyState, StoreError> {
        let rows = self.rows_mut();
        let now = claim.claimed_at;
        match rows.get(IDEMPOTENCY_KEYS, claim.key.as_bytes())? {
            Some((held, answer))
                if now < held.expires_at && (answer.is_some() || now < held.locked_until && held.id != claim.id) =>
            {
                Ok(match answer {
                    _ if held.fingerprint != claim.fingerprint => KeyState::Mismatch,
                    Some(answer) => KeyState::Answered(answer),
                    None => KeyState::InFlight,
                })
            }
            _ => {
                rows.put(IDEMPOTENCY_KEYS, claim.key.as_bytes(), &(claim.clone(), None))?;
                Ok(KeyState::Claimed)
            }
        }
    }

    async fn answer_key(&mut self, key: IdempotencyKey, claim: KeyClaimId, answer: &SealedPayload) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let answered = rows.change_if(
            IDEMPOTENCY_KEYS,
            key.as_bytes(),
            |row| is_held(row, claim),
            |(_, stored)| *stored = Some(answer.clone()),
        )?;
        Ok(answered.is_some())
    }

    async fn release_key(&mut self, key: IdempotencyKey, claim: KeyClaimId) -> Result<bool, StoreError> {
        Ok(self.rows_mut().delete_if(IDEMPOTENCY_KEYS, key.as_bytes(), |row| is_held(row, claim))?.is_some())
    }
}

fn is_held((held, answer): &(KeyClaim, Option<SealedPayload>), claim: KeyClaimId) -> bool {
    held.id == claim && answer.is_none()
}
