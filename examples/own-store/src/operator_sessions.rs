use tenantry_domain::{
    Operator, OperatorId, OperatorSession, OperatorSessionId, Page, PageRequest, StoreError, Timestamp, TokenDigest,
    ports::{OperatorSessionReads, OperatorSessionWrites, SessionTouch},
};

use crate::{
    error::demand,
    store::{Mode, RedbTransaction, View},
    tables::{OPERATOR_SESSIONS, OPERATOR_SESSIONS_BY_DIGEST, OPERATORS},
};

impl<M: Mode> OperatorSessionReads for View<M> {
    async fn operator_session_by_digests(
        &mut self,
        digests: &[TokenDigest],
    ) -> Result<Option<(OperatorSession, Operator)>, StoreError> {
        let rows = self.rows()?;
        let digests = digests.iter().map(TokenDigest::as_bytes);
        let Some(session) = rows.by_digests(OPERATOR_SESSIONS_BY_DIGEST, OPERATOR_SESSIONS, digests)? else { return Ok(None) };
        Ok(rows.get(OPERATORS, &session.operator_id)?.map(|owner| (session, owner)))
    }

    async fn live_operator_sessions_page(
        &mut self,
        operator: OperatorId,
        now: Timestamp,
        page: PageRequest<OperatorSession>,
    ) -> Result<Page<OperatorSession>, StoreError> {
        self.rows()?.page(OPERATOR_SESSIONS, page, |session| session.operator_id == operator && session.is_live(now))
    }
}

impl OperatorSessionWrites for RedbTransaction {
    async fn insert_operator_session(&mut self, session: &OperatorSession) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        let digest = *session.token_digest.as_bytes();
        demand(rows.has(OPERATORS, &session.operator_id)?, "there is no such operator")?;
        demand(!rows.has(OPERATOR_SESSIONS_BY_DIGEST, &digest)?, "a session with this digest exists")?;
        rows.put(OPERATOR_SESSIONS_BY_DIGEST, &digest, &session.id)?;
        rows.put(OPERATOR_SESSIONS, &session.id, session)
    }

    async fn touch_operator_session(&mut self, id: OperatorSessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let mut rekeyed = None;
        let due = |session: &OperatorSession| session.is_due(&touch);
        let touched = rows.change_if(OPERATOR_SESSIONS, &id, due, |session| rekeyed = session.touch(&touch))?;
        rows.rekey(OPERATOR_SESSIONS_BY_DIGEST, rekeyed, &id)?;
        Ok(touched.is_some())
    }

    async fn revoke_operator_session(
        &mut self,
        operator: OperatorId,
        id: OperatorSessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let live = |session: &OperatorSession| session.operator_id == operator && session.is_live(now);
        let revoked = self.rows_mut().change_if(OPERATOR_SESSIONS, &id, live, |session| session.revoked_at = Some(now))?;
        Ok(revoked.is_some())
    }

    async fn revoke_operator_sessions(&mut self, operator: OperatorId, now: Timestamp) -> Result<u64, StoreError> {
        let live = |session: &OperatorSession| session.operator_id == operator && session.is_live(now);
        self.rows_mut().change_all(OPERATOR_SESSIONS, live, |session| session.revoked_at = Some(now))
    }
}
