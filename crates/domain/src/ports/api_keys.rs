use std::future::Future;

use super::StoreError;
use crate::{ApiKey, ApiKeyId, Page, PageRequest, Timestamp, TokenDigest};

/// Reads of API keys.
pub trait ApiKeyReads {
    /// An API key, live or not.
    fn api_key(&mut self, id: ApiKeyId) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;

    /// The API key that has one of these digests, live or not: one round trip.
    fn api_key_by_digests(&mut self, digests: &[TokenDigest]) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;

    /// API keys, live or not, newest first.
    fn api_keys_page(&mut self, page: PageRequest<ApiKey>) -> impl Future<Output = Result<Page<ApiKey>, StoreError>> + Send;
}

/// Writes of API keys.
pub trait ApiKeyWrites {
    /// Stores a new API key.
    fn insert_api_key(&mut self, key: &ApiKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes that a key, live at `now`, is used; `false` when it isn't, or was used after `unless_used_since`. That is what keeps the
    /// writes to one a minute. With `rekeyed`, the digest of its text becomes that one.
    fn touch_api_key(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_used_since: Timestamp,
        rekeyed: Option<TokenDigest>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Claims the right to audit a key's use; `false` when it was claimed after `unless_claimed_since`, or there is no such key. That is
    /// what keeps the events to one an hour.
    fn claim_api_key_audit(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_claimed_since: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Revokes a key; `false` when it is revoked already, or there is none.
    fn revoke_api_key(&mut self, id: ApiKeyId, now: Timestamp) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
