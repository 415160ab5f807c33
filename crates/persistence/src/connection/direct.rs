//! SQLite on the thread that asks.
//!
//! The driver of everything else has a thread for each of SQLite's connections, which is woken for each statement and copies each value of each row.
//! For a question that SQLite answers in a few microseconds that costs more than the answer. So what every request asks, and what every activation
//! writes, goes to the same library by another driver, which has no thread. It blocks whoever calls it, for as long as some rows by an index take.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{
    CachedStatement, OpenFlags, Row as DriversRow, ToSql,
    types::{ToSqlOutput, Value as Stored, ValueRef},
};
use sea_orm::{Statement, Value};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};

use crate::{row::HotRow, timestamp::DbTime};

/// How many statements a connection keeps prepared. Scripts have some fifteen between them, questions one for each length of a page that is asked for.
const PREPARED: usize = 64;

/// How a connection is opened.
#[derive(Clone)]
pub(crate) struct DirectSource {
    file: PathBuf,
    vfs: Option<String>,
    flags: OpenFlags,
    busy: Duration,
    settings: Vec<(&'static str, &'static str)>,
}

impl DirectSource {
    /// To the file of these options; `busy` is how long another process may keep it waiting.
    pub(crate) fn new(options: &SqliteConnectOptions, busy: Duration) -> Self {
        let mut source = Self {
            file: options.get_filename().to_owned(),
            vfs: None,
            flags: OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            busy,
            // An acknowledged commit survives a power cut.
            settings: vec![("synchronous", "FULL"), ("foreign_keys", "ON")],
        };
        // The other driver tells of its options what it would put into a URL.
        for (name, value) in options.to_url_lossy().query_pairs() {
            match (&*name, &*value) {
                ("mode", "ro") => source.flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                ("vfs", vfs) => source.vfs = Some(vfs.to_owned()),
                _ => {}
            }
        }
        source
    }

    /// With one setting more.
    pub(crate) fn set(mut self, name: &'static str, value: &'static str) -> Self {
        self.settings.push((name, value));
        self
    }

    pub(crate) fn open(&self) -> rusqlite::Result<Direct> {
        let connection = match &self.vfs {
            Some(vfs) => rusqlite::Connection::open_with_flags_and_vfs(&self.file, self.flags, vfs.as_str()),
            None => rusqlite::Connection::open_with_flags(&self.file, self.flags),
        }?;
        connection.busy_timeout(self.busy)?;
        for (name, value) in &self.settings {
            connection.pragma_update(None, name, value)?;
        }
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Ok(Direct { connection })
    }
}

/// A connection.
pub(crate) struct Direct {
    connection: rusqlite::Connection,
}

/// The values of a row.
pub(crate) type StoredRow = Vec<Stored>;

impl Direct {
    /// All rows of a question.
    fn rows<R: HotRow>(&self, question: &Statement) -> rusqlite::Result<Vec<R>> {
        tracing::trace!(sql = question.sql);
        let mut statement = self.connection.prepare_cached(&question.sql)?;
        bind(&mut statement, question)?;
        let (mut rows, mut read) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            // Whoever asks another way finds out what it was.
            read.push(R::read(row).map_err(|_| rusqlite::Error::InvalidQuery)?);
        }
        Ok(read)
    }

    /// Runs a script, whose statements have semicolons between them and none in them, as long as each of them writes, and answers the row of the last
    /// one. Where one writes nothing, none that follows is run, and there is no row.
    pub(crate) fn run_script(&self, script: &Statement) -> rusqlite::Result<Option<StoredRow>> {
        tracing::trace!(sql = script.sql);
        let mut last = None;
        for (number, sql) in script.sql.split(';').enumerate() {
            if number > 0 && self.connection.changes() == 0 {
                return Ok(None);
            }
            let mut statement = self.connection.prepare_cached(sql.trim_ascii())?;
            bind(&mut statement, script)?;
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                last = Some(values(row, columns)?);
            }
        }
        Ok(last)
    }

    /// Runs a command, which has no values.
    pub(crate) fn run(&self, command: &'static str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(command)?.execute(()).map(|_| ())
    }

    /// Undoes the transaction that is under way, where there is one: SQLite undoes some by itself.
    pub(crate) fn undo(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }
}

