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

/// How SQLite would run a statement, or each of a script: a line for each table that it reads. What isn't bound is NULL.
pub async fn plans(database: &DatabaseUrl, script: &str) -> Vec<String> {
    let connection = Database::connect(database.as_str()).await.expect("the database is reachable");
    let mut plans = Vec::new();
    for sql in script.split(';') {
        let statement = Statement::from_string(connection.get_database_backend(), format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = connection.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        plans.extend(rows.iter().map(|row| row.try_get_by::<String, _>("detail").expect("a line of the plan")));
    }
    connection.close().await.expect("the connection closes");
    plans
}
