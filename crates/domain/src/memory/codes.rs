use super::{
    store::{MemoryTransaction, Mode, View},
    tables::demand,
};
use crate::{
    Code, CodeDigest, CodeId, CodeStatus, NewCode, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{CodeIssue, CodeReads, CodeWrites},
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
        status: Option<CodeStatus>,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> Result<Page<Code>, StoreError> {
        let wanted = |code: &Code| code.tenant_id == tenant && status.is_none_or(|status| code.status(now) == status);
        Ok(self.tables().codes.page(page, wanted))
    }

    async fn count_codes(&mut self, tenant: TenantId, now: Timestamp) -> Result<[u64; 4], StoreError> {
        let tables = self.tables();
        let mut counts = CodeStatus::ALL.map(|status| (status, 0));
        for code in tables.codes.rows().filter(|code| code.tenant_id == tenant) {
            let status = code.status(now);
            counts.iter_mut().filter(|(counted, _)| *counted == status).for_each(|(_, count)| *count += 1);
        }
        Ok(counts.map(|(_, count)| count))
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
            tables.codes.put(new.id, unused(issue, new));
        }
        Ok(())
    }

    async fn consume_code(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let usable = |code: &Code| code.tenant_id == tenant && code.status(now) == CodeStatus::Active;
        let consumed = self.tables_mut().codes.change_if(&id, usable, |code| {
            code.use_count += 1;
            code.used_at = Some(now);
            code.updated_at = now;
        });
        Ok(consumed.is_some())
    }

    async fn consume_next_code(&mut self, tenant: TenantId, now: Timestamp) -> Result<Option<CodeId>, StoreError> {
        let tables = self.tables();
        let usable = tables.codes.rows().filter(|code| code.tenant_id == tenant && code.status(now) == CodeStatus::Active);
        let order = |code: &&Code| (code.expires_at.is_none(), code.expires_at, code.created_at, code.id);
        let Some(id) = usable.min_by_key(order).map(|code| code.id) else {
            return Ok(None);
        };
        Ok(self.consume_code(tenant, id, now).await?.then_some(id))
    }

    async fn revoke_code(&mut self, tenant: TenantId, id: CodeId, now: Timestamp) -> Result<bool, StoreError> {
        let standing = |code: &Code| code.tenant_id == tenant && code.revoked_at.is_none();
        let revoked = self.tables_mut().codes.change_if(&id, standing, |code| {
            code.revoked_at = Some(now);
            code.updated_at = now;
        });
        Ok(revoked.is_some())
    }
}

fn unused(issue: &CodeIssue, new: &NewCode) -> Code {
    let NewCode { id, digest, key_id, hint, label, max_uses, expires_at } = new.clone();
    Code {
        id,
        tenant_id: issue.tenant_id,
        digest,
        key_id,
        hint,
        label,
        max_uses,
        use_count: 0,
        expires_at,
        used_at: None,
        revoked_at: None,
        batch_id: issue.batch_id,
        created_at: issue.created_at,
        updated_at: issue.created_at,
    }
}
