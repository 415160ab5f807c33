//! Lists of codes, each one statement, by an index that serves it.
//!
//! A list of all codes, of a tenant's, or of an issue's is an index read backwards. Where a status or a label narrows it, the newest [`RECENT`]
//! codes are looked through first: they fill the page, if what is asked for is common. If they don't, it is read from the indexes that hold
//! little else, and sorted: what is rare costs no more than there is of it. Within an issue, which is bounded, all of it is looked through.
//!
//! Neither database can tell how rare it is what a list asks for: SQLite keeps no statistics, and those of PostgreSQL say neither where in a
//! tenant's history the codes of a status lie nor, once a plan is kept, how many codes this tenant has. So the statements leave no
//! choice. On SQLite they name their index. On PostgreSQL they are planned without knowing a value, which sub-selects give when it is too
//! late, and with conditions for which its guesses favour one index whatever is in the table:
//!
//! - The one that is read in order is bounded by comparing rows. That is taken for a large part of the table, of which a page, or a share
//!   of unknown size, is little. With `tenant_id = ..` it would expect an average tenant's few codes, and collect and sort a large one's.
//! - The one that holds what is rare is bounded from both sides, also where one would do. That is taken for little. With one side it
//!   would expect a third of the table, and read all.

use sea_orm::{DbBackend, Statement, Value};
use tenantry_domain::{
    Code, CodeId, CodeStatus, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{BatchReads as _, CodeFilter},
};
use uuid::Uuid;

use crate::{Handle, connection::Connection, entities::codes::Model, row::Row, timestamp::DbTime};

/// How many codes are looked through before what is asked for is taken to be rare.
const RECENT: u32 = 10_000;

const COLUMNS: &str = "id, tenant_id, code_digest, key_id, hint, label, max_uses, use_count, expires_at, used_at, revoked_at, batch_id, \
    created_at, updated_at";

/// The primary key's index goes without a name.
const ANYONES: &str = "";
const TENANTS: &str = "activation_codes_page";
const BATCHES: &str = "activation_codes_batch";
const LABELS: &str = "activation_codes_label";
const HINTS: &str = "activation_codes_hint";
const UNUSED: &str = "activation_codes_available";
const USED_UP: &str = "activation_codes_used_up";
const REVOKED: &str = "activation_codes_revoked";

/// An order that only sorting gives: PostgreSQL doesn't consider that a primary key is never null.
const SORTED: &str = "id DESC NULLS LAST";
/// The order of an index of tenant, expiry and identifier, read backwards, of codes that don't expire.
const AS_INDEXED: &str = "expires_at DESC, id DESC";

/// The condition that asks for nothing.
const NOTHING: &str = "true";

/// Where codes are that are rare: an index, a condition that it serves, and the order in which it gives them.
type Place = (&'static str, &'static str, &'static str);

const LABELLED: &[Place] = &[(LABELS, "label IS NOT NULL AND label = :label AND label >= :label AND label <= :label", SORTED)];

/// The other ends of time are PostgreSQL's. Among SQLite's texts they sort as they should.
const fn places(status: CodeStatus) -> &'static [Place] {
    match status {
        CodeStatus::Revoked => &[(REVOKED, "revoked_at IS NOT NULL", SORTED)],
        CodeStatus::Expired => &[
            (UNUSED, "revoked_at IS NULL AND use_count < max_uses AND expires_at <= :now AND expires_at > '-infinity'", SORTED),
            (USED_UP, "revoked_at IS NULL AND use_count >= max_uses AND expires_at <= :now AND expires_at > '-infinity'", SORTED),
        ],
        CodeStatus::Exhausted => &[
            (USED_UP, "revoked_at IS NULL AND use_count >= max_uses AND expires_at > :now AND expires_at < 'infinity'", SORTED),
            (USED_UP, "revoked_at IS NULL AND use_count >= max_uses AND expires_at IS NULL", AS_INDEXED),
        ],
        CodeStatus::Active => &[
            (UNUSED, "revoked_at IS NULL AND use_count < max_uses AND expires_at > :now AND expires_at < 'infinity'", SORTED),
            (UNUSED, "revoked_at IS NULL AND use_count < max_uses AND expires_at IS NULL", AS_INDEXED),
        ],
    }
}

/// An index that has a list in order: its name, the condition that bounds the list in it, and its order.
type Order = (&'static str, &'static str, &'static str);

/// A list that is asked for. In its statements `:tenant`, `:batch`, `:label`, `:hint`, `:now` and `:after` stand for what it has, `:least` and
/// `:most` for what no identifier is below or above. Where it begins at the newest, `:after` is the most.
struct CodeList<'a> {
    backend: DbBackend,
    tenant: Option<TenantId>,
    filter: &'a CodeFilter,
    now: Timestamp,
    after: Option<CodeId>,
    rows: u16,
}

