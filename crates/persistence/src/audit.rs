use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, ExprTrait, FromQueryResult, IdenStatic, Iterable, QueryFilter, QueryOrder, QueryTrait,
    Statement, Value,
};
use tenantry_domain::{
    ActionFilter, ActorFilter, ApiKeyId, ApiKeyName, AuditEvent, AuditEventId, AuditFilter, BatchId, CodeId, Id, OperatorId,
    OperatorName, Page, PageLimit, PageRequest, StoreError, TenantId,
    ports::{ActorNames, AuditReads, AuditWrites, Store as _},
};
use uuid::Uuid;

use crate::{
    DatabaseStore, Handle,
    connection::{Connection, OpenTransaction},
    entities::audit_events::{ActiveModel, Column, Entity, Model},
    error::unreadable,
    row::{Corruption, Row},
    timestamp::DbTime,
};

impl<C: Connection> AuditReads for Handle<C> {
    async fn audit_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &AuditFilter,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let Some(query) = PageQuery::of(self.backend(), tenant, filter) else {
            return Ok(Page { total: page.count.then_some(0), ..Page::from_surplus(Vec::new(), page.limit) });
        };
        let (text, values) = query.page(page.after, page.limit);
        let mut answer = Page::from_surplus(self.list::<Model>(self.sql(&text, values)).await?, page.limit);
        if page.count {
            let whole = page.after.is_none() && !answer.has_more;
            let total = if whole { answer.items.len() as u64 } else { self.count(Model::WHAT, query.count(self)).await? };
            answer.total = Some(total);
        }
        Ok(answer)
    }

    async fn code_timeline(
        &mut self,
        code: CodeId,
        batch: Option<BatchId>,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        // Two indexes, each with its events in order: asked for at once, all of them would be sorted.
        let of_code = Entity::find().filter(Column::CodeId.eq(code.uuid()));
        let others = Column::CodeId.is_null().or(Column::CodeId.ne(code.uuid()));
        let of_batch = batch.map(|batch| Entity::find().filter(Column::BatchId.eq(batch.uuid())).filter(others));
        let (mut events, mut total) = (Vec::new(), 0);
        for query in [Some(of_code), of_batch].into_iter().flatten() {
            if page.count {
                total += self.count_all::<Entity, Model>(query.clone()).await?;
            }
            let query = query.apply_if(page.after, |query, after| query.filter(Column::Id.gt(after.uuid())));
            let mut oldest: Statement = query.order_by_asc(Column::Id).build(self.backend());
            oldest.sql.push_str(&format!(" LIMIT {}", page.limit.get() + 1));
            events.extend(self.list::<Model>(oldest).await?);
        }
        events.sort_unstable_by_key(|event: &AuditEvent| event.id);
        Ok(Page { total: page.count.then_some(total), ..Page::from_surplus(events, page.limit) })
    }

    async fn actor_names(&mut self, operators: &[OperatorId], api_keys: &[ApiKeyId]) -> Result<ActorNames, StoreError> {
        let mut values = Vec::new();
        let operators = names_in("operators", operators.iter().map(|id| id.uuid()), &mut values);
        let api_keys = names_in("api_keys", api_keys.iter().map(|id| id.uuid()), &mut values);
        let text = [operators, api_keys].into_iter().flatten().collect::<Vec<_>>().join(" UNION ALL ");
        let mut names = ActorNames::default();
        if text.is_empty() {
            return Ok(names);
        }
        for named in self.list::<NamedRow>(self.sql(&text, values)).await? {
            match named {
                Named::Operator(id, name) => drop(names.operators.insert(id, name)),
                Named::ApiKey(id, name) => drop(names.api_keys.insert(id, name)),
            }
        }
        Ok(names)
    }
}

/// The names in a table that have these identifiers, which go to the statement's values.
fn names_in(table: &str, ids: impl Iterator<Item = Uuid>, values: &mut Vec<Value>) -> Option<String> {
    let before = values.len();
    values.extend(ids.map(Value::from));
    let places: Vec<_> = (before + 1..=values.len()).map(|place| format!("${place}")).collect();
    let text = || format!("SELECT '{table}' AS kind, id, name FROM {table} WHERE id IN ({})", places.join(", "));
    (!places.is_empty()).then(text)
}

