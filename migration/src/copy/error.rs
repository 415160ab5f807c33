use std::path::PathBuf;

use sqlx::error::DatabaseError;

use crate::MigrateError;

use super::Side;

/// Why a copy isn't complete. What was copied stays, and the same command goes on, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database can't be opened.
    #[error("the {side} can't be used")]
    Database {
        /// Which one.
        side: Side,
        /// Why.
        #[source]
        source: MigrateError,
    },
    /// There is no such file.
    #[error("the source `{}` isn't there: correct its address", file.display())]
    MissingSource {
        /// The file.
        file: PathBuf,
    },
    /// Both addresses lead to one database.
    #[error("the source and the target are the same database")]
    Same,
    /// The source is itself the target of a copy that isn't complete.
    #[error("the source holds an unfinished copy: finish that first, by its own command")]
    UnfinishedSource,
    /// The database lacks steps of the schema.
    #[error(
        "the {side} lacks {} step(s) of the schema, from {} on: run `tenantry-migrator up --database-url URL` with its address, then copy",
        steps.len(), steps.first().map_or("?", String::as_str)
    )]
    Behind {
        /// Which one.
        side: Side,
        /// The steps that it lacks.
        steps: Vec<String>,
    },
    /// The database has steps that this version doesn't know.
    #[error("the {side} was migrated by a newer version, which has {}: use that version's migrator", steps.join(", "))]
    Newer {
        /// Which one.
        side: Side,
        /// The unknown steps.
        steps: Vec<String>,
    },
    /// Servers are connected to a PostgreSQL, or others than this process to a SQLite file.
    #[error("{} the {side}: stop all servers, so that nothing is written that would be missing, then copy", if *is_file { "another process uses" } else { "servers are connected to" })]
    Served {
        /// Which one.
        side: Side,
        /// Whether it is a SQLite file, which doesn't say who it is.
        is_file: bool,
    },
    /// The target has rows that this copy didn't bring.
    #[error(
        "the target is not empty, there are rows in `{table}`: copy into a new database that `tenantry-migrator up` has made"
    )]
    NotEmpty {
        /// The first table that has some.
        table: String,
    },
    /// Another copy is under way there.
    #[error("the target holds an unfinished copy of {source_place}: finish that, or add --start-over to have its rows deleted")]
    OtherCopy {
        /// Where that one comes from.
        source_place: String,
    },
    /// The steps are the same, and a table isn't: somebody changed it by hand.
    #[error("the source has not the same table `{table}` as the target, though their schemas have the same steps")]
    OtherTable {
        /// The table.
        table: String,
    },
    /// A column of a type that a copy doesn't know.
    #[error("the {side} has a column `{table}.{column}` of a type that can't be copied, {kind}")]
    UnknownType {
        /// Which one.
        side: Side,
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// A table without a primary key, whose rows have no order.
    #[error("the {side} has a table `{table}` without a primary key, which can't be copied")]
    NoKey {
        /// Which one.
        side: Side,
        /// The table.
        table: String,
    },
    /// Tables that refer to each other in a circle.
    #[error("the {side} has a table `{table}` that refers to itself by way of others, which can't be copied")]
    Circle {
        /// Which one.
        side: Side,
        /// The table.
        table: String,
    },
    /// A value that isn't what its column is for.
    #[error("in the {side} a value of `{table}.{column}` {detail} (the row's identifier: {near}): correct it, then go on")]
    Unreadable {
        /// Which one.
        side: Side,
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The identifier of the row, if it was read before.
        near: String,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// Source and target aren't equal at the end.
    #[error(
        "the target differs from the source in {}: the source was written to while or since it was copied, or the target was. \
         Stop everything that writes to them, then copy again with --start-over",
        tables.join(", ")
    )]
    Differs {
        /// The tables.
        tables: Vec<String>,
    },
    /// Rows of the target refer to missing ones.
    #[error("rows of `{table}` in the target refer to missing ones, as they do in the source: its doctor says more")]
    Dangling {
        /// The table.
        table: String,
    },
    /// A database failed.
    #[error("{doing} failed in the {side}: {cause}. What was copied stays: put that right, and run the same command again")]
    Failed {
        /// Which one.
        side: Side,
        /// What was being done.
        doing: &'static str,
        /// What the database says, without values.
        cause: String,
    },
}

impl CopyError {
    /// A failure of the driver.
    pub(super) fn of(side: Side, doing: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |failure| Self::Failed { side, doing, cause: cause(&failure) }
    }

    pub(super) fn on(side: Side) -> impl Fn(MigrateError) -> Self {
        move |source| Self::Database { side, source }
    }
}

fn cause(failure: &sqlx::Error) -> String {
    match failure.as_database_error() {
        // PostgreSQL quotes the value that it couldn't read.
        Some(failure) if failure.code().is_some_and(|code| code.len() == 5 && code.starts_with("22")) => {
            "a value doesn't fit its type".to_owned()
        }
        Some(failure) => DatabaseError::message(failure).to_owned(),
        None => failure.to_string(),
    }
}
