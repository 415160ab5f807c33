//! One-time passwords, and the buckets that say how often something may be asked for.

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
        sql::run(manager, OTP_CHALLENGES).await?;
        sql::run(manager, RATE_BUCKETS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, &["DROP TABLE rate_buckets", "DROP TABLE otp_challenges"]).await
    }
}

const OTP_CHALLENGES: &[&str] = &[
    "CREATE TABLE otp_challenges (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id {uuid} REFERENCES tenants (id) ON DELETE CASCADE,
        code_mac {bytes} NOT NULL,
        key_id text NOT NULL,
        purpose text NOT NULL,
        strength text NOT NULL,
        attempts bigint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        expires_at {timestamp} NOT NULL,
        consumed_at {timestamp},
        created_at {timestamp} NOT NULL
    )",
    // For the deletion of a tenant.
    "CREATE INDEX otp_challenges_tenant ON otp_challenges (tenant_id)",
    // For the count of failures. Challenges that nobody tried aren't in it: counting must not take longer for an account that asks often, or
    // the time of an answer tells that there is one.
    "CREATE INDEX otp_challenges_tried ON otp_challenges (tenant_id, created_at) WHERE attempts > 0",
];

/// `tat` is the generic cell rate algorithm's theoretical arrival time in microseconds since 1970: a number, for it is reckoned
/// with inside the statement, which SQLite can't do with timestamps.
const RATE_BUCKETS: &[&str] = &["CREATE TABLE rate_buckets (
        bucket {bytes} NOT NULL PRIMARY KEY,
        tat bigint NOT NULL
    )"];