/// Whom a name is of.
#[derive(FromQueryResult)]
struct NamedRow {
    kind: String,
    id: Uuid,
    name: String,
}

enum Named {
    Operator(OperatorId, OperatorName),
    ApiKey(ApiKeyId, ApiKeyName),
}

impl Row for NamedRow {
    type Value = Named;
    const WHAT: &'static str = "name";

    fn into_value(self) -> Result<Named, Corruption> {
        Ok(match self.kind.as_str() {
            "operators" => Named::Operator(Id::from_uuid(self.id), OperatorName::from_stored(self.name)),
            _ => Named::ApiKey(Id::from_uuid(self.id), ApiKeyName::from_stored(self.name)),
        })
    }
}

impl AuditWrites for Handle<OpenTransaction> {
    async fn append_audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(event));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }
}

impl DatabaseStore {
    /// How the database reads a page of the trail, in its own words, for tests that hold each filter to its index.
    ///
    /// # Errors
    /// See [`StoreError`].
    #[doc(hidden)]
    pub async fn explain_audit_page(
        &self,
        tenant: Option<TenantId>,
        filter: &AuditFilter,
        page: PageRequest<AuditEvent>,
    ) -> Result<String, StoreError> {
        let mut reader = self.reader();
        let Some(query) = PageQuery::of(reader.backend(), tenant, filter) else { return Ok(String::new()) };
        let (text, values) = query.page(page.after, page.limit);
        let (explain, column) = match reader.backend() {
            DbBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
            _ => ("EXPLAIN QUERY PLAN", "detail"),
        };
        let rows = reader.connection.fetch_all(reader.sql(&format!("{explain} {text}"), values)).await;
        let rows = reader.note("plan", rows)?;
        let steps: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get("", column)).collect();
        Ok(steps.map_err(|failure| unreadable("plan", &failure))?.join("\n"))
    }
}

/// The condition whose index a page is read by, in the page's order, while all others are held against the rows that it finds; the most
/// telling comes first. PostgreSQL chooses by statistics. SQLite has none, and is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    Request,
    Target,
    Actor,
    Tenant,
    Action,
    Kind,
    Time,
}

impl Lead {
    fn of(tenant: Option<TenantId>, filter: &AuditFilter) -> Self {
        match &filter.actor {
            _ if filter.request_id.is_some() => Self::Request,
            _ if filter.target.is_some() => Self::Target,
            Some(ActorFilter::Session(_) | ActorFilter::Operator(_) | ActorFilter::ApiKey(_)) => Self::Actor,
            Some(ActorFilter::Tenant(_)) => Self::Tenant,
            _ if tenant.is_some() => Self::Tenant,
            _ if filter.action.is_some() => Self::Action,
            Some(ActorFilter::Kind(_)) => Self::Kind,
            None => Self::Time,
        }
    }
}

/// A page of the trail, as a statement: what it asks of its rows, and the values that it binds.
struct PageQuery {
    backend: DbBackend,
    lead: Lead,
    /// The actions' words; none: all actions.
    words: Vec<&'static str>,
    texts: Vec<String>,
    values: Vec<Value>,
}

impl PageQuery {
    /// `None` where there is no such event.
    fn of(backend: DbBackend, tenant: Option<TenantId>, filter: &AuditFilter) -> Option<Self> {
        let words: Vec<_> = filter.action.iter().flat_map(ActionFilter::words).collect();
        if filter.action.is_some() && words.is_empty() {
            return None;
        }
        let mut query = Self { backend, lead: Lead::of(tenant, filter), words, texts: Vec::new(), values: Vec::new() };
        if let Some(request) = &filter.request_id {
            query.ask(Lead::Request, "request_id", request.clone());
        }
        if let Some(target) = &filter.target {
            query.ask(Lead::Target, "target", target.clone());
        }
        if let Some(actor) = &filter.actor {
            query.ask_for_actor(actor);
        }
        if let Some(tenant) = tenant {
            query.ask(Lead::Tenant, "tenant_id", tenant.uuid());
        }
        if let Some(from) = filter.from {
            query.add("id >= ?", least_id(from.unix_millis()));
            query.add("created_at >= ?", DbTime::from(from));
        }
        if let Some(to) = filter.to {
            query.add("id < ?", least_id(to.unix_millis() + 1));
            query.add("created_at < ?", DbTime::from(to));
        }
        Some(query)
    }

