//! Tenantry's store on SQLite and PostgreSQL: `tenantry_domain`'s ports by way of sea-orm.
//!
//! [`DatabaseStore::connect`] opens a database that `tenantry-migration` has brought up to date. The adapters are written once for
//! both databases, a file for each file of the ports; the tables they read and write are in `entities`. What differs is in few places:
//!
//! - SQLite has one connection that writes and several that read, and its transactions begin IMMEDIATE, so writers take turns from
//!   their first statement on. PostgreSQL has one pool at READ COMMITTED, and row locks where a rule spans several rows.
//! - Where several transactions race, one conditional statement decides.

#![deny(missing_docs)]

mod activation;
mod adoption;
mod api_keys;
mod audit;
mod backup;
mod batches;
mod binary_copy;
mod bootstrap;
mod code_inserts;
mod code_lists;
mod codes;
mod connect;
mod connect_error;
mod connection;
mod entities;
mod error;
mod figures;
mod handle;
mod housekeeping;
mod idempotency;
mod inspection;
mod ledger;
mod limits;
mod older_portal;
mod operator_sessions;
mod operators;
mod options;
mod otps;
mod outbox;
mod plans;
mod projects;
mod row;
mod search;
mod session_pages;
mod sessions;
mod sign_in;
mod signing_keys;
mod stats;
mod store;
mod tenants;
mod timestamp;
mod webhooks;

pub use crate::{
    backup::{BackupError, Contents, GoneSince, RestoreOptions, Restored, back_up, restore},
    connect_error::ConnectError,
    connection::{Connection, OpenTransaction, Pooled},
    figures::{OutboxFigures, PoolFigures},
    handle::Handle,
    inspection::{AdoptedCount, Finding, Inspection, Invariant, KeyInUse},
    older_portal::{OlderPortal, OlderPortalError, OlderRow, OlderTable, RowsBy, WantedField, WantedTable},
    options::Options,
    store::DatabaseStore,
};

#[cfg(doctest)] // what the README shows is run
#[doc = include_str!("../README.md")]
struct Readme;
