//! All rows of a database, replaced by those of another with the same schema, inside the transaction that is under way.

use std::path::Path;

use super::{
    BackupError,
    file::{MAIN, Opened, quoted},
};

/// The name that the other database is attached by.
pub(super) const BACKUP: &str = "backup";

/// A table, and its columns as a list.
pub(super) struct Table {
    pub(super) name: String,
    columns: String,
}

/// The tables, which must be the same in both.
pub(super) async fn tables(opened: &mut Opened) -> Result<Result<Vec<Table>, String>, sqlx::Error> {
    let names = opened.tables(MAIN).await?;
    let others = opened.tables(BACKUP).await?;
    if let Some(astray) = names.iter().find(|name| !others.contains(name)).or(others.iter().find(|name| !names.contains(name))) {
        return Ok(Err(astray.clone()));
    }
    let mut tables = Vec::new();
    for name in names {
        let columns = opened.columns(MAIN, &name).await?;
        let mut sorted = [columns.clone(), opened.columns(BACKUP, &name).await?];
        sorted.iter_mut().for_each(|columns| columns.sort());
        if sorted[0] != sorted[1] {
            return Ok(Err(name));
        }
        let columns = columns.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        tables.push(Table { name, columns });
    }
    Ok(Ok(tables))
}

/// Replaces the rows of all tables, and holds each table against the backup's.
///
/// Triggers would count what is copied a second time, and are made again before anybody else sees the database.
pub(super) async fn replace(opened: &mut Opened, tables: &[Table], file: &Path) -> Result<(), BackupError> {
    let failed = BackupError::of("replacing the rows");
    let triggers = opened.column::<String>("SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY rowid").await;
    let names = opened.column::<String>("SELECT name FROM main.sqlite_schema WHERE type = 'trigger'").await;
    let (triggers, names) = (triggers.map_err(&failed)?, names.map_err(&failed)?);
    for name in names {
        opened.run(format!("DROP TRIGGER main.{}", quoted(&name)), []).await.map_err(&failed)?;
    }
    for Table { name, columns } in tables {
        let table = quoted(name);
        opened.run(format!("DELETE FROM main.{table}"), []).await.map_err(&failed)?;
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM {BACKUP}.{table}");
        opened.run(copy, []).await.map_err(&failed)?;
    }
    for trigger in triggers {
        opened.run(trigger, []).await.map_err(&failed)?;
    }
    for table in tables {
        compare(opened, table).await?;
    }
    let dangling = |detail| BackupError::Damaged { file: file.to_owned(), detail };
    opened.refuse_dangling(MAIN, dangling).await
}

/// Every row of the backup is there, and there are as many: a table's rows differ by their key.
async fn compare(opened: &mut Opened, Table { name, columns }: &Table) -> Result<(), BackupError> {
    let failed = BackupError::of("comparing the rows");
    let table = quoted(name);
    let missing =
        format!("SELECT count(*) FROM (SELECT {columns} FROM {BACKUP}.{table} EXCEPT SELECT {columns} FROM main.{table})");
    let surplus = format!("SELECT (SELECT count(*) FROM main.{table}) <> (SELECT count(*) FROM {BACKUP}.{table})");
    for query in [missing, surplus] {
        if opened.count(query).await.map_err(&failed)? != 0 {
            return Err(BackupError::CopyDiffers { table: name.clone() });
        }
    }
    Ok(())
}
