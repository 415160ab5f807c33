//! A look into the database of an older portal: whatever of the wanted columns is there, all as text, as it was in one moment.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use sea_orm::{DbBackend, QueryResult, Statement};
use tenantry_domain::StoreError;

use crate::{
    ConnectError, Options,
    connect::{Connections, connect},
    connection::{Connection as _, OpenTransaction},
    error::{driver_failure, unreadable},
};

const WHAT: &str = "row of the older portal";

/// Rows that are read at once.
const ROWS: usize = 2_000;

/// A table that is looked for, and what is wanted of it. No other column is read.
#[derive(Clone, Copy, Debug)]
pub struct WantedTable {
    /// Its name.
    pub name: &'static str,
    /// What is wanted, the key of a row first: rows come in its order.
    pub fields: &'static [WantedField],
}

/// Something that is wanted of each row.
#[derive(Clone, Copy, Debug)]
pub struct WantedField {
    /// What it is called in an [`OlderRow`].
    pub name: &'static str,
    /// The columns that it may stand in; the first that is there is read.
    pub columns: &'static [&'static str],
}

/// What is there of a wanted table.
#[derive(Clone, Debug, Default)]
pub struct OlderTable {
    /// The column of each field that is there; empty, where the table is missing.
    pub columns: BTreeMap<&'static str, &'static str>,
    /// How many rows it has.
    pub found: u64,
    name: &'static str,
    /// The fields that are there, each as SQL reads it as text; the key first.
    selected: Vec<(&'static str, String)>,
}

/// The fields of a row that aren't null, as text: moments as RFC 3339 in UTC, where those without a zone are taken to be UTC already, bytes
/// in hexadecimal, the rest as PostgreSQL writes it.
pub type OlderRow = BTreeMap<&'static str, String>;

/// Why an older portal can't be read.
#[derive(Debug, thiserror::Error)]
pub enum OlderPortalError {
    /// Its database isn't PostgreSQL.
    #[error("an older portal is a PostgreSQL database: its address begins with `postgres://`")]
    NotPostgres,
    /// It is Tenantry's own.
    #[error("this is a database of Tenantry, not of an older portal")]
    IsTenantry,
    /// It can't be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It doesn't answer.
    #[error("the older portal's database can't be read")]
    Store(#[from] StoreError),
}

/// An older portal's database, as it is in the moment of its opening. Nothing is written to it, and nothing is locked.
pub struct OlderPortal {
    connections: Connections,
    snapshot: OpenTransaction,
    /// The type of each column, by table and column.
    types: BTreeMap<(String, String), String>,
}

impl fmt::Debug for OlderPortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OlderPortal(..)")
    }
}

impl OlderPortal {
    /// Opens the portal at `url`; of its schemas the one that its user finds first is looked at.
    ///
    /// # Errors
    /// See [`OlderPortalError`].
    pub async fn open(url: &str) -> Result<Self, OlderPortalError> {
        if !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
            return Err(OlderPortalError::NotPostgres);
        }
        let connections = connect(&Options { max_connections: 1, ..Options::new(url) }).await?;
        let snapshot = connections.snapshot().await.map_err(|failure| driver_failure(WHAT, &failure))?;
        let mut portal = Self { connections, snapshot, types: BTreeMap::new() };
        // It waits while what was read is written elsewhere.
        portal.run("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        portal.types = portal.column_types().await?;
        if portal.types.keys().any(|(table, _)| table == "seaql_migrations") {
            return Err(OlderPortalError::IsTenantry);
        }
        Ok(portal)
    }

    /// Ends the look.
    pub async fn close(self) {
        drop(self.snapshot);
        self.connections.close().await;
    }

