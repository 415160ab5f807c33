//! Everything that a database holds, copied into another: from SQLite to PostgreSQL, back, or to one of the same kind.
//!
//! Pages of rows are written in the order of their keys, each in a transaction of its own. So what is there says how far a copy has come,
//! and one that was killed goes on behind the last row of each table. A table of its own says that a copy is under way and of what, until it
//! is complete: servers don't serve such a database.
//!
//! Tallies aren't copied. The target's triggers count the rows that come in, as they count those that servers write.

mod catalog;
mod error;
mod rows;
mod side;
mod value;
mod verify;
mod write;

use crate::{SchemaStatus, connection::Target, status::compare};

pub(crate) use self::catalog::UNDER_WAY;
use self::{
    catalog::{Table, quoted},
    side::{Connected, place},
};
pub use self::{error::CopyError, side::Side};

/// How a copy is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// The most rows that are written at once, 1 or more.
    pub page_rows: usize,
    /// Whether an unfinished copy in the target is deleted first, whatever it is of.
    pub start_over: bool,
}

impl Default for CopyOptions {
    /// 5,000 rows at once; what is there is gone on with.
    fn default() -> Self {
        Self { page_rows: 5_000, start_over: false }
    }
}

/// How far a copy has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many rows of a table are in the target, of so many.
    Copied {
        /// The table.
        table: String,
        /// Rows in the target.
        rows: u64,
        /// Rows in the source.
        of: u64,
    },
    /// A table is being compared.
    Comparing {
        /// The table.
        table: String,
    },
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The tables with the number of their rows.
    pub tables: Vec<(String, u64)>,
    /// Rows that an earlier run of the command had copied.
    pub found: u64,
    /// Tables of the source that aren't Tenantry's, and stay behind.
    pub left_behind: Vec<String>,
    /// Tallies of the source that say something else than the rows do; the target's are right.
    pub tallies_mended: Vec<String>,
}

/// Copies everything from the database at `from` into the empty one at `to`, whose schemas must both be this version's. `progress` hears of
/// each page.
///
/// The rows are the source's of the moment in which the command was run. When all are there, every table's rows are counted and digested
/// on both sides, the source's as they are then: so a copy that answers `Ok` equals its source, and one whose source was written to
/// doesn't. Stop its servers first.
///
/// A run that ends early, however it does, leaves an unfinished copy; the same call goes on with it.
///
/// # Errors
/// [`CopyError`].
pub async fn copy(from: &str, to: &str, options: CopyOptions, progress: &mut dyn FnMut(Progress)) -> Result<Copied, CopyError> {
    let (source, target) =
        (Target::parse(from).map_err(CopyError::on(Side::Source))?, Target::parse(to).map_err(CopyError::on(Side::Target))?);
    let source_place = place(&source);
    if source_place == place(&target) {
        return Err(CopyError::Same);
    }
    let (mut target, _lock) = open(target, Side::Target).await?;
    let (mut source, _) = open(source, Side::Source).await?;
    let copied = copy_between(&mut source, &mut target, &source_place, options, progress).await;
    source.close().await;
    target.close().await;
    copied
}

async fn open(target: Target, side: Side) -> Result<(Connected, Option<std::fs::File>), CopyError> {
    if let Target::Sqlite { file, options } = &target {
        match (file.exists(), side) {
            (false, Side::Source) => return Err(CopyError::MissingSource { file: file.clone() }),
            (false, Side::Target) => return Err(CopyError::Behind { side, steps: compare(&Default::default()).pending() }),
            (true, _) if side::is_open_elsewhere(options).await => return Err(CopyError::Served { side, is_file: true }),
            _ => {}
        }
    }
    let opened = match side {
        Side::Source => Connected::source(target).await.map(|connected| (connected, None)),
        Side::Target => Connected::target(target).await,
    };
    let (mut connected, lock) = opened.map_err(CopyError::on(side))?;
    refuse_other_schema(&mut connected, side).await?;
    connected.refuse_servers(side).await?;
    Ok((connected, lock))
}

async fn refuse_other_schema(connected: &mut Connected, side: Side) -> Result<(), CopyError> {
    let failed = CopyError::of(side, "reading the schema");
    let has_steps = has_table(connected, "seaql_migrations").await.map_err(&failed)?;
    let steps = match has_steps {
        true => connected.texts("SELECT version FROM seaql_migrations").await.map_err(failed)?,
        false => Vec::new(),
    };
    let status: SchemaStatus = compare(&steps.into_iter().collect());
    match (status.pending(), status.newer()) {
        (steps, _) if !steps.is_empty() => Err(CopyError::Behind { side, steps }),
        (_, steps) if !steps.is_empty() => Err(CopyError::Newer { side, steps }),
        _ => Ok(()),
    }
}

/// Whether there is a table of a name that is the crate's own.
async fn has_table(connected: &mut Connected, name: &'static str) -> sqlx::Result<bool> {
    let query = match connected {
        Connected::Sqlite(_) => format!("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{name}'"),
        Connected::Postgres(_) => {
            format!(
                "SELECT count(*) FROM pg_class WHERE relname = '{name}' AND relnamespace = current_schema()::text::regnamespace"
            )
        }
    };
    Ok(connected.count(query).await? > 0)
}

