//! What a tenant can do.

pub(crate) mod activation;
pub(crate) mod auth;
pub(crate) mod certificate;
pub(crate) mod codes;
pub(crate) mod events;
pub(crate) mod profile;
pub(crate) mod projects;
pub(crate) mod sessions;
pub(crate) mod usage;
pub(crate) mod webhooks;
