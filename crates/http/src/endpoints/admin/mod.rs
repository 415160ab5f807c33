//! What an operator can do.

pub(crate) mod api_keys;
pub(crate) mod auth;
pub(crate) mod batches;
pub(crate) mod bulk_issue;
pub(crate) mod code_check;
pub(crate) mod code_records;
pub(crate) mod codes;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod messages;
pub(crate) mod operators;
pub(crate) mod plans;
pub(crate) mod projects;
pub(crate) mod sessions;
pub(crate) mod stats;
pub(crate) mod subscriptions;
pub(crate) mod tenant_sessions;
pub(crate) mod tenants;
pub(crate) mod webhooks;
