//! The use cases, on the in-memory store. What every store must keep is in the conformance suite; here is what the use cases add.

#![expect(clippy::unwrap_used, reason = "tests")]

mod audit_trail;
mod changes;
mod create_tenant;
mod generate_codes;
mod import_codes;
mod manage_tenant;
mod projects;
mod read_stats;
mod support;
mod verdict;
