//! The tables that a database has, read from its own schema: a table or a column that a step adds is copied without being named here.

use std::collections::BTreeMap;

use sqlx::Row;

use super::{CopyError, Side, side::Connected, value::Kind};

/// The table that says that a copy is under way.
pub(crate) const UNDER_WAY: &str = "tenantry_copy";

/// The table that lists the steps of the schema, which each database has its own of.
const STEPS: &str = "seaql_migrations";

/// The column that only tallies have.
const SLOT: &str = "slot";

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// By name: the two databases needn't agree on an order.
    pub(super) columns: Vec<Column>,
    /// The columns of the primary key, as places among the columns.
    pub(super) key: Vec<usize>,
    /// The tables that it refers to.
    refers_to: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Table {
    /// Whether triggers keep it, which count what is copied.
    pub(super) fn is_tally(&self) -> bool {
        self.columns.iter().any(|column| column.name == SLOT)
    }

    /// A column of the key.
    pub(super) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|&place| self.columns.get(place))
    }

    /// Names in quotes, as a list.
    pub(super) fn column_list(&self) -> String {
        list(self.columns.iter())
    }
}

/// Columns by their names, in quotes, as a list.
pub(super) fn list<'c>(columns: impl Iterator<Item = &'c Column>) -> String {
    columns.map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// One column as a database describes it.
struct Described {
    table: String,
    column: String,
    kind: String,
    /// Its place in the primary key, from 1 on; 0 where it isn't in it.
    key_place: i64,
    /// Whether the database numbers it by itself.
    numbered: bool,
}

/// The tables, in an order in which each stands behind those that it refers to, and those that have to do with no other at the end:
/// triggers of the audit trail look for its tenants.
pub(super) async fn read(connected: &mut Connected, side: Side) -> Result<Vec<Table>, CopyError> {
    let failed = CopyError::of(side, "reading the schema");
    let (described, references) = match connected {
        Connected::Sqlite(_) => (
            "SELECT t.name, c.name, lower(c.type), c.pk, 0 FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden = 0 ORDER BY t.name, c.name",
            "SELECT t.name, r.\"table\" FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS r WHERE t.type = 'table'",
        ),
        Connected::Postgres(_) => (
            "SELECT t.relname::text, c.attname::text, format_type(c.atttypid, c.atttypmod),
                coalesce(array_position(k.indkey::int2[], c.attnum) + 1, 0)::bigint,
                (c.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false))::int::bigint
            FROM pg_class AS t JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
                LEFT JOIN pg_index AS k ON k.indrelid = t.oid AND k.indisprimary
                LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = c.attnum
            WHERE t.relnamespace = current_schema()::text::regnamespace AND t.relkind IN ('r', 'p')
            ORDER BY t.relname::text COLLATE \"C\", c.attname::text COLLATE \"C\"",
            "SELECT t.relname::text, r.relname::text FROM pg_constraint AS f
                JOIN pg_class AS t ON t.oid = f.conrelid JOIN pg_class AS r ON r.oid = f.confrelid
            WHERE f.contype = 'f' AND t.relnamespace = current_schema()::text::regnamespace",
        ),
    };
    let described = describe(connected, described).await.map_err(&failed)?;
    let references = refer(connected, references).await.map_err(&failed)?;
    tables(described, &references, side)
}

async fn describe(connected: &mut Connected, query: &'static str) -> sqlx::Result<Vec<Described>> {
    macro_rules! described {
        ($connection:expr) => {
            sqlx::query(query)
                .fetch_all($connection)
                .await?
                .iter()
                .map(|row| {
                    Ok(Described {
                        table: row.try_get_unchecked(0)?,
                        column: row.try_get_unchecked(1)?,
                        kind: row.try_get_unchecked(2)?,
                        key_place: row.try_get_unchecked(3)?,
                        numbered: row.try_get_unchecked::<i64, _>(4)? != 0,
                    })
                })
                .collect()
        };
    }
    match connected {
        Connected::Sqlite(connection) => described!(&mut **connection),
        Connected::Postgres(connection) => described!(&mut **connection),
    }
}

async fn refer(connected: &mut Connected, query: &'static str) -> sqlx::Result<Vec<(String, String)>> {
    match connected {
        Connected::Sqlite(connection) => sqlx::query_as(query).fetch_all(&mut **connection).await,
        Connected::Postgres(connection) => sqlx::query_as(query).fetch_all(&mut **connection).await,
    }
}

fn tables(described: Vec<Described>, references: &[(String, String)], side: Side) -> Result<Vec<Table>, CopyError> {
    let mut by_name: BTreeMap<String, (Table, Vec<(i64, usize)>)> = BTreeMap::new();
    for Described { table, column, kind, key_place, numbered } in described {
        if table == UNDER_WAY || table == STEPS {
            continue;
        }
        let refers_to = references.iter().filter(|(from, to)| *from == table && *to != table).map(|(_, to)| to.clone()).collect();
        let new = || (Table { name: table.clone(), columns: Vec::new(), key: Vec::new(), refers_to }, Vec::new());
        let (entry, key) = by_name.entry(table.clone()).or_insert_with(new);
        // Copied numbers would be given a second time.
        let known = Kind::of(&kind).filter(|_| !numbered || column == SLOT);
        let Some(known) = known else {
            return Err(CopyError::UnknownType { side, table, column, kind });
        };
        if key_place > 0 {
            key.push((key_place, entry.columns.len()));
        }
        entry.columns.push(Column { name: column, kind: known });
    }
    let mut tables = Vec::new();
    for (mut table, mut key) in by_name.into_values() {
        key.sort_unstable();
        table.key = key.into_iter().map(|(_, place)| place).collect();
        if table.key.is_empty() {
            return Err(CopyError::NoKey { side, table: table.name });
        }
        tables.push(table);
    }
    in_order(tables, side)
}

fn in_order(tables: Vec<Table>, side: Side) -> Result<Vec<Table>, CopyError> {
    let referred: Vec<String> = tables.iter().flat_map(|table| table.refers_to.clone()).collect();
    let (mut linked, alone): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|table| !table.refers_to.is_empty() || referred.contains(&table.name));
    let mut ordered: Vec<Table> = Vec::new();
    while !linked.is_empty() {
        let ready = |table: &Table| table.refers_to.iter().all(|name| ordered.iter().any(|done| done.name == *name));
        let Some(next) = linked.iter().position(ready) else {
            return Err(CopyError::Circle { side, table: linked.swap_remove(0).name });
        };
        let next = linked.remove(next);
        ordered.push(next);
    }
    ordered.extend(alone);
    Ok(ordered)
}