fn values(row: &DriversRow<'_>, columns: usize) -> rusqlite::Result<StoredRow> {
    (0..columns).map(|place| row.get(place)).collect()
}

/// Binds to a statement those values of a script that it has places for.
fn bind(statement: &mut CachedStatement<'_>, script: &Statement) -> rusqlite::Result<()> {
    let values = script.values.as_ref().map_or(&[][..], |values| &values.0);
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).unwrap_or_default();
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| rusqlite::Error::InvalidParameterName(name.to_owned()))?;
        statement.raw_bind_parameter(place, Bound(value))?;
    }
    Ok(())
}

/// A value as the other driver binds it.
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Bool(value) => value.map(|value| ValueRef::Integer(value.into())).into(),
            Value::Int(value) => value.map(|value| ValueRef::Integer(value.into())).into(),
            Value::BigInt(value) => value.map(ValueRef::Integer).into(),
            Value::String(value) => value.as_deref().into(),
            Value::Bytes(value) => value.as_deref().into(),
            Value::Uuid(value) => value.as_ref().map(|value| value.as_bytes().as_slice()).into(),
            Value::ChronoDateTimeUtc(Some(moment)) => return Ok(DbTime::from(*moment).text().into()),
            Value::ChronoDateTimeUtc(None) => ValueRef::Null,
            _ => return Err(rusqlite::Error::ToSqlConversionFailure("a hot path has no values of this type".into())),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// Connections that read. Each is used for a moment, so there are as many as threads that ask.
pub struct DirectReaders {
    source: DirectSource,
    shelf: Mutex<Shelf>,
}

/// Those that nobody uses, the last one used last.
enum Shelf {
    Open(Vec<Direct>),
    Closed,
}

impl DirectReaders {
    pub(crate) fn new(source: DirectSource) -> Self {
        Self { source: source.set("query_only", "ON"), shelf: Mutex::new(Shelf::Open(Vec::new())) }
    }

    /// All rows of a question that takes SQLite no longer than some rows by an index do; `None` where it has to be asked another way, to
    /// find out what is amiss.
    pub(crate) fn ask<R: HotRow>(&self, question: &Statement) -> Option<Vec<R>> {
        let direct = self.take()?;
        let rows = direct.rows(question).inspect_err(|failure| {
            tracing::debug!(what = R::WHAT, error = failure as &dyn std::error::Error, "SQLite couldn't be asked directly");
        });
        let rows = rows.ok()?;
        if let Shelf::Open(idle) = &mut *self.shelf() {
            idle.push(direct);
        }
        Some(rows)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that is done with it can stop halfway.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Direct> {
        let idle = match &mut *self.shelf() {
            Shelf::Open(idle) => idle.pop(),
            Shelf::Closed => return None,
        };
        idle.or_else(|| self.source.open().ok())
    }

    /// Closes all of them.
    pub(crate) fn close(&self) {
        *self.shelf() = Shelf::Closed;
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{DbBackend, DbErr, FromQueryResult, QueryResult};
    use sqlx::sqlite::SqliteJournalMode;
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;
    use crate::{
        Handle,
        connection::{Connection as _, Pool, Pooled, Raw, Source},
        row::{Columns, Corruption, InOrder, Row, in_order},
    };

    const TYPES: &str = "CREATE TABLE things (
        id uuid_text, name text, note text, digest blob, moment timestamp_with_timezone_text, size bigint, part integer, is_new boolean
    )";

    #[derive(Clone, Debug, PartialEq)]
    struct Thing {
        id: Uuid,
        name: String,
        note: Option<String>,
        digest: Vec<u8>,
        moment: DbTime,
        size: i64,
        part: i32,
        is_new: bool,
    }

    in_order!(Thing: id, name, note, digest, moment, size, part, is_new);

    impl FromQueryResult for Thing {
        fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
            Self::read(row)
        }
    }

