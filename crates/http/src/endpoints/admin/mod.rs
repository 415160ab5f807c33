//! What an operator can do.

pub(crate) mod codes;
pub(crate) mod plans;
pub(crate) mod projects;
pub(crate) mod tenants;
