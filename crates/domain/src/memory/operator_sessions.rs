use super::{
    store::{MemoryTransaction, Mode, View},
    tables::demand,
};
use crate::{
    Operator, OperatorId, OperatorSession, OperatorSessionId, Page, PageRequest, StoreError, Timestamp, TokenDigest,
    ports::{OperatorSessionReads, OperatorSessionWrites, SessionTouch},
};

impl<M: Mode> OperatorSessionReads for View<M> {
    async fn operator_session_by_digests(
        &mut self,
        digests: &[TokenDigest],
    ) -> Result<Option<(OperatorSession, Operator)>, StoreError> {
        let tables = self.tables();
        let id = digests.iter().find_map(|digest| tables.operator_sessions_by_digest.get(digest.as_bytes()));
        let session = id.and_then(|id| tables.operator_sessions.get(id));
        Ok(session.and_then(|session| Some((session.clone(), tables.operators.get(&session.operator_id)?.clone()))))
    }

    async fn live_operator_sessions_page(
        &mut self,
        operator: OperatorId,
        now: Timestamp,
        page: PageRequest<OperatorSession>,
    ) -> Result<Page<OperatorSession>, StoreError> {
        Ok(self.tables().operator_sessions.page(page, |session| session.operator_id == operator && session.is_live(now)))
    }
}

impl OperatorSessionWrites for MemoryTransaction {
    async fn insert_operator_session(&mut self, session: &OperatorSession) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        let digest = *session.token_digest.as_bytes();
        tables.demand_operator(session.operator_id)?;
        demand(!tables.operator_sessions_by_digest.contains(&digest), "a session with this digest exists")?;
        tables.operator_sessions_by_digest.put(digest, session.id);
        tables.operator_sessions.put(session.id, session.clone());
        Ok(())
    }

    async fn touch_operator_session(&mut self, id: OperatorSessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        let mut rekeyed = None;
        let due = |session: &OperatorSession| session.is_due(&touch);
        let touched = tables.operator_sessions.change_if(&id, due, |session| rekeyed = session.touch(&touch)).is_some();
        if let Some([former, digest]) = rekeyed {
            tables.operator_sessions_by_digest.delete_if(former.as_bytes(), |_| true);
            tables.operator_sessions_by_digest.put(*digest.as_bytes(), id);
        }
        Ok(touched)
    }

    async fn revoke_operator_session(
        &mut self,
        operator: OperatorId,
        id: OperatorSessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let live = |session: &OperatorSession| session.operator_id == operator && session.is_live(now);
        let revoked = self.tables_mut().operator_sessions.change_if(&id, live, |session| session.revoked_at = Some(now));
        Ok(revoked.is_some())
    }

    async fn revoke_operator_sessions(&mut self, operator: OperatorId, now: Timestamp) -> Result<u64, StoreError> {
        let live = |session: &OperatorSession| session.operator_id == operator && session.is_live(now);
        Ok(self.tables_mut().operator_sessions.change_all(live, |session| session.revoked_at = Some(now)))
    }
}
