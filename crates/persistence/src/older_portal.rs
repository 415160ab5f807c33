//! A look into the database of an older portal: whatever of the wanted columns is there, all as text, as it was in one moment.

use std::collections::BTreeMap;

use sea_orm::{DbBackend, QueryResult, Statement};
use tenantry_domain::StoreError;

use crate::{
    ConnectError, Options,
    connect::{Connections, connect},
    connection::{Connection as _, OpenTransaction},
    error::{driver_failure, unreadable},
};

const WHAT: &str = "row of the older portal";

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
    /// Its rows.
    pub rows: Vec<OlderRow>,
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

/// Reads the wanted tables of the older portal at `url`, in the schema that its user finds first. It writes nothing and locks nothing.
///
/// # Errors
/// See [`OlderPortalError`].
pub async fn read_older_portal(url: &str, wanted: &[WantedTable]) -> Result<Vec<OlderTable>, OlderPortalError> {
    if !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
        return Err(OlderPortalError::NotPostgres);
    }
    let connections = connect(&Options { max_connections: 1, ..Options::new(url) }).await?;
    let tables = read_all(&connections, wanted).await;
    connections.close().await;
    tables
}

async fn read_all(connections: &Connections, wanted: &[WantedTable]) -> Result<Vec<OlderTable>, OlderPortalError> {
    let mut snapshot = connections.snapshot().await.map_err(|failure| driver_failure(WHAT, &failure))?;
    let types = column_types(&mut snapshot).await?;
    if types.keys().any(|(table, _)| table == "seaql_migrations") {
        return Err(OlderPortalError::IsTenantry);
    }
    let mut tables = Vec::new();
    for wanted in wanted {
        tables.push(read_table(&mut snapshot, wanted, &types).await?);
    }
    Ok(tables)
}

/// The type of each column, by table and column.
type ColumnTypes = BTreeMap<(String, String), String>;

async fn column_types(snapshot: &mut OpenTransaction) -> Result<ColumnTypes, StoreError> {
    const COLUMNS: &str = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
        WHERE table_schema = current_schema()";

    let rows = fetch(snapshot, COLUMNS).await?;
    rows.iter().map(|row| Ok(((text(row, "table_name")?, text(row, "column_name")?), text(row, "data_type")?))).collect()
}

async fn read_table(snapshot: &mut OpenTransaction, wanted: &WantedTable, types: &ColumnTypes) -> Result<OlderTable, StoreError> {
    let type_of = |column: &str| types.get(&(wanted.name.to_owned(), column.to_owned()));
    let found = wanted.fields.iter().filter_map(|field| {
        let (column, data_type) = field.columns.iter().find_map(|&column| Some((column, type_of(column)?)))?;
        Some((field.name, column, data_type.as_str()))
    });
    let found: Vec<_> = found.collect();
    let columns: BTreeMap<_, _> = found.iter().map(|&(field, column, _)| (field, column)).collect();
    let Some(key) = wanted.fields.first().and_then(|field| columns.get(field.name)) else {
        return Ok(OlderTable { columns, rows: Vec::new() });
    };
    let selected: Vec<_> =
        found.iter().map(|(field, column, data_type)| format!("{} AS \"{field}\"", as_text(column, data_type))).collect();
    // Names of tables and columns are those of the wanted, which nobody but the caller's program chose.
    let query = format!("SELECT {} FROM \"{}\" ORDER BY \"{key}\"", selected.join(", "), wanted.name);
    let rows = fetch(snapshot, &query).await?;
    let read = |row: &QueryResult| {
        let fields = found.iter().map(|&(field, ..)| {
            let value: Option<String> = row.try_get("", field).map_err(|failure| unreadable(WHAT, &failure))?;
            Ok(value.map(|value| (field, value)))
        });
        fields.filter_map(Result::transpose).collect::<Result<OlderRow, StoreError>>()
    };
    Ok(OlderTable { rows: rows.iter().map(read).collect::<Result<_, _>>()?, columns })
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

async fn fetch(snapshot: &mut OpenTransaction, query: &str) -> Result<Vec<QueryResult>, StoreError> {
    let rows = snapshot.fetch_all(Statement::from_string(DbBackend::Postgres, query)).await;
    rows.map_err(|failure| driver_failure(WHAT, &failure))
}

fn text(row: &QueryResult, column: &str) -> Result<String, StoreError> {
    row.try_get("", column).map_err(|failure| unreadable(WHAT, &failure))
}
