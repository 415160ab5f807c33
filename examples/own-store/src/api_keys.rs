use tenantry_domain::{
    ApiKey, ApiKeyId, Page, PageRequest, StoreError, Timestamp, TokenDigest,
    ports::{ApiKeyReads, ApiKeyWrites},
};

use crate::{
    error::demand,
    store::{Mode, RedbTransaction, View},
    tables::{API_KEY_AUDITS, API_KEYS},
};

impl<M: Mode> ApiKeyReads for View<M> {
    async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.rows()?.get(API_KEYS, &id)
    }

    async fn api_key_by_digests(&mut self, digests: &[TokenDigest]) -> Result<Option<ApiKey>, StoreError> {
        self.rows()?.find(API_KEYS, |key| digests.contains(&key.token_digest))
    }

    async fn api_keys_page(&mut self, page: PageRequest<ApiKey>) -> Result<Page<ApiKey>, StoreError> {
        self.rows()?.page(API_KEYS, page, |_| true)
    }
}

impl ApiKeyWrites for RedbTransaction {
    async fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        demand(!rows.any(API_KEYS, |other| other.token_digest == key.token_digest)?, "an API key with this digest exists")?;
        rows.put(API_KEYS, &key.id, key)
    }

    async fn touch_api_key(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_used_since: Timestamp,
        rekeyed: Option<TokenDigest>,
    ) -> Result<bool, StoreError> {
        let due = |key: &ApiKey| key.is_live(now) && key.last_used_at.is_none_or(|used| used <= unless_used_since);
        let touched = self.rows_mut().change_if(API_KEYS, &id, due, |key| {
            key.last_used_at = Some(now);
            key.token_digest = rekeyed.unwrap_or(key.token_digest);
        })?;
        Ok(touched.is_some())
    }

    async fn claim_api_key_audit(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_claimed_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let due = rows.get(API_KEY_AUDITS, &id)?.is_none_or(|claimed| claimed <= unless_claimed_since);
        let claimed = due && rows.has(API_KEYS, &id)?;
        if claimed {
            rows.put(API_KEY_AUDITS, &id, &now)?;
        }
        Ok(claimed)
    }

    async fn revoke_api_key(&mut self, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let unrevoked = |key: &ApiKey| key.revoked_at.is_none();
        Ok(self.rows_mut().change_if(API_KEYS, &id, unrevoked, |key| key.revoked_at = Some(now))?.is_some())
    }
}
