//! The ledger of redemptions, and each month's count of activations.

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
        sql::run(manager, REDEMPTIONS).await?;
        sql::run(manager, USAGE_MONTHS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP TABLE usage_months", "DROP TABLE redemptions"]).await
    }
}

const REDEMPTIONS: &[&str] = &[
    "CREATE TABLE redemptions (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id {uuid} NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
        activation_code_id {uuid} REFERENCES activation_codes (id) ON DELETE SET NULL,
        project_id {uuid} REFERENCES llm_project_config (id) ON DELETE SET NULL,
        redeemed_at {timestamp} NOT NULL,
        returned_at {timestamp}
    )",
    "CREATE INDEX redemptions_tenant ON redemptions (tenant_id, id)",
    "CREATE INDEX redemptions_activation_code ON redemptions (activation_code_id)",
    "CREATE INDEX redemptions_project ON redemptions (project_id)",
    "CREATE UNIQUE INDEX redemptions_live ON redemptions (project_id) WHERE returned_at IS NULL AND project_id IS NOT NULL",
];

const USAGE_MONTHS: &[&str] = &["CREATE TABLE usage_months (
        tenant_id {uuid} NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
        year bigint NOT NULL,
        month bigint NOT NULL CHECK (1 <= month AND month <= 12),
        activations bigint NOT NULL CHECK (activations >= 0),
        updated_at {timestamp} NOT NULL,
        PRIMARY KEY (tenant_id, year, month)
    )"];
