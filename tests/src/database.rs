//! A look into the database past the server.

use sea_orm::{ConnectionTrait, Database, DbErr, FromQueryResult, JsonValue, Statement};
use serde_json::Value;

use crate::postgres::DatabaseUrl;

/// The rows of a query, each as a JSON object of its columns. Cast in the query what JSON has no form for.
pub async fn rows(database: &DatabaseUrl, sql: &str) -> Vec<Value> {
    let connection = Database::connect(database.as_str()).await.expect("the database is reachable");
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = JsonValue::find_by_statement(statement).all(&connection).await;
    connection.close().await.expect("the connection closes");
    rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Runs a statement.
pub async fn execute(database: &DatabaseUrl, sql: &str) -> Result<u64, DbErr> {
    let connection = Database::connect(database.as_str()).await?;
    let done = connection.execute_unprepared(sql).await.map(|done| done.rows_affected());
    connection.close().await?;
    done
}
