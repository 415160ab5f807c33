use std::future::Future;

use super::{ProjectFilter, ProjectReads, StoreError};
use crate::{Page, PageRequest, Project, Session, SessionId, Tenant, TenantId, Timestamp, TokenDigest};

/// A session's activity, as it is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTouch {
    /// The new `last_activity`.
    pub now: Timestamp,
    /// Only where `last_activity` is not after this: what keeps the writes to one a minute.
    pub unless_active_since: Timestamp,
    /// The new `expires_at`.
    pub expires_at: Timestamp,
    /// The new digest of its token, where that which it has was made by a key that signs no more.
    pub rekeyed: Option<TokenDigest>,
}

/// Reads of sessions.
pub trait SessionReads {
    /// The session that has one of these digests, live or not, and its tenant, suspended or not: one round trip.
    fn session_by_digests(
        &mut self,
        digests: &[TokenDigest],
    ) -> impl Future<Output = Result<Option<(Session, Tenant)>, StoreError>> + Send;

    /// [`session_by_digests`](Self::session_by_digests), and a page of the tenant's projects, newest first: what a tenant's first page is
    /// made of. A store that is asked over a wire does it in one round trip.
    fn session_and_projects(
        &mut self,
        digests: &[TokenDigest],
        page: PageRequest<Project>,
    ) -> impl Future<Output = Result<Option<(Session, Tenant, Page<Project>)>, StoreError>> + Send
    where
        Self: ProjectReads + Send,
    {
        async move {
            let Some((session, tenant)) = self.session_by_digests(digests).await? else { return Ok(None) };
            let projects = self.projects_page(tenant.id, &ProjectFilter::default(), page).await?;
            Ok(Some((session, tenant, projects)))
        }
    }

    /// A tenant's sessions that are live at `now`, newest first.
    fn live_sessions_page(
        &mut self,
        tenant: TenantId,
        now: Timestamp,
        page: PageRequest<Session>,
    ) -> impl Future<Output = Result<Page<Session>, StoreError>> + Send;
}

/// Writes of sessions.
pub trait SessionWrites {
    /// Stores a new session.
    fn insert_session(&mut self, session: &Session) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes activity of a session that is live at `touch.now`; `false` when it isn't, or was active since.
    fn touch_session(&mut self, id: SessionId, touch: SessionTouch) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends one of a tenant's sessions that are live at `now`; `false` when there is none.
    fn revoke_session(
        &mut self,
        tenant: TenantId,
        id: SessionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends all sessions of a tenant that are live at `now`, and says how many.
    fn revoke_sessions(&mut self, tenant: TenantId, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The same, for all but one.
    fn revoke_other_sessions(
        &mut self,
        tenant: TenantId,
        kept: SessionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
