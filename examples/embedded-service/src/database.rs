//! SQLite or PostgreSQL, by Tenantry's own stores.

use std::error::Error;

use tenantry_persistence::{DatabaseStore, Options};

/// Brings the database at `url` up to date and opens it: `sqlite://shop.db`, `postgres://shop:secret@localhost/shop`.
///
/// Where several servers share one PostgreSQL, migrate it apart, by `tenantry-migrator`, before they start.
///
/// # Errors
/// That it can't be migrated or opened, and why; none of it says the password.
pub async fn open(url: &str) -> Result<DatabaseStore, Box<dyn Error>> {
    tenantry_migration::up(url).await?;
    Ok(DatabaseStore::connect(&Options::new(url)).await?)
}
