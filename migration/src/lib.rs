//! Tenantry's schema, step by step, the same steps on SQLite and PostgreSQL.
//!
//! [`up`], [`down`] and [`fresh`] take a database's address, wait for other migrators of the same database, and do all their
//! steps in one transaction: a step that fails leaves everything as it was. [`status`] only reads.
//!
//! [`copy`](fn@copy) brings all rows of one database into another with the same schema.

#![deny(missing_docs)]
#![expect(
    elided_lifetimes_in_paths,
    reason = "`MigrationTrait` hides the lifetime of `SchemaManager`, and async_trait wants it written alike"
)]

mod alone;
mod connection;
mod copy;
mod error;
mod lock;
mod m20260101_000001_create_tables;
mod m20260201_000001_add_tenant_scoping_to_projects;
mod m20260301_000001_create_ledger;
mod m20260301_000002_create_sign_in_guards;
mod m20260301_000003_create_audit_events;
mod m20260301_000004_create_outbox;
mod m20261125_000001_create_operators;
mod m20261125_000002_find_plans_and_tenants;
mod m20261125_000003_look_codes_up;
mod m20261125_000004_create_code_batches;
mod m20261125_000005_create_tallies;
mod m20261125_000006_create_idempotency_keys;
mod m20261125_000007_index_audit_events;
mod m20261125_000010_find_what_has_ended;
mod m20261125_000020_keep_dead_messages;
mod m20261125_000021_create_webhooks;
mod m20261126_000022_keep_traces;
mod m20261126_000034_remember_adopted_rows;
mod m20261126_000035_lighten_tallies;
mod m20261126_000036_know_signing_keys;
mod m20261126_000037_tally_tenants;
mod m20261127_000038_lighten_activations;
mod run;
mod sql;
mod status;
#[cfg(test)]
mod tests;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

pub use crate::{
    alone::Alone,
    copy::{Copied, CopyError, CopyOptions, Progress, Side, copy},
    error::MigrateError,
    run::{down, fresh, up},
    status::{SchemaStatus, Step, StepState, status},
};

/// The steps, for programs that run `sea-orm-migration` themselves; it takes no lock.
#[derive(Debug)]
pub struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260101_000001_create_tables::Migration),
            Box::new(m20260201_000001_add_tenant_scoping_to_projects::Migration),
            Box::new(m20260301_000001_create_ledger::Migration),
            Box::new(m20260301_000002_create_sign_in_guards::Migration),
            Box::new(m20260301_000003_create_audit_events::Migration),
            Box::new(m20260301_000004_create_outbox::Migration),
            Box::new(m20261125_000001_create_operators::Migration),
            Box::new(m20261125_000002_find_plans_and_tenants::Migration),
            Box::new(m20261125_000003_look_codes_up::Migration),
            Box::new(m20261125_000004_create_code_batches::Migration),
            Box::new(m20261125_000005_create_tallies::Migration),
            Box::new(m20261125_000006_create_idempotency_keys::Migration),
            Box::new(m20261125_000007_index_audit_events::Migration),
            Box::new(m20261125_000010_find_what_has_ended::Migration),
            Box::new(m20261125_000020_keep_dead_messages::Migration),
            Box::new(m20261125_000021_create_webhooks::Migration),
            Box::new(m20261126_000022_keep_traces::Migration),
            Box::new(m20261126_000034_remember_adopted_rows::Migration),
            Box::new(m20261126_000035_lighten_tallies::Migration),
            Box::new(m20261126_000036_know_signing_keys::Migration),
            Box::new(m20261126_000037_tally_tenants::Migration),
            Box::new(m20261127_000038_lighten_activations::Migration),
        ]
    }
}

#[cfg(doctest)] // what the README shows is run
#[doc = include_str!("../README.md")]
struct Readme;
