//! Batches: what each issue of codes ordered and holds. Those from before are made of their codes.
//!
//! Codes don't refer to their batch by a foreign key: the version before goes on to issue codes without one, and a bulk issue is spared
//! a look-up for each code. A batch that such a version makes after this step isn't listed; its codes are.

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
        sql::run(manager, CODE_BATCHES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP INDEX activation_codes_batch", "DROP TABLE code_batches"]).await
    }
}

const CODE_BATCHES: &[&str] = &[
    "CREATE TABLE code_batches (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id {uuid} NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
        label text,
        max_uses bigint CHECK (max_uses >= 1),
        expires_at {timestamp},
        ordered bigint NOT NULL,
        issued bigint NOT NULL CHECK (0 <= issued AND issued <= ordered),
        state text NOT NULL,
        source text NOT NULL,
        created_by text,
        created_at {timestamp} NOT NULL,
        updated_at {timestamp} NOT NULL
    )",
    "CREATE INDEX code_batches_page ON code_batches (tenant_id, id)",
    "CREATE INDEX code_batches_label ON code_batches (label, id)",
    // All codes of one issue were written by one call, with the same label, uses and end.
    "INSERT INTO code_batches
        (id, tenant_id, label, max_uses, expires_at, ordered, issued, state, source, created_at, updated_at)
    SELECT batch_id, tenant_id, min(label), min(max_uses), min(expires_at), count(*), count(*), 'complete', 'issued',
        min(created_at), min(created_at)
    FROM activation_codes GROUP BY batch_id, tenant_id",
    "CREATE INDEX activation_codes_batch ON activation_codes (tenant_id, batch_id, id)",
];
