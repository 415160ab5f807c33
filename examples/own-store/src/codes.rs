use tenantry_domain::{
    Code, CodeDigest, CodeId, CodeStatus, NewCode, NewCodeText, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{CodeFilter, CodeIssue, CodeReads, CodeWrites, UsedText},
};

use crate::{
    error::demand,
    stats::tally,
    store::{Mode, RedbTransaction, View},
    tables::{CODES, CODES_BY_DIGEST},
};

impl<M: Mode> CodeReads for View<M> {
    async fn code(&mut self, tenant: TenantId, id: CodeId) -> Result<Option<Code>, StoreError> {
        Ok(self.rows()?.get(CODES, &id)?.filter(|code| code.tenant_id == tenant))
    }

    async fn code_by_digests(&mut self, digests: &[CodeDigest]) -> Result<Option<Code>, StoreError> {
        self.rows()?.by_digests(CODES_BY_DIGEST, CODES, digests.iter().map(CodeDigest::as_bytes))
    }

    async fn known_digests(&mut self, digests: &[CodeDigest]) -> Result<Vec<CodeDigest>, StoreError> {
        let rows = self.rows()?;
        let mut known = Vec::new();
        for &digest in digests {
            if rows.has(CODES_BY_DIGEST, digest.as_bytes())? {
                known.push(digest);
            }
        }
        Ok(known)
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
        self.rows()?.get(CODES, &id)
    }

    async fn codes_of_anyone_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> Result<Page<Code>, StoreError> {
        let wanted = |code: &Code| tenant.is_none_or(|tenant| code.tenant_id == tenant) && filter.keeps(code, now);
        self.rows()?.page(CODES, page, wanted)
    }

    async fn count_codes(&mut self, tenant: TenantId, now: Timestamp) -> Result<[u64; 4], StoreError> {
        let own = self.rows()?.list(CODES, |code| code.tenant_id == tenant)?;
        Ok(tally(CodeStatus::ALL, own.iter().map(|code| code.status(now))))
    }
}

impl CodeWrites for RedbTransaction {
    async fn insert_codes(&mut self, issue: &CodeIssue, codes: &[NewCode]) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        rows.demand_tenant(issue.tenant_id)?;
        for new in codes {
            let digest = *new.digest.as_bytes();
            demand(!rows.has(CODES_BY_DIGEST, &digest)?, "a code with this digest exists")?;
            rows.put(CODES_BY_DIGEST, &digest, &new.id)?;
            rows.put(CODES, &new.id, &new.issued(issue))?;
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
        let rows = self.rows_mut();
        let mut former = None;
        let consumed = rows.change_if(CODES, &id, usable, |code| {
            code.use_count += 1;
            code.used_at = Some(now);
            code.updated_at = now;
            if let Some(signing) = rekeyed {
                former = Some(std::mem::replace(&mut code.digest, signing.digest));
                code.key_id = signing.key_id.clone();
            }
        })?;
        let consumed = consumed.is_some();
        if let (Some(former), Some(signing)) = (former, rekeyed) {
            rows.delete(CODES_BY_DIGEST, former.as_bytes());
            rows.put(CODES_BY_DIGEST, signing.digest.as_bytes(), &id)?;
        }
        Ok(consumed)
    }

    async fn consume_next_code(&mut self, tenant: TenantId, now: Timestamp) -> Result<Option<CodeId>, StoreError> {
        let usable = |code: &Code| code.tenant_id == tenant && code.status(now) == CodeStatus::Active;
        let usable = self.rows()?.list(CODES, usable)?.into_iter();
        let order = |code: &Code| (code.expires_at.is_none(), code.expires_at, code.created_at, code.id);
        let Some(id) = usable.min_by_key(order).map(|code| code.id) else {
            return Ok(None);
        };
        Ok(self.consume_code(tenant, id, None, now).await?.then_some(id))
    }

    async fn revoke_code(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let standing = |code: &Code| code.tenant_id == tenant && code.revoked_at.is_none();
        let revoked = self.rows_mut().change_if(CODES, &id, standing, |code| {
            code.revoked_at = Some(now);
            code.updated_at = now;
        })?;
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
        let rows = self.rows_mut();
        demand(!rows.has(CODES_BY_DIGEST, text.digest.as_bytes())?, "a code with this digest exists")?;
        let standing = |code: &Code| code.tenant_id == tenant && code.digest == from && code.status(now) == CodeStatus::Active;
        let reissued = rows.change_if(CODES, &id, standing, |code| {
            code.digest = text.digest;
            code.key_id = text.key_id.clone();
            code.hint.clone_from(&text.hint);
            code.updated_at = now;
        })?;
        if reissued.is_none() {
            return Ok(false);
        }
        rows.delete(CODES_BY_DIGEST, from.as_bytes());
        rows.put(CODES_BY_DIGEST, text.digest.as_bytes(), &id)?;
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
        let moved = self.rows_mut().change_if(CODES, &id, standing, |code| {
            code.expires_at = to;
            code.updated_at = now;
        })?;
        Ok(moved.is_some())
    }

    async fn give_back_use(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let used = |code: &Code| code.tenant_id == tenant && code.use_count > 0;
        let given = self.rows_mut().change_if(CODES, &id, used, |code| {
            code.use_count -= 1;
            code.updated_at = now;
        })?;
        Ok(given.is_some())
    }
}
