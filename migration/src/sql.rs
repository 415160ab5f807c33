use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

/// Runs statements in order. What the two databases call differently is written as `{uuid}`, `{timestamp}` and `{bytes}`.
///
/// SQLite's names are those that sea-orm gives its own columns; they make identifiers blobs and timestamps text.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let (uuid, timestamp, bytes) = match db.get_database_backend() {
        DbBackend::Sqlite => ("uuid_text", "timestamp_with_timezone_text", "blob"),
        _ => ("uuid", "timestamptz", "bytea"),
    };
    for statement in statements {
        let statement = statement.replace("{uuid}", uuid).replace("{timestamp}", timestamp).replace("{bytes}", bytes);
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}
