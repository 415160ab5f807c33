//! Which steps a database has.

use std::collections::BTreeSet;

use sea_orm_migration::{
    IntoSchemaManagerConnection, MigratorTrait, SchemaManager,
    sea_orm::{DbErr, EntityTrait},
    seaql_migrations,
};

use crate::{MigrateError, Migrator, connection::Target};

/// Every step that this version or the database knows, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The steps.
    pub steps: Vec<Step>,
    /// Whether the rows are those of a copy that isn't complete. A server refuses to serve them.
    pub unfinished_copy: bool,
}

/// One step of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, which starts with its date.
    pub name: String,
    /// Whether the database has it.
    pub state: StepState,
}

/// How a database and this version stand to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepState {
    /// The database has it.
    Applied,
    /// The database lacks it: this version can't serve the database before `up`.
    Pending,
    /// The database has it and this version doesn't know it: a newer version migrated the database. No obstacle to serving it.
    Newer,
}

impl SchemaStatus {
    /// The names of the steps that the database has and this version knows.
    #[must_use]
    pub fn applied(&self) -> Vec<String> {
        self.names(StepState::Applied)
    }

    /// The names of the steps that the database lacks. A server refuses to serve while there are any.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        self.names(StepState::Pending)
    }

    /// The names of the steps that only a newer version knows.
    #[must_use]
    pub fn newer(&self) -> Vec<String> {
        self.names(StepState::Newer)
    }

    fn names(&self, state: StepState) -> Vec<String> {
        self.steps.iter().filter(|step| step.state == state).map(|step| step.name.clone()).collect()
    }
}

/// Reads which steps a database has. Changes nothing, needs no right to, and doesn't wait for a migrator; a SQLite file that
/// doesn't exist yet lacks all of them.
///
/// # Errors
/// See [`MigrateError`].
pub async fn status(url: &str) -> Result<SchemaStatus, MigrateError> {
    let target = Target::parse(url)?;
    if let Target::Sqlite { file, .. } = &target
        && crate::connection::folder_of(file).is_dir()
        && !file.exists()
    {
        return Ok(compare(&BTreeSet::new()));
    }
    let db = target.connect(false).await?;
    let status = read_status(&db).await?;
    db.close().await?;
    Ok(status)
}

pub(crate) async fn read_status<'c>(db: impl IntoSchemaManagerConnection<'c>) -> Result<SchemaStatus, DbErr> {
    let manager = SchemaManager::new(db);
    if !manager.has_table(Migrator::migration_table_name().to_string()).await? {
        return Ok(compare(&BTreeSet::new()));
    }
    let rows = seaql_migrations::Entity::find().all(manager.get_connection()).await?;
    let unfinished_copy = manager.has_table(crate::copy::UNDER_WAY).await?;
    Ok(SchemaStatus { unfinished_copy, ..compare(&rows.into_iter().map(|row| row.version).collect()) })
}

/// Holds the steps that a database has against those that this version knows.
pub(crate) fn compare(applied: &BTreeSet<String>) -> SchemaStatus {
    let known: BTreeSet<_> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let state = |name: &String| match (known.contains(name), applied.contains(name)) {
        (true, true) => StepState::Applied,
        (true, false) => StepState::Pending,
        (false, _) => StepState::Newer,
    };
    let steps = known.union(applied).map(|name| Step { name: name.clone(), state: state(name) }).collect();
    SchemaStatus { steps, unfinished_copy: false }
}
