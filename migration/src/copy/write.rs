//! Rows, written in one transaction a page: PostgreSQL takes them by its binary COPY, SQLite by inserts of many rows.

use sqlx::{AssertSqlSafe, Sqlite, postgres::PgConnection, sqlite::SqliteConnection};

use super::{
    CopyError, Side,
    catalog::{Table, quoted},
    rows::{Values, bind_sqlite},
    side::Connected,
    value::{POSTGRES_EPOCH, Value},
};

/// SQLite's limit is 32,766; longer statements don't make it faster.
const PLACES: usize = 2_000;

/// Writes a page, whole or not at all.
pub(super) async fn write(connected: &mut Connected, table: &Table, page: Vec<Values>) -> Result<(), CopyError> {
    let failed = CopyError::of(Side::Target, "writing rows");
    connected.begin_write().await.map_err(&failed)?;
    let written = match connected {
        Connected::Sqlite(connection) => insert(connection, table, page).await,
        Connected::Postgres(connection) => copy_in(connection, table, &page).await,
    };
    written.map_err(&failed)?;
    connected.run("COMMIT").await.map_err(failed).map(|_| ())
}

async fn insert(connection: &mut SqliteConnection, table: &Table, page: Vec<Values>) -> sqlx::Result<()> {
    let width = table.columns.len().max(1);
    let row = format!("({})", vec!["?"; width].join(", "));
    let mut page = page.into_iter().peekable();
    while page.peek().is_some() {
        let some: Vec<_> = page.by_ref().take((PLACES / width).max(1)).collect();
        let rows = vec![row.as_str(); some.len()].join(", ");
        let text = format!("INSERT INTO {} ({}) VALUES {rows}", quoted(&table.name), table.column_list());
        let mut query = sqlx::query::<Sqlite>(AssertSqlSafe(text));
        for value in some.into_iter().flatten() {
            query = bind_sqlite(query, value);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn copy_in(connection: &mut PgConnection, table: &Table, page: &[Values]) -> sqlx::Result<()> {
    let copy = format!("COPY {} ({}) FROM STDIN WITH (FORMAT binary)", quoted(&table.name), table.column_list());
    let mut sink = connection.copy_in_raw(&copy).await?;
    sink.send(binary(page)).await?;
    sink.finish().await.map(|_| ())
}

/// Rows in PostgreSQL's binary form.
fn binary(page: &[Values]) -> Vec<u8> {
    // The signature, no flags, no extension.
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let field = |bytes: &mut Vec<u8>, value: &[u8]| {
        // SQLite holds no value that is longer.
        bytes.extend(i32::try_from(value.len()).unwrap_or(i32::MAX).to_be_bytes());
        bytes.extend(value);
    };
    for row in page {
        bytes.extend(i16::try_from(row.len()).unwrap_or(i16::MAX).to_be_bytes());
        for value in row {
            match value {
                Value::Null => bytes.extend((-1_i32).to_be_bytes()),
                Value::Bytes(value) => field(&mut bytes, value),
                Value::Text(text) => field(&mut bytes, text.as_bytes()),
                Value::Integer(number) => field(&mut bytes, &number.to_be_bytes()),
                Value::Moment(micros) => field(&mut bytes, &(micros - POSTGRES_EPOCH).to_be_bytes()),
            }
        }
    }
    bytes.extend((-1_i16).to_be_bytes());
    bytes
}
