use std::future::Future;

use super::{SessionTouch, StoreError};
use crate::{Operator, OperatorId, OperatorSession, OperatorSessionId, Page, PageRequest, Timestamp, TokenDigest};

/// Reads of operators' sessions.
pub trait OperatorSessionReads {
    /// The session that has one of these digests, live or not, and its operator as it is now: one round trip.
    fn operator_session_by_digests(
        &mut self,
        digests: &[TokenDigest],
    ) -> impl Future<Output = Result<Option<(OperatorSession, Operator)>, StoreError>> + Send;

    /// An operator's sessions that are live at `now`, newest first.
    fn live_operator_sessions_page(
        &mut self,
        operator: OperatorId,
        now: Timestamp,
        page: PageRequest<OperatorSession>,
    ) -> impl Future<Output = Result<Page<OperatorSession>, StoreError>> + Send;
}

/// Writes of operators' sessions.
pub trait OperatorSessionWrites {
    /// Stores a new session.
    fn insert_operator_session(&mut self, session: &OperatorSession) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes activity of a session that is live at `touch.now`; `false` when it isn't, or was active since.
    fn touch_operator_session(
        &mut self,
        id: OperatorSessionId,
        touch: SessionTouch,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends one of an operator's sessions that are live at `now`; `false` when there is none.
    fn revoke_operator_session(
        &mut self,
        operator: OperatorId,
        id: OperatorSessionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends all sessions of an operator that are live at `now`, and says how many.
    fn revoke_operator_sessions(
        &mut self,
        operator: OperatorId,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