    /// What is there of a table.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn table(&mut self, wanted: &WantedTable) -> Result<OlderTable, StoreError> {
        let type_of = |column: &str| self.types.get(&(wanted.name.to_owned(), column.to_owned()));
        let found: Vec<_> = wanted
            .fields
            .iter()
            .filter_map(|field| {
                let (column, data_type) = field.columns.iter().find_map(|&column| Some((column, type_of(column)?)))?;
                Some((field.name, column, as_text(column, data_type)))
            })
            .collect();
        let columns: BTreeMap<_, _> = found.iter().map(|(field, column, _)| (*field, *column)).collect();
        let has_key = wanted.fields.first().is_some_and(|key| columns.contains_key(key.name));
        let mut table = OlderTable { columns, found: 0, name: wanted.name, selected: Vec::new() };
        if has_key {
            table.selected = found.into_iter().map(|(field, _, text)| (field, text)).collect();
            let counted = self.fetch(&format!("SELECT count(*) AS counted FROM \"{}\"", table.name)).await?;
            let counted: Option<i64> =
                counted.first().map(|row| row.try_get("", "counted")).transpose().map_err(|f| unreadable(WHAT, &f))?;
            table.found = counted.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        }
        Ok(table)
    }

    /// All rows of a table, in the order of their keys.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn rows(&mut self, table: &OlderTable) -> Result<Vec<OlderRow>, StoreError> {
        let Some(key) = table.key() else { return Ok(Vec::new()) };
        let query = format!("SELECT {} FROM \"{}\" ORDER BY \"{key}\"", table.all(), table.name);
        table.read(&self.fetch(&query).await?)
    }

    /// Begins to read a table by the values of a field: rows of one value come together, in the order of their keys; values come in the
    /// order of their bytes, and rows without one at the end.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn begin_by(&mut self, table: &OlderTable, field: &'static str) -> Result<RowsBy, StoreError> {
        let by = RowsBy { table: table.clone(), field, ahead: VecDeque::new(), at_end: table.key().is_none() };
        if let Some(key) = table.key() {
            let value = table.text_of(field).map(|text| format!("({text}) COLLATE \"C\" NULLS LAST, ")).unwrap_or_default();
            let query = format!("SELECT {} FROM \"{}\" ORDER BY {value}\"{key}\"", table.all(), table.name);
            self.run(&format!("DECLARE \"by {}\" NO SCROLL CURSOR FOR {query}", table.name)).await?;
        }
        Ok(by)
    }

    /// The keys of the rows that have a field's value, whatever its case, in common with a row before them, each with that first row's key.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn repeated(&mut self, table: &OlderTable, field: &str) -> Result<Vec<(String, String)>, StoreError> {
        let (Some(key), Some(value)) = (table.key(), table.text_of(field)) else { return Ok(Vec::new()) };
        let query = format!(
            "SELECT key, first FROM (
                SELECT \"{key}\"::text AS key, first_value(\"{key}\"::text) OVER same AS first, row_number() OVER same AS place
                FROM \"{}\" WHERE {value} IS NOT NULL WINDOW same AS (PARTITION BY lower(btrim({value})) ORDER BY \"{key}\")
            ) AS numbered WHERE place > 1",
            table.name
        );
        let rows = self.fetch(&query).await?;
        rows.iter().map(|row| Ok((text(row, "key")?, text(row, "first")?))).collect()
    }

    /// Those of some values, in lower case, that a field has in any row, whatever its case.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn known(&mut self, table: &OlderTable, field: &str, values: &[String]) -> Result<Vec<String>, StoreError> {
        let Some(value) = table.text_of(field) else { return Ok(Vec::new()) };
        let mut known = Vec::new();
        for values in values.chunks(ROWS) {
            let places = (1..=values.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
            let query = format!(
                "SELECT DISTINCT lower(btrim({value})) AS known FROM \"{}\" WHERE lower(btrim({value})) IN ({places})",
                table.name
            );
            let values = values.iter().map(|value| value.as_str().into());
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, query, values);
            let rows = self.snapshot.fetch_all(statement).await.map_err(|failure| driver_failure(WHAT, &failure))?;
            known.extend(rows.iter().map(|row| text(row, "known")).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(known)
    }

    async fn column_types(&mut self) -> Result<BTreeMap<(String, String), String>, StoreError> {
        const COLUMNS: &str = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
            WHERE table_schema = current_schema()";

        let rows = self.fetch(COLUMNS).await?;
        rows.iter().map(|row| Ok(((text(row, "table_name")?, text(row, "column_name")?), text(row, "data_type")?))).collect()
    }

    async fn run(&mut self, statement: &str) -> Result<(), StoreError> {
        let done = self.snapshot.execute(Statement::from_string(DbBackend::Postgres, statement)).await;
        done.map(|_| ()).map_err(|failure| driver_failure(WHAT, &failure))
    }

    async fn fetch(&mut self, query: &str) -> Result<Vec<QueryResult>, StoreError> {
        let rows = self.snapshot.fetch_all(Statement::from_string(DbBackend::Postgres, query)).await;
        rows.map_err(|failure| driver_failure(WHAT, &failure))
    }
}