    impl Row for Thing {
        type Value = Self;
        const WHAT: &'static str = "thing";

        fn into_value(self) -> Result<Self, Corruption> {
            Ok(self)
        }
    }

    impl HotRow for Thing {
        fn read(row: &impl Columns) -> Result<Self, DbErr> {
            Self::in_order(&mut InOrder::of(row))
        }
    }

    async fn raw(folder: &TempDir) -> (Raw, SqliteConnectOptions) {
        let options = SqliteConnectOptions::new().filename(folder.path().join("a b?.db"));
        let new = options.clone().create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        let mut raw = Raw::open(&Source::Sqlite(new)).await.unwrap();
        raw.run(TYPES).await.unwrap();
        (raw, options)
    }

    fn statement(text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(DbBackend::Sqlite, text, values)
    }

    fn all() -> Statement {
        statement("SELECT id, name, note, digest, moment, size, part, is_new FROM things", [])
    }

    #[tokio::test]
    async fn both_drivers_write_and_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (mut raw, options) = raw(&folder).await;
        let direct = DirectSource::new(&options, Duration::ZERO).open().unwrap();
        let readers = DirectReaders::new(DirectSource::new(&options, Duration::ZERO));
        for (micros, note) in [(1_772_366_400_000_000, None), (1_772_366_400_250_000, Some("\u{e9}; '")), (1, Some(""))] {
            let moment = DbTime::from(tenantry_domain::Timestamp::from_unix_micros(micros).unwrap());
            let thing = Thing {
                id: Uuid::from_u128(7 << 100),
                name: "name".to_owned(),
                note: note.map(str::to_owned),
                digest: vec![0, 255],
                moment,
                size: i64::MIN,
                part: i32::MAX,
                is_new: true,
            };
            let values: [Value; 8] = [
                thing.id.into(),
                thing.name.clone().into(),
                thing.note.clone().into(),
                thing.digest.clone().into(),
                moment.into(),
                thing.size.into(),
                thing.part.into(),
                thing.is_new.into(),
            ];
            let insert = "INSERT INTO things VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            raw.execute(&statement(insert, values.clone())).await.unwrap();
            // Each statement of a script has its own of the values, in places of its own.
            let script = "INSERT INTO things (name, id) VALUES ($2, $1);
                UPDATE things SET is_new = $8, part = $7, size = $6, moment = $5, digest = $4, note = $3 WHERE is_new IS NULL AND name = $2;
                SELECT changes(), $2";
            let row = direct.run_script(&statement(script, values)).unwrap().unwrap();
            assert_eq!(row, [Stored::Integer(1), Stored::Text("name".to_owned())]);

            let stored = "SELECT DISTINCT typeof(id), typeof(name), typeof(note), typeof(digest), typeof(moment), typeof(size),
                typeof(part), typeof(is_new), id, name, note, digest, moment, size, part, is_new FROM things";
            assert_eq!(raw.fetch_all(&statement(stored, [])).await.unwrap().len(), 1, "both wrote the same");
            let read = readers.ask::<Thing>(&all()).unwrap();
            assert_eq!(read, [thing.clone(), thing]);
            let by_the_other = raw.fetch_all(&all()).await.unwrap();
            let by_the_other: Vec<_> = by_the_other.iter().map(|row| Thing::read(row).unwrap()).collect();
            assert_eq!(read, by_the_other);
            raw.run("DELETE FROM things").await.unwrap();
        }
        let refused = direct.run_script(&statement("SELECT $1", [Value::Json(None)]));
        assert!(refused.unwrap_err().to_string().contains("no values of this type"));
        assert!(direct.run_script(&statement("SELECT $2", [1.into()])).is_err(), "there is no second value");
    }

    #[tokio::test]
    async fn a_script_ends_where_a_statement_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (_raw, options) = raw(&folder).await;
        let direct = DirectSource::new(&options, Duration::ZERO).open().unwrap();
        let add = "INSERT INTO things (name) VALUES ($1)";
        let script = |between: &str| {
            direct.run_script(&statement(&format!("{add}; {between}; {add}; SELECT count(*) FROM things"), ["a".into()]))
        };
        assert_eq!(script("UPDATE things SET size = 1").unwrap(), Some(vec![Stored::Integer(2)]));
        for nothing in [
            "UPDATE things SET size = 2 WHERE size = 3",
            "INSERT INTO things (name) SELECT 'b' WHERE false",
            "DELETE FROM things WHERE size = 3",
        ] {
            assert_eq!(script(nothing).unwrap(), None, "{nothing}");
        }
        let count = direct.run_script(&statement("SELECT count(*) FROM things", [])).unwrap();
        assert_eq!(count, Some(vec![Stored::Integer(5)]), "two of the first script, and one of each that ended");
    }

    #[tokio::test]
    async fn what_cannot_be_answered_directly_is_asked_the_other_way() {
        let folder = tempfile::tempdir().unwrap();
        let (mut raw, options) = raw(&folder).await;
        raw.run("INSERT INTO things VALUES (x'07', 'name', NULL, x'', '2026-03-01', 1, 1, 1)").await.unwrap();
        let readers = DirectReaders::new(DirectSource::new(&options, Duration::ZERO));
        assert!(readers.ask::<Thing>(&all()).is_none(), "neither the identifier nor the moment can be read");
        let pool = Pool::new(Source::Sqlite(options), 1, Duration::from_secs(5));
        let direct = Some(std::sync::Arc::new(readers));
        let mut handle = Handle::new(Pooled { pool: pool.clone(), session_pages: None, direct });
        for wrong in [all(), statement("SELECT nothing", [])] {
            assert!(handle.list_hot::<Thing>(wrong.clone()).await.is_err());
            assert!(handle.find_hot::<Thing>(wrong).await.is_err());
        }
        let direct = handle.connection.direct().unwrap();
        assert!(direct.ask::<Thing>(&statement("DELETE FROM things RETURNING *", [])).is_none(), "it only reads");
        let none = || statement(&format!("{} WHERE name = $1", all().sql), ["none".into()]);
        assert_eq!(direct.ask::<Thing>(&none()).unwrap(), []);
        direct.close();
        assert!(direct.ask::<Thing>(&none()).is_none());
        assert_eq!(handle.find_hot::<Thing>(none()).await.unwrap(), None);
        pool.close().await;
        assert!(handle.find_hot::<Thing>(none()).await.is_err());
    }

    #[tokio::test]
    async fn a_commit_lasts_and_foreign_keys_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (_raw, options) = raw(&folder).await;
        let direct = DirectSource::new(&options, Duration::from_millis(7)).set("wal_autocheckpoint", "64000").open().unwrap();
        for (setting, value) in [
            // FULL: the log is on the disk before a commit ends.
            ("synchronous", Stored::Integer(2)),
            ("foreign_keys", Stored::Integer(1)),
            ("journal_mode", Stored::Text("wal".to_owned())),
            ("busy_timeout", Stored::Integer(7)),
            ("wal_autocheckpoint", Stored::Integer(64_000)),
        ] {
            let row = direct.run_script(&statement(&format!("PRAGMA {setting}"), [])).unwrap();
            assert_eq!(row, Some(vec![value]), "{setting}");
        }
    }

    #[tokio::test]
    async fn a_file_to_be_read_only_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let (_raw, options) = raw(&folder).await;
        let insert = statement("INSERT INTO things (name) VALUES ('name')", []);
        let open = |options| DirectSource::new(&options, Duration::ZERO).open().unwrap();
        assert!(open(options.clone()).run_script(&insert).is_ok());
        let refused = open(options.clone().read_only(true)).run_script(&insert).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly));
        let nowhere = DirectSource::new(&options.clone().vfs("none"), Duration::ZERO).open();
        assert!(nowhere.is_err());
        let missing = DirectSource::new(&options.filename(folder.path().join("missing.db")), Duration::ZERO).open();
        assert!(missing.is_err(), "it makes no file");
    }
}
