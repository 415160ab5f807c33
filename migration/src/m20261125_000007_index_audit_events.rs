//! The audit trail is asked for what was done, to what, by whom, and in which request.

use sea_orm_migration::{DbErr, MigrationTrait, SchemaManager, async_trait::async_trait, sea_orm::DeriveMigrationName};

use crate::sql;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, DROPS).await
    }
}

/// Each with its events in the order of a page. The last two are of all tenants' sessions too: whoever looks into one doesn't know whose it
/// is. An identifier has 36 characters; an operator's is followed by its session's.
const INDEXES: &[&str] = &[
    "CREATE INDEX audit_events_action ON audit_events (action, id)",
    "CREATE INDEX audit_events_target ON audit_events (target, id) WHERE target IS NOT NULL",
    "CREATE INDEX audit_events_request ON audit_events (request_id, id) WHERE request_id IS NOT NULL",
    "CREATE INDEX audit_events_kind ON audit_events (actor_kind, id)",
    "CREATE INDEX audit_events_actor ON audit_events (substr(actor_name, 1, 36), id) WHERE actor_name IS NOT NULL",
];

const DROPS: &[&str] = &[
    "DROP INDEX audit_events_actor",
    "DROP INDEX audit_events_kind",
    "DROP INDEX audit_events_request",
    "DROP INDEX audit_events_target",
    "DROP INDEX audit_events_action",
];