/// The rows of a table by the values of a field, of which a few are in memory.
#[derive(Debug)]
pub struct RowsBy {
    table: OlderTable,
    field: &'static str,
    ahead: VecDeque<OlderRow>,
    at_end: bool,
}

impl RowsBy {
    /// The value that comes next: `None` at the end, `Some(None)` where the rows have none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn next_value(&mut self, portal: &mut OlderPortal) -> Result<Option<Option<String>>, StoreError> {
        self.fill(portal).await?;
        Ok(self.ahead.front().map(|row| row.get(self.field).cloned()))
    }

    /// Some rows of a value; none where there are no more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn some_of(&mut self, portal: &mut OlderPortal, value: Option<&str>) -> Result<Vec<OlderRow>, StoreError> {
        self.fill(portal).await?;
        let field = self.field;
        let others = self.ahead.iter().position(|row| row.get(field).map(String::as_str) != value);
        Ok(self.ahead.drain(..others.unwrap_or(self.ahead.len())).collect())
    }

    async fn fill(&mut self, portal: &mut OlderPortal) -> Result<(), StoreError> {
        if self.ahead.is_empty() && !self.at_end {
            let rows = portal.fetch(&format!("FETCH {ROWS} FROM \"by {}\"", self.table.name)).await?;
            self.at_end = rows.len() < ROWS;
            self.ahead.extend(self.table.read(&rows)?);
        }
        Ok(())
    }
}

impl OlderTable {
    /// The column of the rows' key, where there is a table.
    fn key(&self) -> Option<&'static str> {
        self.selected.first().and_then(|(field, _)| self.columns.get(field)).copied()
    }

    fn text_of(&self, field: &str) -> Option<&str> {
        self.selected.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }

    /// Every field that is there, as a list. Names of tables and columns are those of the wanted, which nobody but the caller's program
    /// chose.
    fn all(&self) -> String {
        self.selected.iter().map(|(field, text)| format!("{text} AS \"{field}\"")).collect::<Vec<_>>().join(", ")
    }

    fn read(&self, rows: &[QueryResult]) -> Result<Vec<OlderRow>, StoreError> {
        let read = |row: &QueryResult| {
            let fields = self.selected.iter().map(|(field, _)| {
                let value: Option<String> = row.try_get("", field).map_err(|failure| unreadable(WHAT, &failure))?;
                Ok(value.map(|value| (*field, value)))
            });
            fields.filter_map(Result::transpose).collect::<Result<OlderRow, StoreError>>()
        };
        rows.iter().map(read).collect()
    }
}

/// A column as text.
fn as_text(column: &str, data_type: &str) -> String {
    let moment = |moment: String| {
        let finite = format!("to_char({moment}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
        format!("CASE WHEN isfinite(\"{column}\") THEN {finite} ELSE \"{column}\"::text END")
    };
    match data_type {
        "timestamp with time zone" => moment(format!("\"{column}\" AT TIME ZONE 'UTC'")),
        "timestamp without time zone" | "date" => moment(format!("\"{column}\"::timestamp")),
        "bytea" => format!("encode(\"{column}\", 'hex')"),
        _ => format!("\"{column}\"::text"),
    }
}

fn text(row: &QueryResult, column: &str) -> Result<String, StoreError> {
    row.try_get("", column).map_err(|failure| unreadable(WHAT, &failure))
}
