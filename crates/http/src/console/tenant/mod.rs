//! A tenant's pages.

mod codes;
mod colors;
mod events;
mod profile;
mod project;
mod projects;
mod sessions;

use tenantry_domain::ports::Store;

use super::webhooks;
use crate::operation::Operation;

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    [
        projects::pages::<S>(),
        project::pages::<S>(),
        codes::pages::<S>(),
        events::pages::<S>(),
        profile::pages::<S>(),
        webhooks::tenant_pages::<S>(),
        sessions::pages::<S>(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
