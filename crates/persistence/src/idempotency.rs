use sea_orm::FromQueryResult;
use tenantry_domain::{
    Fingerprint, IdempotencyKey, KeyClaim, KeyClaimId, KeyId, KeyState, SealedPayload, StoreError, ports::IdempotencyWrites,
};

use crate::{
    Handle,
    connection::OpenTransaction,
    row::{Corruption, Row, digest},
    timestamp::DbTime,
};

impl IdempotencyWrites for Handle<OpenTransaction> {
    async fn claim_key(&mut self, claim: &KeyClaim) -> Result<KeyState, StoreError> {
        // $4 now. One statement decides: whoever comes second waits for the first, and then meets its row as it has become.
        const CLAIM: &str = "
            INSERT INTO idempotency_keys (key_digest, fingerprint, claim_id, created_at, locked_until, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (key_digest) DO UPDATE SET
                fingerprint = excluded.fingerprint, claim_id = excluded.claim_id, answer = NULL, key_id = NULL,
                created_at = excluded.created_at, locked_until = excluded.locked_until, expires_at = excluded.expires_at
            WHERE idempotency_keys.expires_at <= $4
                OR (idempotency_keys.answer IS NULL AND (idempotency_keys.locked_until <= $4 OR idempotency_keys.claim_id = $3))";
        const HELD: &str = "SELECT fingerprint, answer, key_id FROM idempotency_keys WHERE key_digest = $1";

        let key = claim.key.as_bytes().to_vec();
        let [now, locked_until, expires_at] =
            [claim.claimed_at, claim.locked_until, claim.expires_at].map(|moment| DbTime::from(moment).into());
        let values = [
            key.clone().into(),
            claim.fingerprint.as_bytes().to_vec().into(),
            claim.id.uuid().into(),
            now,
            locked_until,
            expires_at,
        ];
        if self.wrote(HeldKey::WHAT, self.sql(CLAIM, values)).await? {
            return Ok(KeyState::Claimed);
        }
        // On PostgreSQL the refused statement has locked the row, so it is there, and as that statement saw it.
        let held = self.find::<HeldKey>(self.sql(HELD, [key.into()])).await?;
        Ok(match held {
            Some((fingerprint, _)) if fingerprint != claim.fingerprint => KeyState::Mismatch,
            Some((_, Some(answer))) => KeyState::Answered(answer),
            Some((_, None)) | None => KeyState::InFlight,
        })
    }

    async fn answer_key(&mut self, key: IdempotencyKey, claim: KeyClaimId, answer: &SealedPayload) -> Result<bool, StoreError> {
        const ANSWER: &str = "
            UPDATE idempotency_keys SET answer = $3, key_id = $4
            WHERE key_digest = $1 AND claim_id = $2 AND answer IS NULL";

        let values =
            [key.as_bytes().to_vec().into(), claim.uuid().into(), answer.bytes.clone().into(), answer.key_id.as_str().into()];
        self.wrote(HeldKey::WHAT, self.sql(ANSWER, values)).await
    }

    async fn release_key(&mut self, key: IdempotencyKey, claim: KeyClaimId) -> Result<bool, StoreError> {
        const RELEASE: &str = "DELETE FROM idempotency_keys WHERE key_digest = $1 AND claim_id = $2 AND answer IS NULL";

        let release = self.sql(RELEASE, [key.as_bytes().to_vec().into(), claim.uuid().into()]);
        self.wrote(HeldKey::WHAT, release).await
    }
}

/// What is known of a key that another request has.
#[derive(FromQueryResult)]
struct HeldKey {
    fingerprint: Vec<u8>,
    answer: Option<Vec<u8>>,
    key_id: Option<String>,
}

impl Row for HeldKey {
    type Value = (Fingerprint, Option<SealedPayload>);
    const WHAT: &'static str = "idempotency key";

    fn into_value(self) -> Result<Self::Value, Corruption> {
        let answer = match (self.answer, self.key_id) {
            (Some(bytes), Some(key_id)) => Some(SealedPayload { key_id: KeyId::parse(&key_id)?, bytes }),
            _ => None,
        };
        Ok((Fingerprint::from_bytes(digest(&self.fingerprint)?), answer))
    }
}
