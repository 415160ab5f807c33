//! Rows, read in the order of their keys, which is the same on both databases: bytes by bytes, numbers by size, texts by their bytes.

use std::future::Future;

use sqlx::{
    AssertSqlSafe, Postgres, Sqlite,
    postgres::{PgArguments, PgConnection},
    query::Query,
    sqlite::{SqliteArguments, SqliteConnection},
    types::Uuid,
};

use super::{
    CopyError, Side,
    catalog::{Column, Table, list, quoted},
    side::Connected,
    value::{Kind, Unreadable, Value, moment_text},
};

pub(super) type Values = Vec<Value>;

/// What a page may take of memory, more or less; with one row it may be more.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// A query, the columns of its answer, and the values that it is bound to.
struct Asked<'a> {
    text: String,
    columns: Vec<&'a Column>,
    bound: Vec<(Kind, &'a Value)>,
}

/// At most `limit` rows behind a key, or from the first on, and no more than fit a page.
pub(super) async fn page(
    connected: &mut Connected,
    side: Side,
    table: &Table,
    after: Option<&[Value]>,
    limit: usize,
) -> Result<Vec<Values>, CopyError> {
    let keys = order(connected, table, "");
    let behind = after.map(|_| {
        let places = (1..=table.key.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
        format!("WHERE ({keys}) > ({places})")
    });
    let text = format!(
        "SELECT {} FROM {} {} ORDER BY {} LIMIT {limit}",
        table.column_list(),
        quoted(&table.name),
        behind.unwrap_or_default(),
        keys,
    );
    let bound = table.key_columns().map(|column| column.kind).zip(after.unwrap_or_default()).collect();
    ask(connected, side, &table.name, Asked { text, columns: table.columns.iter().collect(), bound }).await
}

/// The key of the last row that is there.
pub(super) async fn last_key(connected: &mut Connected, side: Side, table: &Table) -> Result<Option<Values>, CopyError> {
    let keys = list(table.key_columns());
    let text = format!("SELECT {keys} FROM {} ORDER BY {} LIMIT 1", quoted(&table.name), order(connected, table, " DESC"));
    let asked = Asked { text, columns: table.key_columns().collect(), bound: Vec::new() };
    Ok(ask(connected, side, &table.name, asked).await?.pop())
}

/// What a tally says, whatever slots it is spread over.
pub(super) async fn tally(connected: &mut Connected, side: Side, table: &Table) -> Result<Vec<Values>, CopyError> {
    let by: Vec<_> = table.key_columns().filter(|column| column.name != "slot").collect();
    let counts: Vec<_> = table.columns.iter().filter(|column| column.name != "slot" && !by.contains(column)).collect();
    let sum = |column: &&Column| format!("CAST(sum({0}) AS bigint) AS {0}", quoted(&column.name));
    let some = |column: &&Column| format!("sum({}) <> 0", quoted(&column.name));
    let selected: Vec<_> = by.iter().map(|column| quoted(&column.name)).chain(counts.iter().map(sum)).collect();
    let some = counts.iter().map(some).collect::<Vec<_>>().join(" OR ");
    let keys = list(by.iter().copied());
    let (group, order) = match keys.is_empty() {
        true => (String::new(), String::new()),
        false => (format!("GROUP BY {keys}"), format!("ORDER BY {keys}")),
    };
    let text = format!("SELECT {} FROM {} {group} HAVING {some} {order}", selected.join(", "), quoted(&table.name));
    let columns = by.into_iter().chain(counts).collect();
    ask(connected, side, &table.name, Asked { text, columns, bound: Vec::new() }).await
}

/// The columns of the key, as rows are sorted and compared by.
fn order(connected: &Connected, table: &Table, direction: &str) -> String {
    let column = |column: &Column| {
        // PostgreSQL would sort texts as a language does.
        let collation = match (connected, column.kind) {
            (Connected::Postgres(_), Kind::Text) => " COLLATE \"C\"",
            _ => "",
        };
        format!("{}{collation}{direction}", quoted(&column.name))
    };
    table.key_columns().map(column).collect::<Vec<_>>().join(", ")
}

async fn ask(connected: &mut Connected, side: Side, table: &str, asked: Asked<'_>) -> Result<Vec<Values>, CopyError> {
    match connected {
        Connected::Sqlite(connection) => ask_sqlite(connection, side, table, asked).await,
        Connected::Postgres(connection) => ask_postgres(connection, side, table, asked).await,
    }
}

/// Reads the rows of a query until they fill a page.
macro_rules! read {
    ($connection:expr, $query:expr, $side:expr, $table:expr, $columns:expr, $read:path) => {{
        let mut rows = $query.fetch($connection);
        let (mut page, mut size) = (Vec::new(), 0);
        while size < PAGE_BYTES {
            let row = next(&mut rows).await.map_err(CopyError::of($side, "reading rows"))?;
            let Some(row) = row else { break };
            let mut values = Vec::with_capacity($columns.len());
            for (place, column) in $columns.iter().enumerate() {
                let value = $read(&row, place, column.kind);
                let value = value.map_err(|detail| unreadable($side, $table, column, &values, detail))?;
                size += value.size();
                values.push(value);
            }
            page.push(values);
        }
        Ok(page)
    }};
}

async fn ask_sqlite(
    connection: &mut SqliteConnection,
    side: Side,
    table: &str,
    asked: Asked<'_>,
) -> Result<Vec<Values>, CopyError> {
    let mut query = sqlx::query::<Sqlite>(AssertSqlSafe(asked.text));
    for (_, value) in asked.bound {
        query = bind_sqlite(query, value.clone());
    }
    read!(connection, query, side, table, asked.columns, Value::of_sqlite)
}

async fn ask_postgres(
    connection: &mut PgConnection,
    side: Side,
    table: &str,
    asked: Asked<'_>,
) -> Result<Vec<Values>, CopyError> {
    let mut query = sqlx::query::<Postgres>(AssertSqlSafe(asked.text));
    for (kind, value) in asked.bound {
        query = bind_postgres(query, kind, value.clone());
    }
    read!(connection, query, side, table, asked.columns, Value::of_postgres)
}

/// The next row of an answer.
fn next<R>(
    rows: &mut (impl futures_util::TryStream<Ok = R, Error = sqlx::Error> + Unpin),
) -> impl Future<Output = sqlx::Result<Option<R>>> {
    futures_util::TryStreamExt::try_next(rows)
}

fn unreadable(side: Side, table: &str, column: &Column, before: &[Value], detail: Unreadable) -> CopyError {
    // An identifier names the row, where it was read already.
    let id = before.iter().find_map(|value| match value {
        Value::Bytes(bytes) if bytes.len() == 16 => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        _ => None,
    });
    let (table, column) = (table.to_owned(), column.name.clone());
    CopyError::Unreadable { side, table, column, near: id.unwrap_or_else(|| "?".to_owned()), detail }
}

/// Binds a value as servers write it into SQLite.
pub(super) fn bind_sqlite(query: Query<'_, Sqlite, SqliteArguments>, value: Value) -> Query<'_, Sqlite, SqliteArguments> {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Text(text) => query.bind(text),
        Value::Integer(number) => query.bind(number),
        Value::Moment(micros) => query.bind(moment_text(micros)),
    }
}

/// Binds a value of a key, which is never a moment but in tallies, whose keys nobody asks by.
fn bind_postgres(query: Query<'_, Postgres, PgArguments>, kind: Kind, value: Value) -> Query<'_, Postgres, PgArguments> {
    match value {
        Value::Bytes(bytes) if kind == Kind::Uuid => query.bind(Uuid::from_slice(&bytes).unwrap_or_default()),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Text(text) => query.bind(text),
        Value::Integer(number) => query.bind(number),
        Value::Moment(micros) => query.bind(chrono::DateTime::from_timestamp_micros(micros)),
        Value::Null => query.bind(None::<i64>),
    }
}
