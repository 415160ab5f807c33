use super::{
    store::{MemoryTransaction, Mode, View},
    tables::demand,
};
use crate::{
    ApiKey, ApiKeyId, Page, PageRequest, StoreError, Timestamp, TokenDigest,
    ports::{ApiKeyReads, ApiKeyWrites},
};

impl<M: Mode> ApiKeyReads for View<M> {
    async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.tables().api_keys.get(&id).cloned())
    }

    async fn api_key_by_digests(&mut self, digests: &[TokenDigest]) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.tables().api_keys.rows().find(|key| digests.contains(&key.token_digest)).cloned())
    }

    async fn api_keys_page(&mut self, page: PageRequest<ApiKey>) -> Result<Page<ApiKey>, StoreError> {
        Ok(self.tables().api_keys.page(page, |_| true))
    }
}

impl ApiKeyWrites for MemoryTransaction {
    async fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        let keys = &mut self.tables_mut().api_keys;
        demand(keys.rows().all(|other| other.token_digest != key.token_digest), "an API key with this digest exists")?;
        keys.put(key.id, key.clone());
        Ok(())
    }

    async fn touch_api_key(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_used_since: Timestamp,
        rekeyed: Option<TokenDigest>,
    ) -> Result<bool, StoreError> {
        let due = |key: &ApiKey| key.is_live(now) && key.last_used_at.is_none_or(|used| used <= unless_used_since);
        let touched = self.tables_mut().api_keys.change_if(&id, due, |key| {
            key.last_used_at = Some(now);
            key.token_digest = rekeyed.unwrap_or(key.token_digest);
        });
        Ok(touched.is_some())
    }

    async fn claim_api_key_audit(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        unless_claimed_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        let due = tables.api_key_audits.get(&id).is_none_or(|claimed| *claimed <= unless_claimed_since);
        let claimed = due && tables.api_keys.contains(&id);
        if claimed {
            tables.api_key_audits.put(id, now);
        }
        Ok(claimed)
    }

    async fn revoke_api_key(&mut self, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let unrevoked = |key: &ApiKey| key.revoked_at.is_none();
        Ok(self.tables_mut().api_keys.change_if(&id, unrevoked, |key| key.revoked_at = Some(now)).is_some())
    }
}
