//! The tables, and their rows as values of the domain.

pub(crate) mod adopted_rows;
pub(crate) mod api_keys;
pub(crate) mod audit_events;
pub(crate) mod batches;
pub(crate) mod bootstrap_links;
pub(crate) mod codes;
pub(crate) mod operator_sessions;
pub(crate) mod operators;
pub(crate) mod otp_challenges;
pub(crate) mod outbox;
pub(crate) mod plans;
pub(crate) mod projects;
pub(crate) mod redemptions;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod subscriptions;
pub(crate) mod tenants;
pub(crate) mod usage_months;
pub(crate) mod webhooks;
