//! Webhooks, and the messages to them in the outbox.
//!
//! Messages don't refer to their webhook by a foreign key: an activation would then lock the webhooks that hear of it, and wait for who
//! changes one. A message to a webhook that is gone is dropped by the sender.
//!
//! The version before doesn't know the topics of these messages. It claims them as if they were mails and gives them up after twenty
//! tries, so go back to it only with webhooks disabled.

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
        sql::run(manager, WEBHOOKS).await?;
        sql::run(manager, OUTBOX).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, BACK).await
    }
}

/// `tenant_id` is missing for the operators' own. `events` has a blank around each word, so that one is looked for whole.
const WEBHOOKS: &[&str] = &[
    "CREATE TABLE webhooks (
        id {uuid} NOT NULL PRIMARY KEY,
        tenant_id {uuid} REFERENCES tenants (id) ON DELETE CASCADE,
        url text NOT NULL,
        description text,
        events text NOT NULL,
        secret {bytes} NOT NULL,
        key_id text NOT NULL,
        former_secret {bytes},
        former_key_id text,
        former_until {timestamp},
        failing_since {timestamp},
        disabled_at {timestamp},
        disabled_reason text,
        created_at {timestamp} NOT NULL,
        updated_at {timestamp} NOT NULL,
        CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
        CHECK ((former_secret IS NULL) = (former_key_id IS NULL) AND (former_secret IS NULL) = (former_until IS NULL))
    )",
    "CREATE INDEX webhooks_page ON webhooks (tenant_id, id)",
];

/// The payload of a message to a webhook is not sealed, and is kept when it was sent, so that it can be sent again.
const OUTBOX: &[&str] = &[
    "ALTER TABLE outbox ADD COLUMN webhook_id {uuid}",
    "ALTER TABLE outbox ADD COLUMN called_at {timestamp}",
    "ALTER TABLE outbox ADD COLUMN call_duration_ms bigint",
    "ALTER TABLE outbox ADD COLUMN response_code bigint",
    "DROP INDEX outbox_due",
    "CREATE INDEX outbox_due ON outbox (available_at, id) WHERE settled_at IS NULL AND webhook_id IS NULL",
    "CREATE INDEX outbox_webhook_due ON outbox (webhook_id, available_at, id) WHERE settled_at IS NULL AND webhook_id IS NOT NULL",
    "CREATE INDEX outbox_webhook_page ON outbox (webhook_id, id) WHERE webhook_id IS NOT NULL",
];

const BACK: &[&str] = &[
    "DELETE FROM outbox WHERE webhook_id IS NOT NULL",
    "DROP INDEX outbox_webhook_page",
    "DROP INDEX outbox_webhook_due",
    "DROP INDEX outbox_due",
    "CREATE INDEX outbox_due ON outbox (available_at, id) WHERE settled_at IS NULL",
    "ALTER TABLE outbox DROP COLUMN response_code",
    "ALTER TABLE outbox DROP COLUMN call_duration_ms",
    "ALTER TABLE outbox DROP COLUMN called_at",
    "ALTER TABLE outbox DROP COLUMN webhook_id",
    "DROP TABLE webhooks",
];