impl CodeList<'_> {
    /// What must hold beside the order's bounds.
    fn narrowed(&self) -> String {
        let label = self.filter.label.as_ref().map(|_| "label = :label".to_owned());
        let status = self.filter.status.map(|status| {
            let conditions = places(status).iter().map(|&(_, condition, _)| condition);
            format!("({})", conditions.collect::<Vec<_>>().join(" OR "))
        });
        all_of([label, status])
    }

    /// All that must hold, but for the cursor.
    fn wanted(&self) -> String {
        let CodeFilter { batch, hint, .. } = self.filter;
        let named = [
            self.tenant.map(|_| "tenant_id = :tenant"),
            batch.map(|_| "batch_id = :batch"),
            hint.as_ref().map(|_| "hint = :hint"),
        ];
        all_of(named.map(|named| named.map(str::to_owned)).into_iter().chain([Some(self.narrowed())]))
    }

    /// The order of the list.
    const fn order(&self) -> Order {
        match (self.tenant, self.filter.batch) {
            (Some(_), Some(_)) => (
                BATCHES,
                "tenant_id = :tenant AND batch_id = :batch AND batch_id >= :batch AND batch_id <= :batch AND id < :after",
                "id DESC",
            ),
            (Some(_), None) => {
                (TENANTS, "tenant_id >= :tenant AND (tenant_id, id) < (:tenant, :after)", "tenant_id DESC, id DESC")
            }
            (None, _) => (ANYONES, "id < :after", "id DESC"),
        }
    }

    /// Where the codes are, if they are rare, and what else must hold there; `None` where the order has nothing but the list, or little
    /// else. What an index says is not asked of the rows too, so that only those of the page are read.
    fn rare(&self) -> Option<(&'static [Place], String)> {
        let tenants = "tenant_id = :tenant";
        match self.filter {
            CodeFilter { batch: Some(_), .. } => None,
            CodeFilter { label: Some(_), .. } => {
                let tenant = self.tenant.map(|_| tenants.to_owned());
                Some((LABELLED, all_of([tenant, Some(self.narrowed())])))
            }
            CodeFilter { status: Some(status), .. } => {
                let whose = match (self.tenant, status) {
                    (None, _) => "tenant_id >= :least AND tenant_id <= :most",
                    (Some(_), CodeStatus::Revoked) => "tenant_id = :tenant AND tenant_id >= :tenant AND tenant_id <= :tenant",
                    (Some(_), _) => tenants,
                };
                Some((places(*status), whose.to_owned()))
            }
            CodeFilter { status: None, .. } => None,
        }
    }

    fn by(&self, index: &str) -> String {
        match self.backend {
            DbBackend::Sqlite if !index.is_empty() => format!("activation_codes INDEXED BY {index}"),
            _ => "activation_codes".to_owned(),
        }
    }

    /// The page.
    fn page(&self) -> Statement {
        let text = match (&self.filter.hint, self.rare()) {
            (Some(_), _) => self.of_hint(),
            (None, Some((places, else_wanted))) => self.recent_or_rare(places, &else_wanted),
            (None, None) => self.in_order(),
        };
        self.statement(&text)
    }

    /// Few codes share a hint. Apart, so that PostgreSQL can't prefer an index that has the order, and all of a tenant's codes.
    fn of_hint(&self) -> String {
        let (table, wanted, rows) = (self.by(HINTS), self.wanted(), self.rows);
        format!(
            "WITH found AS MATERIALIZED (SELECT {COLUMNS} FROM {table} WHERE hint = :hint)
            SELECT {COLUMNS} FROM found WHERE {wanted} AND id < :after ORDER BY id DESC LIMIT {rows}"
        )
    }

    /// PostgreSQL would choose its index by what narrows the list too, if that weren't kept outside.
    fn in_order(&self) -> String {
        let ((index, bounds, order), narrowed, rows) = (self.order(), self.narrowed(), self.rows);
        let table = self.by(index);
        match (self.backend, &*narrowed) {
            (DbBackend::Sqlite, _) | (_, NOTHING) => {
                format!("SELECT {COLUMNS} FROM {table} WHERE {bounds} AND {narrowed} ORDER BY {order} LIMIT {rows}")
            }
            _ => format!(
                "SELECT {COLUMNS} FROM (SELECT {COLUMNS} FROM {table} WHERE {bounds} ORDER BY {order} OFFSET 0) AS listed
                WHERE {narrowed} ORDER BY {order} LIMIT {rows}"
            ),
        }
    }

    /// The codes that are among the newest, if they fill the page, or those that are in the places. Those aren't looked at otherwise: a
    /// condition that hangs on no row is decided before any row is read.
    fn recent_or_rare(&self, places: &[Place], else_wanted: &str) -> String {
        const FOUND: &str = "(SELECT count(*) FROM recent)";
        let ((index, bounds, order), narrowed, rows) = (self.order(), self.narrowed(), self.rows);
        let table = self.by(index);
        let place = |&(index, condition, order): &Place| {
            let table = self.by(index);
            // Without its tenant an index has another order.
            let order = if self.tenant.is_some() { order } else { SORTED };
            format!(
                "SELECT id FROM (
                    SELECT id FROM {table} WHERE {condition} AND {else_wanted} AND id < :after ORDER BY {order} LIMIT {rows}
                ) AS place WHERE {FOUND} < {rows}"
            )
        };
        let places = places.iter().map(place).collect::<Vec<_>>().join(" UNION ALL ");
        // As a list, which is looked up, where a sub-select could be joined with the whole table.
        let found = match self.backend {
            DbBackend::Sqlite => format!("id IN ({places})"),
            _ => format!("id = ANY (ARRAY({places}))"),
        };
        format!(
            "WITH recent AS MATERIALIZED (
                SELECT {COLUMNS} FROM (
                    SELECT {COLUMNS} FROM {table} WHERE {bounds} ORDER BY {order} LIMIT (SELECT {RECENT})
                ) AS newest WHERE {narrowed} ORDER BY {order} LIMIT {rows}
            )
            SELECT {COLUMNS} FROM recent WHERE {FOUND} >= {rows}
            UNION ALL SELECT {COLUMNS} FROM activation_codes WHERE {found}
            ORDER BY id DESC LIMIT {rows}"
        )
    }

    fn count(&self) -> Statement {
        let index = if self.filter.hint.is_some() { HINTS } else { self.order().0 };
        let (table, wanted) = (self.by(index), self.wanted());
        self.statement(&format!("SELECT count(*) FROM {table} WHERE {wanted}"))
    }

    /// With values where their names stand; on PostgreSQL with what gives them.
    fn statement(&self, text: &str) -> Statement {
        let CodeFilter { label, batch, hint, .. } = self.filter;
        let names: [(&str, Option<Value>); 8] = [
            (":tenant", self.tenant.map(|tenant| tenant.uuid().into())),
            (":batch", batch.map(|batch| batch.uuid().into())),
            (":label", label.as_ref().map(|label| label.as_str().into())),
            (":hint", hint.as_ref().map(|hint| hint.as_str().into())),
            (":after", Some(self.after.map_or(Uuid::max(), CodeId::uuid).into())),
            (":least", Some(Uuid::nil().into())),
            (":most", Some(Uuid::max().into())),
            (":now", Some(DbTime::from(self.now).into())),
        ];
        let (mut text, mut values) = (text.to_owned(), Vec::new());
        for (name, value) in names {
            if let Some(value) = value.filter(|_| text.contains(name)) {
                values.push(value);
                let position = values.len();
                text = text.replace(
                    name,
                    &match self.backend {
                        DbBackend::Sqlite => format!("${position}"),
                        _ => format!("(SELECT ${position})"),
                    },
                );
            }
        }
        Statement::from_sql_and_values(self.backend, text, values)
    }
}

