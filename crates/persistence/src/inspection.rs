//! A look at the rows of one moment: what must hold of all of them, which keys they need, and what was adopted. It reads alone.

mod invariants;

use std::{collections::BTreeMap, fmt};

use sea_orm::{DbBackend, FromQueryResult};
use tenantry_domain::{Action, KeyId, StoreError, Timestamp};

pub use self::invariants::{Finding, Invariant};
use crate::{
    DatabaseStore, Handle,
    connection::OpenTransaction,
    error::driver_failure,
    row::{Corruption, Row},
    timestamp::DbTime,
};

/// A key that rows were made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInUse {
    /// Its name.
    pub key_id: KeyId,
    /// What was made with it: `codes`, `adopted codes`, `passwords`, `messages` or `answers`.
    pub rows_of: String,
    /// How many.
    pub rows: u64,
}

/// A look at all rows as they were in one moment. Ends when it is dropped.
pub struct Inspection(Handle<OpenTransaction>);

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inspection(..)")
    }
}

impl DatabaseStore {
    /// Begins a look at the rows as they are now. It keeps nobody waiting.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the database can't be reached in time.
    pub async fn inspect(&self) -> Result<Inspection, StoreError> {
        let snapshot = self.connections().snapshot().await;
        snapshot.map(|tx| Inspection(Handle::new(tx))).map_err(|failure| driver_failure("inspection", &failure))
    }
}

impl Inspection {
    /// The keys that are still needed at `now`: those of codes that are neither revoked nor expired, of one-time passwords that can be
    /// used, of messages that wait or can be put back, of secrets of webhooks, and of answers that are kept. Digests of tokens don't say by which key they were made.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keys_in_use(&mut self, now: Timestamp) -> Result<Vec<KeyInUse>, StoreError> {
        const KEYS: &str = "
            SELECT 'codes' AS rows_of, key_id, count(*) AS counted FROM activation_codes
            WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) GROUP BY key_id
            UNION ALL SELECT 'passwords', key_id, count(*) FROM otp_challenges
            WHERE consumed_at IS NULL AND expires_at > $1 GROUP BY key_id
            UNION ALL SELECT 'messages', key_id, count(*) FROM outbox
            WHERE webhook_id IS NULL AND payload IS NOT NULL AND (settled_at IS NULL OR outcome = 'dead') GROUP BY key_id
            UNION ALL SELECT 'webhooks', key_id, count(*) FROM webhooks GROUP BY key_id
            UNION ALL SELECT 'former secrets', former_key_id, count(*) FROM webhooks WHERE former_until > $1 GROUP BY former_key_id
            UNION ALL SELECT 'answers', key_id, count(*) FROM idempotency_keys
            WHERE key_id IS NOT NULL AND expires_at > $1 GROUP BY key_id ORDER BY 1, 2";

        self.0.list::<KeyRow>(self.0.sql(KEYS, [DbTime::from(now).into()])).await
    }

    /// How many rows of each table were taken over from each older portal, whatever became of them since.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn adopted(&mut self) -> Result<Vec<AdoptedCount>, StoreError> {
        const ADOPTED: &str =
            "SELECT source, kind, count(*) AS adopted FROM adopted_rows GROUP BY source, kind ORDER BY source, kind";

        self.0.list::<AdoptedCount>(self.0.sql(ADOPTED, [])).await
    }

    /// The older portals of which rows began to be taken over, and never came to the end.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn unfinished_adoptions(&mut self) -> Result<Vec<String>, StoreError> {
        const NOTED: &str = "SELECT action, details FROM audit_events WHERE action IN ($1, $2) ORDER BY created_at, id";

        let [began, completed] = [Action::AdoptionBegan, Action::AdoptionCompleted].map(Action::as_str);
        let noted = self.0.list::<NotedAdoption>(self.0.sql(NOTED, [began.into(), completed.into()])).await?;
        let last: BTreeMap<String, String> = noted.into_iter().collect();
        Ok(last.into_iter().filter(|(_, action)| action == began).map(|(source, _)| source).collect())
    }

    /// How many codes of older portals could be used at `now` if their pepper is known. It looks through all codes.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn usable_adopted_codes(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        const USABLE: &str = "SELECT count(*) FROM activation_codes WHERE key_id LIKE 'legacy.%' AND revoked_at IS NULL
            AND use_count < max_uses AND (expires_at IS NULL OR expires_at > $1)";

        self.0.count("count of adopted codes", self.0.sql(USABLE, [DbTime::from(now).into()])).await
    }

    /// PostgreSQL's settings that decide whether a commit survives a crash, by name and value; none on SQLite, where the store decides
    /// it for each connection.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn durability(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        const SETTINGS: &str = "SELECT name, setting FROM pg_settings
            WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name";

        match self.0.backend() {
            DbBackend::Postgres => self.0.list::<SettingRow>(self.0.sql(SETTINGS, [])).await,
            _ => Ok(Vec::new()),
        }
    }
}

#[derive(FromQueryResult)]
struct NotedAdoption {
    action: String,
    details: String,
}

impl Row for NotedAdoption {
    /// The older portal, and what was noted of it.
    type Value = (String, String);
    const WHAT: &'static str = "noted adoption";

    fn into_value(self) -> Result<Self::Value, Corruption> {
        let details: BTreeMap<String, String> = serde_json::from_str(&self.details)?;
        Ok((details.get("adopted_from").cloned().unwrap_or_default(), self.action))
    }
}

#[derive(FromQueryResult)]
struct KeyRow {
    rows_of: String,
    key_id: String,
    counted: i64,
}

impl Row for KeyRow {
    type Value = KeyInUse;
    const WHAT: &'static str = "key in use";

    fn into_value(self) -> Result<KeyInUse, Corruption> {
        let key_id = KeyId::from_stored(self.key_id);
        let rows_of = if key_id.is_legacy() { format!("adopted {}", self.rows_of) } else { self.rows_of };
        Ok(KeyInUse { key_id: key_id.in_ring(), rows_of, rows: self.counted.try_into()? })
    }
}

/// How many rows of a table were taken over from an older portal.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct AdoptedCount {
    /// Which older portal.
    pub source: String,
    /// What they are: `plan`, `tenant`, `subscription`, `code`, `project`.
    pub kind: String,
    /// How many.
    pub adopted: i64,
}

impl Row for AdoptedCount {
    type Value = Self;
    const WHAT: &'static str = "count of adopted rows";

    fn into_value(self) -> Result<Self, Corruption> {
        Ok(self)
    }
}

#[derive(FromQueryResult)]
struct SettingRow {
    name: String,
    setting: String,
}

impl Row for SettingRow {
    type Value = (String, String);
    const WHAT: &'static str = "setting";

    fn into_value(self) -> Result<(String, String), Corruption> {
        Ok((self.name, self.setting))
    }
}
