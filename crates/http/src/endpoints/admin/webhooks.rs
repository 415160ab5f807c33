//! The operators' webhooks.

use tenantry_domain::{Context, Scope, WebhookOwner, ports::Store};

use crate::{
    endpoints::webhooks::{self, Door, WebhookCaller},
    extract::Operator,
    operation::Operation,
    state::AppState,
};

const DOOR: Door = Door {
    look: |operation| operation.scope(Scope::WebhooksRead),
    change: |operation| operation.scope(Scope::WebhooksWrite),
    all: "/api/admin/webhooks",
    one: "/api/admin/webhooks/{id}",
    rotate: "/api/admin/webhooks/{id}/rotate-secret",
    test: "/api/admin/webhooks/{id}/test",
    deliveries: "/api/admin/webhooks/{id}/deliveries",
    redeliver: "/api/admin/webhooks/{id}/deliveries/{delivery}/redeliver",
    names: [
        "List webhooks",
        "Make a webhook",
        "Read a webhook",
        "Change a webhook",
        "Delete a webhook",
        "Rotate a webhook's secret",
        "Test a webhook",
        "List a webhook's deliveries",
        "Redeliver to a webhook",
    ],
    hears: "It hears of all tenants. Its secret is shown this once. There are ten at the most.",
};

impl<S: Store> WebhookCaller<S> for Operator<S> {
    fn owner(&self) -> WebhookOwner {
        WebhookOwner::Operators
    }

    fn cx<'a>(&self, state: &'a AppState<S>) -> Context<'a> {
        self.context(state)
    }
}

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    webhooks::operations::<S, Operator<S>>(&DOOR)
}
