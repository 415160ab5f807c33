//! A store of your own: [`tenantry_domain`]'s ports on [redb](https://docs.rs/redb), a key-value store in one file.
//!
//! Four files carry it:
//!
//! - `tables` names the tables: a key, a row, and the few that lead from a digest to a row.
//! - `rows` reads and writes them, as a transaction sees them: a snapshot of the file, and over it what the transaction wrote.
//! - `store` is [`RedbStore`]: readers, transactions that take turns, the commit, and parking.
//! - `error` makes a [`StoreError`](tenantry_domain::StoreError) of what redb says.
//!
//! The others implement a port each, and are named like the files of [`tenantry_domain::ports`]. `tests/conformance.rs` holds the store
//! against every rule.

mod adoption;
mod api_keys;
mod audit;
mod batches;
mod bootstrap;
mod codes;
mod error;
mod housekeeping;
mod idempotency;
mod ledger;
mod limits;
mod operator_sessions;
mod operators;
mod otps;
mod outbox;
mod plans;
mod projects;
mod rows;
mod sessions;
mod signing_keys;
mod stats;
mod store;
mod tables;
mod tenants;
mod webhooks;

pub use store::{RedbReader, RedbStore, RedbTransaction};
