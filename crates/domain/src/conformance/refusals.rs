//! A refused activation consumes nothing and says why.

use super::{
    fixtures::Issued,
    world::{World, first_page, later, noon},
};
use crate::{
    Action, ActivateError, ActivateWith, AuditFilter, Code, PlainCode, Project, ProjectId, ProjectStatus, Quota, Redemption,
    Refusal, SeededEntropy, SubscriptionState, TenantId, ports::*,
};

/// What an activation would change.
#[derive(Debug, PartialEq)]
struct Untouched {
    code: Code,
    project: Option<Project>,
    ledger: Vec<Redemption>,
    month: u32,
}

impl<S: Store> World<S> {
    async fn untouched(&self, tenant: TenantId, code: &Issued, project: ProjectId) -> Untouched {
        let mut reader = self.read();
        Untouched {
            code: self.stored_code(tenant, code.id).await,
            project: reader.project(tenant, project).await.unwrap(),
            ledger: reader.redemptions_of_code(tenant, code.id).await.unwrap(),
            month: reader.activations_in(tenant, later(60).month()).await.unwrap(),
        }
    }

    /// The error of an activation at `later(60)`, which must leave everything as it is but for one audit event, if the refusal is one
    /// that is held against a tenant.
    async fn refused(
        &self,
        tenant: TenantId,
        code: &Issued,
        project: ProjectId,
        with: ActivateWith,
        audited: Option<&str>,
    ) -> Refusal {
        let before = self.untouched(tenant, code, project).await;
        let events = self.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
        let ActivateError::Refused(refusal) = self.activate(tenant, project, with, later(60)).await.unwrap_err() else {
            panic!("the store failed")
        };
        assert_eq!(self.untouched(tenant, code, project).await, before, "after {refusal:?}");

        let since = self.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
        let new = since.iter().filter(|event| !events.contains(event));
        let reasons: Vec<_> = new.map(|event| (event.action.as_str(), event.details.get("reason").cloned())).collect();
        let expected: Vec<_> =
            audited.into_iter().map(|reason| (Action::ActivationRefused.as_str(), Some(reason.to_owned()))).collect();
        assert_eq!(reasons, expected, "after {refusal:?}");
        refusal
    }
}

/// A code that doesn't exist, or is another tenant's, is unknown.
pub async fn an_unknown_code_is_refused<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    let foreign = world.code(other, 1).await;
    let nobodys = ActivateWith::Code(PlainCode::generate(&SeededEntropy::new(99)).into());
    for with in [foreign.by_text(), foreign.by_id(), nobodys, ActivateWith::CodeId(world.id(noon()))] {
        let refusal = world.refused(tenant, &code, project, with, Some("code_unknown")).await;
        assert_eq!(refusal, Refusal::UnknownCode);
    }
    assert_eq!(world.stored_code(other, foreign.id).await.use_count, 0, "the other tenant's code stays unused");
}

/// A revoked code stays as it is.
pub async fn a_revoked_code_is_refused<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    assert!(world.write(async |tx| tx.revoke_code(tenant, code.id, later(5)).await).await);
    for with in [code.by_text(), code.by_id()] {
        let refusal = world.refused(tenant, &code, project, with, Some("code_revoked")).await;
        assert_eq!(refusal, Refusal::Revoked { at: later(5) });
    }
}

/// An expired code stays unused, from its very last moment on.
pub async fn an_expired_code_is_refused<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code_until(tenant, later(60), noon()).await, world.project(tenant).await);
    for with in [code.by_text(), code.by_id()] {
        let refusal = world.refused(tenant, &code, project, with, Some("code_expired")).await;
        assert_eq!(refusal, Refusal::Expired { at: later(60) });
    }
}

/// A code that is used up activates no further project.
pub async fn an_exhausted_code_is_refused<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    let first = world.project(tenant).await;
    world.activate(tenant, first, code.by_text(), noon()).await.unwrap();
    for with in [code.by_text(), code.by_id()] {
        let refusal = world.refused(tenant, &code, project, with, Some("code_exhausted")).await;
        assert_eq!(refusal, Refusal::Exhausted);
    }
    let refusal = world.refused(tenant, &code, project, ActivateWith::NextAvailable, Some("no_code_available")).await;
    assert_eq!(refusal, Refusal::NoCodeAvailable);
}

/// Beyond the month's quota a code stays unused and its project pending.
pub async fn an_activation_beyond_the_quota_is_refused<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_on(1, SubscriptionState::Active).await;
    let (code, project) = (world.code(tenant, 5).await, world.project(tenant).await);
    let first = world.project(tenant).await;
    world.activate(tenant, first, code.by_text(), noon()).await.unwrap();
    for with in [code.by_text(), code.by_id(), ActivateWith::NextAvailable] {
        let refusal = world.refused(tenant, &code, project, with, Some("quota_exceeded")).await;
        assert_eq!(refusal, Refusal::QuotaExceeded { quota: Quota::new(1).unwrap(), month: noon().month() });
    }
}

/// A tenant that doesn't pay, or is suspended, activates nothing.
pub async fn an_activation_without_a_subscription_that_allows_it_is_refused<S: Store>(store: S) {
    use SubscriptionState::{Canceled, PastDue, Suspended, Unpaid};
    let world = World::new(store);
    for state in [PastDue, Unpaid, Canceled, Suspended] {
        let tenant = world.tenant_on(10, state).await;
        let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
        let refusal = world.refused(tenant, &code, project, code.by_text(), Some("subscription_inactive")).await;
        assert_eq!(refusal, Refusal::SubscriptionInactive { state });
    }
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    assert!(world.write(async |tx| tx.set_tenant_suspended(tenant, Some(noon()), noon()).await).await);
    let refusal = world.refused(tenant, &code, project, code.by_text(), Some("tenant_suspended")).await;
    assert_eq!(refusal, Refusal::TenantSuspended);
}

/// A project that is past pending takes no other code, and another tenant's project none at all.
pub async fn a_project_that_is_active_or_unknown_takes_no_code<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let code = world.code(tenant, 5).await;
    for status in [ProjectStatus::Active, ProjectStatus::Paused, ProjectStatus::Completed] {
        let project = world.project_in(tenant, status).await;
        let refusal = world.refused(tenant, &code, project, code.by_text(), None).await;
        assert_eq!(refusal, Refusal::AlreadyActive);
    }
    for project in [world.project(other).await, world.id(noon())] {
        let refusal = world.refused(tenant, &code, project, code.by_text(), None).await;
        assert_eq!(refusal, Refusal::UnknownProject);
    }
}