    fn ask_for_actor(&mut self, actor: &ActorFilter) {
        let (kind, name) = match actor {
            ActorFilter::Kind(kind) => (*kind, None),
            ActorFilter::Tenant(_) | ActorFilter::Session(_) => ("tenant", None),
            ActorFilter::Operator(_) => ("operator", None),
            ActorFilter::ApiKey(key) => ("api_key", Some(key)),
        };
        let begin: Option<String> = match actor {
            ActorFilter::Kind(_) => None,
            ActorFilter::Tenant(tenant) => {
                self.ask(Lead::Tenant, "tenant_id", tenant.uuid());
                None
            }
            ActorFilter::Session(session) => Some(session.to_string()),
            ActorFilter::Operator(operator) => Some(operator.to_string()),
            ActorFilter::ApiKey(key) => Some(key.chars().take(36).collect()),
        };
        self.ask(Lead::Kind, "actor_kind", kind);
        if let Some(begin) = begin {
            self.texts.push("actor_name IS NOT NULL".to_owned());
            self.ask(Lead::Actor, "substr(actor_name, 1, 36)", begin);
        }
        if let Some(name) = name {
            self.add("actor_name = ?", name.clone());
        }
    }

    /// Asks for one value of a column, whose index `lead` is.
    fn ask(&mut self, lead: Lead, column: &str, value: impl Into<Value>) {
        let text = format!("{} = ?", self.column(lead, column));
        self.add(&text, value);
    }

    /// The column, plain where its index leads; else, on SQLite, as no index knows it.
    fn column(&self, lead: Lead, column: &str) -> String {
        let plain = self.lead == lead || self.backend == DbBackend::Postgres;
        if plain { column.to_owned() } else { format!("coalesce({column}, {column})") }
    }

    /// Adds a condition on one value, whose place is `?`.
    fn add(&mut self, text: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.texts.push(text.replace('?', &format!("${}", self.values.len())));
    }

    /// The clause of all conditions, on these actions, and on one more condition.
    fn clause(&self, words: &[&str], more: Option<&str>) -> String {
        let action = || format!("{} IN ('{}')", self.column(Lead::Action, "action"), words.join("', '"));
        let action = (!words.is_empty()).then(action);
        let all: Vec<_> = self.texts.iter().map(String::as_str).chain(action.as_deref()).chain(more).collect();
        if all.is_empty() { String::new() } else { format!("WHERE {}", all.join(" AND ")) }
    }

    /// One event more than a page has, newest first.
    fn page(&self, after: Option<AuditEventId>, limit: PageLimit) -> (String, Vec<Value>) {
        let (limit, mut values) = (limit.get() + 1, self.values.clone());
        let after = after.map(|after| {
            values.push(after.uuid().into());
            format!("id < ${}", values.len())
        });
        let columns = Column::iter().map(|column| column.as_str()).collect::<Vec<_>>().join(", ");
        let newest = |words: &[&str]| {
            let clause = self.clause(words, after.as_deref());
            format!("SELECT {columns} FROM audit_events {clause} ORDER BY id DESC LIMIT {limit}")
        };
        if self.lead != Lead::Action || self.words.len() < 2 {
            return (newest(&self.words), values);
        }
        // Each action has its events in the page's order; together they have none. So each gives a page, and the newest of these are it.
        let pages: Vec<_> = self.words.chunks(1).map(|word| format!("SELECT * FROM ({}) AS events", newest(word))).collect();
        (format!("{} ORDER BY id DESC LIMIT {limit}", pages.join(" UNION ALL ")), values)
    }

    /// How many events there are.
    fn count<C: Connection>(&self, handle: &Handle<C>) -> Statement {
        let text = format!("SELECT count(*) FROM audit_events {}", self.clause(&self.words, None));
        handle.sql(&text, self.values.clone())
    }
}

/// The least identifier of a millisecond: the primary key finds where a time begins.
fn least_id(millis: u64) -> Uuid {
    Uuid::from_u128(u128::from(millis) << 80)
}
