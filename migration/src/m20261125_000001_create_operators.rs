//! Operators: their sessions, their API keys, the links that make the first, and whose a one-time password is.

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
        sql::run(manager, OPERATORS).await?;
        sql::run(manager, OPERATOR_SESSIONS).await?;
        sql::run(manager, API_KEYS).await?;
        sql::run(manager, BOOTSTRAP_LINKS).await?;
        sql::run(manager, OTP_CHALLENGES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, BACK).await
    }
}

const OPERATORS: &[&str] = &[
    // `email_folded` is the address in lower case, made by the server: SQLite's `lower` knows ASCII alone.
    "CREATE TABLE operators (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL,
        email text NOT NULL,
        email_folded text NOT NULL,
        role text NOT NULL,
        created_at {timestamp} NOT NULL,
        updated_at {timestamp} NOT NULL
    )",
    "CREATE UNIQUE INDEX operators_email_folded ON operators (email_folded)",
];

const OPERATOR_SESSIONS: &[&str] = &[
    "CREATE TABLE operator_sessions (
        id {uuid} NOT NULL PRIMARY KEY,
        operator_id {uuid} NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
        token_digest {bytes} NOT NULL,
        last_activity {timestamp} NOT NULL,
        expires_at {timestamp} NOT NULL,
        client_ip text,
        user_agent text,
        revoked_at {timestamp},
        created_at {timestamp} NOT NULL,
        updated_at {timestamp} NOT NULL
    )",
    "CREATE UNIQUE INDEX operator_sessions_token_digest ON operator_sessions (token_digest)",
    "CREATE INDEX operator_sessions_page ON operator_sessions (operator_id, id)",
];

/// `created_by` refers to nothing: whoever looks for the keys of an operator that is gone, finds them.
const API_KEYS: &[&str] = &[
    "CREATE TABLE api_keys (
        id {uuid} NOT NULL PRIMARY KEY,
        name text NOT NULL,
        token_digest {bytes} NOT NULL,
        scopes text NOT NULL,
        expires_at {timestamp},
        last_used_at {timestamp},
        use_audited_at {timestamp},
        revoked_at {timestamp},
        created_by {uuid},
        created_at {timestamp} NOT NULL,
        updated_at {timestamp} NOT NULL
    )",
    "CREATE UNIQUE INDEX api_keys_token_digest ON api_keys (token_digest)",
];

const BOOTSTRAP_LINKS: &[&str] = &["CREATE TABLE bootstrap_links (
        token_digest {bytes} NOT NULL PRIMARY KEY,
        purpose text NOT NULL,
        expires_at {timestamp} NOT NULL,
        created_at {timestamp} NOT NULL
    )"];

const OTP_CHALLENGES: &[&str] = &[
    "ALTER TABLE otp_challenges ADD COLUMN operator_id {uuid} NULL REFERENCES operators (id) ON DELETE CASCADE
        CHECK (operator_id IS NULL OR tenant_id IS NULL)",
    // As for tenants: one for the deletion, one for the count of failures.
    "CREATE INDEX otp_challenges_operator ON otp_challenges (operator_id)",
    "CREATE INDEX otp_challenges_operator_tried ON otp_challenges (operator_id, created_at) WHERE attempts > 0",
];

const BACK: &[&str] = &[
    // Without their operator they would be decoys.
    "DELETE FROM otp_challenges WHERE operator_id IS NOT NULL",
    "DROP INDEX otp_challenges_operator_tried",
    "DROP INDEX otp_challenges_operator",
    "ALTER TABLE otp_challenges DROP COLUMN operator_id",
    "DROP TABLE bootstrap_links",
    "DROP TABLE api_keys",
    "DROP TABLE operator_sessions",
    "DROP TABLE operators",
];
