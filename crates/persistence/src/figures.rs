//! What can be said of a store at a glance, and often: its connections, and what waits in its outbox.

use sea_orm::FromQueryResult;
use tenantry_domain::{StoreError, Timestamp, ports::Store as _};

use crate::{
    DatabaseStore,
    row::{Corruption, Row, moment},
    timestamp::DbTime,
};

/// The connections of one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFigures {
    /// Which: `shared` on PostgreSQL, `reader` and `writer` on SQLite.
    pub pool: &'static str,
    /// The most that there can be.
    pub most: u32,
    /// Those that are open.
    pub open: u32,
    /// Those that are open and that nobody uses.
    pub idle: u32,
}

/// What waits in the outbox, of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxFigures {
    /// Which kind: `mail` or `webhook`.
    pub kind: &'static str,
    /// How many messages are to be sent, at most [`MOST`](Self::MOST).
    pub waiting: u64,
    /// Since when the one that was due first is due; `None` where none is.
    pub due_since: Option<Timestamp>,
    /// How many are dead, at most [`MOST`](Self::MOST).
    pub dead: u64,
}

impl OutboxFigures {
    /// So many are counted: more take longer, and say nothing more.
    pub const MOST: u64 = 10_000;
}

impl DatabaseStore {
    /// The connections of each pool, as they are now. It asks no database.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolFigures> {
        self.connections().figures()
    }

    /// What waits in the outbox at `now`, by kind: one statement, of which no part looks at more than [`OutboxFigures::MOST`] entries of an
    /// index, or at one for each webhook that messages wait for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn outbox_figures(&self, now: Timestamp) -> Result<[OutboxFigures; 2], StoreError> {
        let count = |of: &str| {
            format!("(SELECT count(*) FROM (SELECT 1 AS one FROM outbox WHERE {of} LIMIT {}) AS counted)", OutboxFigures::MOST)
        };
        let look = format!(
            "WITH RECURSIVE waiting (webhook_id) AS (
                SELECT (SELECT o.webhook_id FROM outbox o WHERE o.settled_at IS NULL AND o.webhook_id IS NOT NULL
                    ORDER BY o.webhook_id LIMIT 1)
                UNION ALL
                SELECT (SELECT o.webhook_id FROM outbox o WHERE o.settled_at IS NULL AND o.webhook_id > w.webhook_id
                    ORDER BY o.webhook_id LIMIT 1)
                FROM waiting w WHERE w.webhook_id IS NOT NULL
            )
            SELECT {} AS mails, {} AS dead_mails, {} AS calls, {} AS dead_calls,
                (SELECT available_at FROM outbox WHERE settled_at IS NULL AND webhook_id IS NULL AND available_at <= $1
                    ORDER BY available_at LIMIT 1) AS mails_due_since,
                (SELECT min(since) FROM (
                    SELECT (SELECT o.available_at FROM outbox o
                        WHERE o.webhook_id = w.webhook_id AND o.settled_at IS NULL AND o.available_at <= $1
                        ORDER BY o.available_at LIMIT 1) AS since
                    FROM waiting w WHERE w.webhook_id IS NOT NULL
                ) AS firsts) AS calls_due_since",
            count("settled_at IS NULL AND webhook_id IS NULL"),
            count("outcome = 'dead' AND webhook_id IS NULL"),
            count("settled_at IS NULL AND webhook_id IS NOT NULL"),
            count("outcome = 'dead' AND webhook_id IS NOT NULL"),
        );
        let mut reader = self.reader();
        let look = reader.sql(&look, [DbTime::from(now).into()]);
        let none = |kind| OutboxFigures { kind, waiting: 0, due_since: None, dead: 0 };
        Ok(reader.find::<FiguresRow>(look).await?.unwrap_or([none("mail"), none("webhook")]))
    }
}

#[derive(FromQueryResult)]
struct FiguresRow {
    mails: i64,
    dead_mails: i64,
    mails_due_since: Option<DbTime>,
    calls: i64,
    dead_calls: i64,
    calls_due_since: Option<DbTime>,
}

impl Row for FiguresRow {
    type Value = [OutboxFigures; 2];
    const WHAT: &'static str = "figures of the outbox";

    fn into_value(self) -> Result<[OutboxFigures; 2], Corruption> {
        let figures = |kind, waiting: i64, dead: i64, since| -> Result<OutboxFigures, Corruption> {
            Ok(OutboxFigures { kind, waiting: waiting.try_into()?, due_since: moment(since), dead: dead.try_into()? })
        };
        Ok([
            figures("mail", self.mails, self.dead_mails, self.mails_due_since)?,
            figures("webhook", self.calls, self.dead_calls, self.calls_due_since)?,
        ])
    }
}
