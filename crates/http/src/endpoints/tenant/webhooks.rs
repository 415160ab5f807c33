//! A tenant's webhooks.

use tenantry_domain::{Context, WebhookOwner, ports::Store};

use crate::{
    endpoints::webhooks::{self, Door, WebhookCaller},
    errors::ErrorCode,
    extract::TenantSession,
    operation::Operation,
    state::AppState,
};

const DOOR: Door = Door {
    look: Operation::tenant,
    change: |operation| operation.tenant().refuses(&[ErrorCode::SubscriptionInactive, ErrorCode::TenantSuspended]),
    all: "/api/tenant/webhooks",
    one: "/api/tenant/webhooks/{id}",
    rotate: "/api/tenant/webhooks/{id}/rotate-secret",
    test: "/api/tenant/webhooks/{id}/test",
    deliveries: "/api/tenant/webhooks/{id}/deliveries",
    redeliver: "/api/tenant/webhooks/{id}/deliveries/{delivery}/redeliver",
    names: [
        "List own webhooks",
        "Make an own webhook",
        "Read an own webhook",
        "Change an own webhook",
        "Delete an own webhook",
        "Rotate an own webhook's secret",
        "Test an own webhook",
        "List an own webhook's deliveries",
        "Redeliver to an own webhook",
    ],
    hears: "It hears of this tenant alone. Its secret is shown this once. There are ten at the most.",
};

impl<S: Store> WebhookCaller<S> for TenantSession<S> {
    fn owner(&self) -> WebhookOwner {
        WebhookOwner::Tenant(self.id())
    }

    fn cx<'a>(&self, state: &'a AppState<S>) -> Context<'a> {
        self.context(state)
    }
}

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    webhooks::operations::<S, TenantSession<S>>(&DOOR)
}
