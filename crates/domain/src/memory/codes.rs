use super::{
    stats::tally,
    store::{MemoryTransaction, Mode, View},
    tables::demand,
};
use crate::{
    Code, CodeDigest, CodeId, CodeStatus, NewCode, NewCodeText, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{CodeFilter, CodeIssue, CodeReads, CodeWrites, UsedText},
};

impl<M: Mode> CodeReads for View<M> {
    async fn code(&mut self, tenant: TenantId, id: CodeId) -> Result<Option<Code>, StoreError> {
        Ok(self.tables().codes.get(&id).filter(|code| code.tenant_id == tenant).cloned())
    }

    async fn code_by_digests(&mut self, digests: &[CodeDigest]) -> Result<Option<Code>, StoreError> {
        let tables = self.tables();
        let id = digests.iter().find_map(|digest| tables.codes_by_digest.get(digest.as_bytes()));
        Ok(id.and_then(|id| tables.codes.get(id)).cloned())
    }

    async fn known_digests(&mut self, digests: &[CodeDigest]) -> Result<Vec<CodeDigest>, StoreError> {
        let tables = self.tables();
        Ok(digests.iter().copied().filter(|digest| tables.codes_by_digest.contains(digest.as_bytes())).collect())
    }

    async fn codes_page(
        &mut self,
        tenant: TenantId,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> Result<Page<Code>, StoreError> {
        self.codes_of_anyone_page(Some(tenant), filter, now, page).await
    }

    async fn code_of_anyone(&mut self, id: CodeId) -> Result<Option<Code>, StoreError> {
        Ok(self.tables().codes.get(&id).cloned())
    }

    async fn codes_of_anyone_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> Result<Page<Code>, StoreError> {
        let wanted = |code: &Code| tenant.is_none_or(|tenant| code.tenant_id == tenant) && filter.keeps(code, now);
        Ok(self.tables().codes.page(page, wanted))
    }

    async fn count_codes(&mut self, tenant: TenantId, now: Timestamp) -> Result<[u64; 4], StoreError> {
        let tables = self.tables();
        let own = tables.codes.rows().filter(|code| code.tenant_id == tenant);
        Ok(tally(CodeStatus::ALL, own.map(|code| code.status(now))))
    }
}

impl CodeWrites for MemoryTransaction {
    async fn insert_codes(&mut self, issue: &CodeIssue, codes: &[NewCode]) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        tables.demand_tenant(issue.tenant_id)?;
        for new in codes {
            let digest = *new.digest.as_bytes();
            demand(!tables.codes_by_digest.contains(&digest), "a code with this digest exists")?;
            tables.codes_by_digest.put(digest, new.id);
            tables.codes.put(new.id, new.issued(issue));
        }
        Ok(())
    }

    async fn consume_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        text: Option<&UsedText>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let by_its_text = |code: &Code| text.is_none_or(|text| text.candidates.contains(&code.digest));
        let usable = |code: &Code| code.tenant_id == tenant && code.status(now) == CodeStatus::Active && by_its_text(code);
        let rekeyed = text.and_then(|text| text.rekeyed.as_ref());
        let tables = self.tables_mut();
        let mut former = None;
        let consumed = tables.codes.change_if(&id, usable, |code| {
            code.use_count += 1;
            code.used_at = Some(now);
            code.updated_at = now;
            if let Some(signing) = rekeyed {
                former = Some(std::mem::replace(&mut code.digest, signing.digest));
                code.key_id = signing.key_id.clone();
            }
        });
        let consumed = consumed.is_some();
        if let (Some(former), Some(signing)) = (former, rekeyed) {
            tables.codes_by_digest.delete_if(former.as_bytes(), |_| true);
            tables.codes_by_digest.put(*signing.digest.as_bytes(), id);
        }
        Ok(consumed)
    }

    async fn consume_next_code(&mut self, tenant: TenantId, now: Timestamp) -> Result<Option<CodeId>, StoreError> {
        let tables = self.tables();
        let usable = tables.codes.rows().filter(|code| code.tenant_id == tenant && code.status(now) == CodeStatus::Active);
        let order = |code: &&Code| (code.expires_at.is_none(), code.expires_at, code.created_at, code.id);
        let Some(id) = usable.min_by_key(order).map(|code| code.id) else {
            return Ok(None);
        };
        Ok(self.consume_code(tenant, id, None, now).await?.then_some(id))
    }

    async fn revoke_code(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let standing = |code: &Code| code.tenant_id == tenant && code.revoked_at.is_none();
        let revoked = self.tables_mut().codes.change_if(&id, standing, |code| {
            code.revoked_at = Some(now);
            code.updated_at = now;
        });
        Ok(revoked.is_some())
    }

    async fn reissue_code(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        from: CodeDigest,
        text: &NewCodeText,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        demand(!tables.codes_by_digest.contains(text.digest.as_bytes()), "a code with this digest exists")?;
        let standing = |code: &Code| code.tenant_id == tenant && code.digest == from && code.status(now) == CodeStatus::Active;
        let reissued = tables.codes.change_if(&id, standing, |code| {
            code.digest = text.digest;
            code.key_id = text.key_id.clone();
            code.hint.clone_from(&text.hint);
            code.updated_at = now;
        });
        if reissued.is_none() {
            return Ok(false);
        }
        tables.codes_by_digest.delete_if(from.as_bytes(), |_| true);
        tables.codes_by_digest.put(*text.digest.as_bytes(), id);
        Ok(true)
    }

    async fn move_code_expiry(
        &mut self,
        tenant: TenantId,
        id: CodeId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let standing = |code: &Code| code.tenant_id == tenant && code.revoked_at.is_none() && code.expires_at == from;
        let moved = self.tables_mut().codes.change_if(&id, standing, |code| {
            code.expires_at = to;
            code.updated_at = now;
        });
        Ok(moved.is_some())
    }

    async fn give_back_use(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let used = |code: &Code| code.tenant_id == tenant && code.use_count > 0;
        let given = self.tables_mut().codes.change_if(&id, used, |code| {
            code.use_count -= 1;
            code.updated_at = now;
        });
        Ok(given.is_some())
    }
}