/// A condition that holds where all do that are given.
fn all_of(conditions: impl IntoIterator<Item = Option<String>>) -> String {
    let conditions: Vec<_> = conditions.into_iter().flatten().collect();
    if conditions.is_empty() { NOTHING.to_owned() } else { conditions.join(" AND ") }
}

impl<C: Connection> Handle<C> {
    /// Codes of one tenant or of all, newest first.
    pub(crate) async fn code_list(
        &mut self,
        tenant: Option<TenantId>,
        filter: &CodeFilter,
        now: Timestamp,
        page: PageRequest<Code>,
    ) -> Result<Page<Code>, StoreError> {
        let tenant = match (tenant, filter.batch) {
            (None, Some(batch)) => {
                let Some(batch) = self.batch_of_anyone(batch).await? else { return Ok(Page::of_nothing(page)) };
                Some(batch.tenant_id)
            }
            (tenant, _) => tenant,
        };
        let list = CodeList { backend: self.backend(), tenant, filter, now, after: page.after, rows: page.limit.get() + 1 };
        let codes = self.list::<Model>(list.page()).await?;
        let mut answer = Page::from_surplus(codes, page.limit);
        if page.count {
            let whole = page.after.is_none() && !answer.has_more;
            answer.total = Some(if whole { answer.items.len() as u64 } else { self.count(Model::WHAT, list.count()).await? });
        }
        Ok(answer)
    }
}
