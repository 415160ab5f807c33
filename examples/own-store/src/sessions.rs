use tenantry_domain::{
    Page, PageRequest, Session, SessionId, StoreError, Tenant, TenantId, Timestamp, TokenDigest,
    ports::{SessionReads, SessionTouch, SessionWrites},
};

use crate::{
    error::demand,
    store::{Mode, RedbTransaction, View},
    tables::{SESSIONS, SESSIONS_BY_DIGEST, TENANTS},
};

impl<M: Mode> SessionReads for View<M> {
    async fn session_by_digests(&mut self, digests: &[TokenDigest]) -> Result<Option<(Session, Tenant)>, StoreError> {
        let rows = self.rows()?;
        let digests = digests.iter().map(TokenDigest::as_bytes);
        let Some(session) = rows.by_digests(SESSIONS_BY_DIGEST, SESSIONS, digests)? else { return Ok(None) };
        Ok(rows.get(TENANTS, &session.tenant_id)?.map(|owner| (session, owner)))
    }

    async fn live_sessions_page(
        &mut self,
        tenant: TenantId,
        now: Timestamp,
        page: PageRequest<Session>,
    ) -> Result<Page<Session>, StoreError> {
        self.rows()?.page(SESSIONS, page, |session| session.tenant_id == tenant && session.is_live(now))
    }
}

impl SessionWrites for RedbTransaction {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        let digest = *session.token_digest.as_bytes();
        rows.demand_tenant(session.tenant_id)?;
        demand(!rows.has(SESSIONS_BY_DIGEST, &digest)?, "a session with this digest exists")?;
        rows.put(SESSIONS_BY_DIGEST, &digest, &session.id)?;
        rows.put(SESSIONS, &session.id, session)
    }

    async fn touch_session(&mut self, id: SessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let mut rekeyed = None;
        let due = |session: &Session| session.is_due(&touch);
        let touched = rows.change_if(SESSIONS, &id, due, |session| rekeyed = session.touch(&touch))?;
        rows.rekey(SESSIONS_BY_DIGEST, rekeyed, &id)?;
        Ok(touched.is_some())
    }

    async fn revoke_session(&mut self, tenant: TenantId, id: SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let live = |session: &Session| session.tenant_id == tenant && session.is_live(now);
        let revoked = self.rows_mut().change_if(SESSIONS, &id, live, |session| session.revoked_at = Some(now))?;
        Ok(revoked.is_some())
    }

    async fn revoke_sessions(&mut self, tenant: TenantId, now: Timestamp) -> Result<u64, StoreError> {
        let live = |session: &Session| session.tenant_id == tenant && session.is_live(now);
        self.rows_mut().change_all(SESSIONS, live, |session| session.revoked_at = Some(now))
    }

    async fn revoke_other_sessions(&mut self, tenant: TenantId, kept: SessionId, now: Timestamp) -> Result<u64, StoreError> {
        let other = |session: &Session| session.tenant_id == tenant && session.id != kept && session.is_live(now);
        self.rows_mut().change_all(SESSIONS, other, |session| session.revoked_at = Some(now))
    }
}