async fn copy_between(
    source: &mut Connected,
    target: &mut Connected,
    source_place: &str,
    options: CopyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Copied, CopyError> {
    if has_table(source, UNDER_WAY).await.map_err(CopyError::of(Side::Source, "reading the schema"))? {
        return Err(CopyError::UnfinishedSource);
    }
    let tables = catalog::read(target, Side::Target).await?;
    let theirs = catalog::read(source, Side::Source).await?;
    let left_behind = same_tables(&tables, &theirs)?;
    begin(target, &tables, source_place, options.start_over).await?;
    source.begin_snapshot().await.map_err(CopyError::of(Side::Source, "beginning to read"))?;
    let mut found = 0;
    for table in tables.iter().filter(|table| !table.is_tally()) {
        found += copy_table(source, target, table, options.page_rows.max(1), progress).await?;
    }
    source.run("COMMIT").await.map_err(CopyError::of(Side::Source, "reading"))?;
    let (counted, tallies_mended) = verify::verify(source, target, &tables, progress).await?;
    finish(target).await?;
    Ok(Copied { tables: counted, found, left_behind, tallies_mended })
}

/// The source has the target's tables, column by column; what it has besides isn't Tenantry's.
fn same_tables(tables: &[Table], theirs: &[Table]) -> Result<Vec<String>, CopyError> {
    for table in tables {
        let same = |other: &&Table| other.name == table.name && other.columns == table.columns && other.key == table.key;
        if !theirs.iter().any(|other| same(&other)) {
            return Err(CopyError::OtherTable { table: table.name.clone() });
        }
    }
    let known = |other: &&Table| !tables.iter().any(|table| table.name == other.name);
    Ok(theirs.iter().filter(known).map(|other| other.name.clone()).collect())
}

/// Notes in the target that a copy is under way, or finds that it is.
async fn begin(target: &mut Connected, tables: &[Table], source_place: &str, start_over: bool) -> Result<(), CopyError> {
    let failed = CopyError::of(Side::Target, "beginning the copy");
    target.begin_write().await.map_err(&failed)?;
    if has_table(target, UNDER_WAY).await.map_err(&failed)? {
        let places = target.texts(format!("SELECT source FROM {UNDER_WAY}")).await.map_err(&failed)?;
        let under_way = places.into_iter().next().unwrap_or_default();
        if !start_over {
            target.run("COMMIT").await.map_err(&failed)?;
            return if under_way == source_place { Ok(()) } else { Err(CopyError::OtherCopy { source_place: under_way }) };
        }
        for table in tables.iter().rev().filter(|table| !table.is_tally()) {
            target.run(format!("DELETE FROM {}", quoted(&table.name))).await.map_err(&failed)?;
        }
        target.run(format!("DROP TABLE {UNDER_WAY}")).await.map_err(&failed)?;
    }
    for table in tables.iter().filter(|table| !table.is_tally()) {
        let some = format!("SELECT count(*) FROM (SELECT 1 AS one FROM {} LIMIT 1) AS found", quoted(&table.name));
        if target.count(some).await.map_err(&failed)? > 0 {
            return Err(CopyError::NotEmpty { table: table.name.clone() });
        }
    }
    let place = source_place.replace('\'', "''");
    target.run(format!("CREATE TABLE {UNDER_WAY} (source text NOT NULL PRIMARY KEY)")).await.map_err(&failed)?;
    target.run(format!("INSERT INTO {UNDER_WAY} (source) VALUES ('{place}')")).await.map_err(&failed)?;
    target.run("COMMIT").await.map_err(failed).map(|_| ())
}

/// Copies what is missing of a table, and answers how many rows were there.
async fn copy_table(
    source: &mut Connected,
    target: &mut Connected,
    table: &Table,
    page_rows: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, CopyError> {
    let count = format!("SELECT count(*) FROM {}", quoted(&table.name));
    let of = source.count(count.clone()).await.map_err(CopyError::of(Side::Source, "counting rows"))?;
    let found = target.count(count).await.map_err(CopyError::of(Side::Target, "counting rows"))?;
    let mut rows = found;
    let mut last = rows::last_key(target, Side::Target, table).await?;
    progress(Progress::Copied { table: table.name.clone(), rows, of });
    loop {
        let page = rows::page(source, Side::Source, table, last.as_deref(), page_rows).await?;
        let Some(end) = page.last() else { return Ok(found) };
        last = Some(table.key.iter().filter_map(|&place| end.get(place).cloned()).collect());
        rows += page.len() as u64;
        write::write(target, table, page).await?;
        progress(Progress::Copied { table: table.name.clone(), rows, of });
    }
}

/// Ends the copy, and lets the database know what it has, so that its first questions are answered well.
async fn finish(target: &mut Connected) -> Result<(), CopyError> {
    let failed = CopyError::of(Side::Target, "ending the copy");
    if let Connected::Sqlite(_) = target {
        let dangling = target.texts("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1").await.map_err(&failed)?;
        if let Some(table) = dangling.into_iter().next() {
            return Err(CopyError::Dangling { table });
        }
    }
    target.run("ANALYZE").await.map_err(&failed)?;
    target.run(format!("DROP TABLE {UNDER_WAY}")).await.map_err(failed).map(|_| ())
}
