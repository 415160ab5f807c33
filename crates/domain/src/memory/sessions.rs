use super::{
    store::{MemoryTransaction, Mode, View},
    tables::demand,
};
use crate::{
    Page, PageRequest, Session, SessionId, StoreError, Tenant, TenantId, Timestamp, TokenDigest,
    ports::{SessionReads, SessionTouch, SessionWrites},
};

impl<M: Mode> SessionReads for View<M> {
    async fn session_by_digests(&mut self, digests: &[TokenDigest]) -> Result<Option<(Session, Tenant)>, StoreError> {
        let tables = self.tables();
        let id = digests.iter().find_map(|digest| tables.sessions_by_digest.get(digest.as_bytes()));
        let session = id.and_then(|id| tables.sessions.get(id));
        Ok(session.and_then(|session| Some((session.clone(), tables.tenants.get(&session.tenant_id)?.clone()))))
    }

    async fn live_sessions_page(
        &mut self,
        tenant: TenantId,
        now: Timestamp,
        page: PageRequest<Session>,
    ) -> Result<Page<Session>, StoreError> {
        Ok(self.tables().sessions.page(page, |session| session.tenant_id == tenant && session.is_live(now)))
    }
}

impl SessionWrites for MemoryTransaction {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        let digest = *session.token_digest.as_bytes();
        tables.demand_tenant(session.tenant_id)?;
        demand(!tables.sessions_by_digest.contains(&digest), "a session with this digest exists")?;
        tables.sessions_by_digest.put(digest, session.id);
        tables.sessions.put(session.id, session.clone());
        Ok(())
    }

    async fn touch_session(&mut self, id: SessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        let mut rekeyed = None;
        let due = |session: &Session| session.is_due(&touch);
        let touched = tables.sessions.change_if(&id, due, |session| rekeyed = session.touch(&touch)).is_some();
        if let Some([former, digest]) = rekeyed {
            tables.sessions_by_digest.delete_if(former.as_bytes(), |_| true);
            tables.sessions_by_digest.put(*digest.as_bytes(), id);
        }
        Ok(touched)
    }

    async fn revoke_session(&mut self, tenant: TenantId, id: SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let live = |session: &Session| session.tenant_id == tenant && session.is_live(now);
        let revoked = self.tables_mut().sessions.change_if(&id, live, |session| session.revoked_at = Some(now));
        Ok(revoked.is_some())
    }

    async fn revoke_sessions(&mut self, tenant: TenantId, now: Timestamp) -> Result<u64, StoreError> {
        let live = |session: &Session| session.tenant_id == tenant && session.is_live(now);
        Ok(self.tables_mut().sessions.change_all(live, |session| session.revoked_at = Some(now)))
    }

    async fn revoke_other_sessions(&mut self, tenant: TenantId, kept: SessionId, now: Timestamp) -> Result<u64, StoreError> {
        let other = |session: &Session| session.tenant_id == tenant && session.id != kept && session.is_live(now);
        Ok(self.tables_mut().sessions.change_all(other, |session| session.revoked_at = Some(now)))
    }
}
