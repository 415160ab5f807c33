//! The audit trail. It outlives what it speaks of, so it refers to nothing.

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
        sql::run(manager, AUDIT_EVENTS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP TABLE audit_events"]).await
    }
}

const AUDIT_EVENTS: &[&str] = &[
    "CREATE TABLE audit_events (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id {uuid},
        actor_kind text NOT NULL,
        actor_name text,
        action text NOT NULL,
        target text,
        client_ip text,
        request_id text,
        details text NOT NULL,
        created_at {timestamp} NOT NULL
    )",
    "CREATE INDEX audit_events_page ON audit_events (tenant_id, id)",
];
