use std::fmt;

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select, Statement,
    TryGetable, UpdateMany, Value,
    sea_query::{Expr, Query},
};
use tenantry_domain::{Page, PageRequest, StoreError, ports::Parking};
use uuid::Uuid;

use crate::{
    connection::{Connection, OpenTransaction},
    error::{driver_failure, unreadable},
    row::{HotRow, Row, value_of},
};

/// What the ports are implemented on: a pool, for the reader, or a transaction.
pub struct Handle<C> {
    pub(crate) connection: C,
    /// Whether a statement failed: PostgreSQL goes on to answer COMMIT with a silent rollback then.
    pub(crate) failed: bool,
    /// Where a transaction is parked when it is committed.
    pub(crate) parking: Option<Parking<Self>>,
}

impl<C> Handle<C> {
    pub(crate) const fn new(connection: C) -> Self {
        Self { connection, failed: false, parking: None }
    }
}

impl<C> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl<C: Connection> Handle<C> {
    pub(crate) fn backend(&self) -> DbBackend {
        self.connection.backend()
    }

    /// A statement in plain SQL. Both databases understand `$1`.
    pub(crate) fn sql(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), text, values)
    }

    /// `text` with `lock` behind it on PostgreSQL. On SQLite, whose writers take turns, there is nothing to lock.
    pub(crate) fn locking_sql(&self, text: &str, lock: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        match self.backend() {
            DbBackend::Postgres => self.sql(&format!("{text} {lock}"), values),
            _ => self.sql(text, values),
        }
    }

    /// The first row, if there is one.
    pub(crate) async fn find<R: Row>(&mut self, statement: Statement) -> Result<Option<R::Value>, StoreError> {
        let row = self.connection.fetch_one(statement).await;
        let row = self.note(R::WHAT, row)?;
        row.map(|row| read_row::<R>(&row)).transpose()
    }

    /// All rows.
    pub(crate) async fn list<R: Row>(&mut self, statement: Statement) -> Result<Vec<R::Value>, StoreError> {
        let rows = self.connection.fetch_all(statement).await;
        let rows = self.note(R::WHAT, rows)?;
        rows.iter().map(read_row::<R>).collect()
    }

    /// The first row of a question that every request asks.
    pub(crate) async fn find_hot<R: HotRow>(&mut self, statement: Statement) -> Result<Option<R::Value>, StoreError> {
        match self.connection.direct().and_then(|direct| direct.ask::<R>(&statement)) {
            Some(rows) => rows.into_iter().next().map(|row| value_of(Ok(row))).transpose(),
            None => self.find::<R>(statement).await,
        }
    }

    /// All rows of one, which are a page at the most.
    pub(crate) async fn list_hot<R: HotRow>(&mut self, statement: Statement) -> Result<Vec<R::Value>, StoreError> {
        match self.connection.direct().and_then(|direct| direct.ask::<R>(&statement)) {
            Some(rows) => rows.into_iter().map(|row| value_of(Ok(row))).collect(),
            None => self.list::<R>(statement).await,
        }
    }

    /// One page of a query, newest first; counting the whole of it is a statement more, where it isn't all on the page.
    pub(crate) async fn page<E, R, K>(
        &mut self,
        query: Select<E>,
        id: E::Column,
        page: PageRequest<K>,
    ) -> Result<Page<R::Value>, StoreError>
    where
        E: EntityTrait,
        R: Row,
    {
        let all = query.clone();
        let query = query.apply_if(page.after, |query, after| query.filter(id.lt(after.uuid()))).order_by_desc(id);
        let mut statement = query.build(self.backend());
        // A literal: PostgreSQL plans a bound limit anew each time. One item more says whether another page follows.
        statement.sql.push_str(&format!(" LIMIT {}", page.limit.get() + 1));
        let mut answer = Page::from_surplus(self.list::<R>(statement).await?, page.limit);
        if page.count {
            let whole = page.after.is_none() && !answer.has_more;
            answer.total = Some(if whole { answer.items.len() as u64 } else { self.count_all::<E, R>(all).await? });
        }
        Ok(answer)
    }

    /// How many rows a query has.
    pub(crate) async fn count_all<E: EntityTrait, R: Row>(&mut self, query: Select<E>) -> Result<u64, StoreError> {
        let count = query.select_only().expr(Expr::cust("count(*)"));
        self.count(R::WHAT, count.build(self.backend())).await
    }

    /// The first column of the first row.
    pub(crate) async fn value<T: TryGetable>(
        &mut self,
        what: &'static str,
        statement: Statement,
    ) -> Result<Option<T>, StoreError> {
        let row = self.connection.fetch_one(statement).await;
        let row = self.note(what, row)?;
        row.map(|row| row.try_get_by_index(0)).transpose().map_err(|failure| unreadable(what, &failure))
    }

    /// How many rows a query counts.
    pub(crate) async fn count(&mut self, what: &'static str, statement: Statement) -> Result<u64, StoreError> {
        let counted = self.value::<i64>(what, statement).await?;
        Ok(counted.and_then(|counted| u64::try_from(counted).ok()).unwrap_or(0))
    }

    /// The identifier that a statement returns.
    pub(crate) async fn returned_id(&mut self, what: &'static str, statement: Statement) -> Result<Option<Uuid>, StoreError> {
        self.value(what, statement).await
    }

    /// Runs a statement and answers how many rows it wrote.
    pub(crate) async fn write(&mut self, what: &'static str, statement: Statement) -> Result<u64, StoreError> {
        let result = self.connection.execute(statement).await;
        self.note(what, result)
    }

    /// Whether a statement wrote a row, for those that write one or none.
    pub(crate) async fn wrote(&mut self, what: &'static str, statement: Statement) -> Result<bool, StoreError> {
        Ok(self.write(what, statement).await? > 0)
    }

    pub(crate) fn note<T>(&mut self, what: &'static str, result: sqlx::Result<T>) -> Result<T, StoreError> {
        result.map_err(|failure| {
            self.failed = true;
            driver_failure(what, &failure)
        })
    }
}

/// The first so many places of a statement: `$1, $2`.
pub(crate) fn places(count: usize) -> String {
    (1..=count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

impl Handle<OpenTransaction> {
    /// The row that a statement returns; `None` also where a constraint refuses the statement in the way that `is_refusal` tells. It
    /// stands in a part of its own, so that the transaction can go on.
    pub(crate) async fn find_unless_refused<R: Row>(
        &mut self,
        statement: Statement,
        is_refusal: fn(&sqlx::Error) -> bool,
    ) -> Result<Option<R::Value>, StoreError> {
        let part = self.connection.part().await;
        let mut part = self.note(R::WHAT, part)?;
        let row = part.fetch_one(statement).await;
        if row.as_ref().is_err_and(is_refusal) {
            return Ok(None);
        }
        let row = self.note(R::WHAT, row)?;
        let ended = part.commit().await;
        self.note(R::WHAT, ended)?;
        row.map(|row| read_row::<R>(&row)).transpose()
    }
}

/// An update that answers the rows as it leaves them.
pub(crate) fn returning<E: EntityTrait>(
    mut update: UpdateMany<E>,
    columns: impl IntoIterator<Item = E::Column>,
) -> UpdateMany<E> {
    QueryTrait::query(&mut update).returning(Query::returning().columns(columns));
    update
}

/// The value that a row stands for.
fn read_row<R: Row>(row: &QueryResult) -> Result<R::Value, StoreError> {
    value_of(R::from_query_result(row, ""))
}
