//! Lists of codes, each by an index that serves it.
//!
//! Neither database can tell how rare it is what a list asks for: SQLite keeps no statistics, and those of PostgreSQL don't say where in a
//! tenant's history the codes of a status lie. So the statements here leave no choice: they name their index on SQLite, and on
//! PostgreSQL they ask for an order that no other index gives.
//!
//! A list of all codes, of a tenant's, of an issue's, or of a tenant's codes with a label is an index read backwards. Where a status narrows
//! it, or a label of whichever tenant, the newest [`RECENT`] codes are looked through first: they fill the page, if what is asked for is
//! common. If they don't, it is read from the indexes that hold little else, and sorted: what is rare costs no more than there is of it.
//! Within an issue, which is bounded, a status is looked for in all of it.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use tenantry_domain::{
    Code, CodeId, CodeStatus, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{BatchReads as _, CodeFilter},
};

use crate::{Handle, entities::codes::Model, row::Row, timestamp::DbTime};

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

/// Where codes are that are rare: an index, a condition that it serves, and the order in which it gives them.
type Place = (&'static str, &'static str, &'static str);

const LABELLED: &[Place] = &[(LABELS, "label IS NOT NULL", SORTED)];

const fn places(status: CodeStatus) -> &'static [Place] {
    match status {
        CodeStatus::Revoked => &[(REVOKED, "revoked_at IS NOT NULL", SORTED)],
        CodeStatus::Expired => &[
            (UNUSED, "revoked_at IS NULL AND use_count < max_uses AND expires_at <= :now", SORTED),
            (USED_UP, "revoked_at IS NULL AND use_count >= max_uses AND expires_at <= :now", SORTED),
        ],
        CodeStatus::Exhausted => &[
            (USED_UP, "revoked_at IS NULL AND use_count >= max_uses AND expires_at > :now", SORTED),
            (USED_UP, "revoked_at IS NULL AND use_count >= max_uses AND expires_at IS NULL", AS_INDEXED),
        ],
        CodeStatus::Active => &[
            (UNUSED, "revoked_at IS NULL AND use_count < max_uses AND expires_at > :now", SORTED),
            (UNUSED, "revoked_at IS NULL AND use_count < max_uses AND expires_at IS NULL", AS_INDEXED),
        ],
    }
}

/// A list that is asked for. In its statements `:tenant`, `:batch`, `:label`, `:hint`, `:now` and `:after` stand for what it has.
struct CodeList<'a> {
    backend: DbBackend,
    tenant: Option<TenantId>,
    filter: &'a CodeFilter,
    now: Timestamp,
    after: Option<CodeId>,
    rows: u16,
}

impl CodeList<'_> {
    /// All that must hold, but for the status and the cursor.
    fn named(&self) -> String {
        let CodeFilter { label, batch, hint, .. } = self.filter;
        let named = [
            (self.tenant.is_some(), "tenant_id = :tenant"),
            (batch.is_some(), "batch_id = :batch"),
            (label.is_some(), "label = :label"),
            (hint.is_some(), "hint = :hint"),
        ];
        let named: Vec<_> = named.into_iter().filter_map(|(asked, condition)| asked.then_some(condition)).collect();
        if named.is_empty() { "true".to_owned() } else { named.join(" AND ") }
    }

    /// All that must hold, but for the cursor.
    fn wanted(&self) -> String {
        let named = self.named();
        let Some(status) = self.filter.status else { return named };
        let status: Vec<_> = places(status).iter().map(|&(_, condition, _)| condition).collect();
        format!("{named} AND ({})", status.join(" OR "))
    }

    const fn behind(&self) -> &'static str {
        if self.after.is_some() { "id < :after" } else { "true" }
    }

    /// The index that has the list in order, and what of its conditions that index serves.
    const fn index(&self) -> (&'static str, &'static str) {
        let CodeFilter { label, batch, hint, .. } = self.filter;
        match (self.tenant, hint, batch, label) {
            (_, Some(_), _, _) => (HINTS, "hint = :hint"),
            (Some(_), None, Some(_), _) => (BATCHES, "tenant_id = :tenant AND batch_id = :batch"),
            (Some(_), None, None, Some(_)) => (LABELS, "label = :label AND tenant_id = :tenant"),
            (Some(_), None, None, None) => (TENANTS, "tenant_id = :tenant"),
            (None, None, _, _) => (ANYONES, "true"),
        }
    }

    /// Where the codes are, if they are rare, and what else must hold there; `None` where the index has nothing but the list, or little
    /// else. What an index says is not asked of the rows too, so that only those of the page are read.
    fn rare(&self) -> Option<(&'static [Place], String)> {
        match (self.filter, self.tenant) {
            (CodeFilter { hint: Some(_), .. } | CodeFilter { batch: Some(_), .. }, _) => None,
            (CodeFilter { label: Some(_), .. }, None) => Some((LABELLED, self.wanted())),
            (CodeFilter { status: Some(status), .. }, _) => Some((places(*status), self.named())),
            (CodeFilter { status: None, .. }, _) => None,
        }
    }

    fn by(&self, index: &str) -> String {
        match self.backend {
            DbBackend::Sqlite if !index.is_empty() => format!("activation_codes INDEXED BY {index}"),
            _ => "activation_codes".to_owned(),
        }
    }

    /// The codes by the index that has them in order.
    fn in_order(&self) -> Statement {
        let ((index, _), wanted, behind, rows) = (self.index(), self.wanted(), self.behind(), self.rows);
        let table = self.by(index);
        self.statement(&match index {
            // Few codes share a hint. Apart, so that PostgreSQL can't prefer an index that has the order, and all of a tenant's codes.
            HINTS => format!(
                "WITH found AS MATERIALIZED (SELECT {COLUMNS} FROM {table} WHERE hint = :hint)
                SELECT {COLUMNS} FROM found WHERE {wanted} AND {behind} ORDER BY id DESC LIMIT {rows}"
            ),
            _ => format!("SELECT {COLUMNS} FROM {table} WHERE {wanted} AND {behind} ORDER BY id DESC LIMIT {rows}"),
        })
    }

    /// The codes that are among the newest of a wider list.
    fn among_recent(&self) -> Statement {
        let ((index, served), wanted, behind, rows) = (self.index(), self.wanted(), self.behind(), self.rows);
        let table = self.by(index);
        self.statement(&format!(
            "SELECT {COLUMNS} FROM (
                SELECT {COLUMNS} FROM {table} WHERE {served} AND {behind} ORDER BY id DESC LIMIT {RECENT}
            ) AS recent WHERE {wanted} ORDER BY id DESC LIMIT {rows}"
        ))
    }

    /// The codes that are in one place, and for which `else_wanted` holds.
    fn in_place(&self, (index, condition, order): Place, else_wanted: &str) -> Statement {
        let (table, behind, rows) = (self.by(index), self.behind(), self.rows);
        self.statement(&format!(
            "SELECT {COLUMNS} FROM activation_codes WHERE id IN (
                SELECT id FROM {table} WHERE {condition} AND {else_wanted} AND {behind} ORDER BY {order} LIMIT {rows}
            ) ORDER BY id DESC"
        ))
    }

    fn count(&self) -> Statement {
        let (table, wanted) = (self.by(self.index().0), self.wanted());
        self.statement(&format!("SELECT count(*) FROM {table} WHERE {wanted}"))
    }

    fn statement(&self, text: &str) -> Statement {
        let CodeFilter { label, batch, hint, .. } = self.filter;
        let names: [(&str, Option<Value>); 6] = [
            (":tenant", self.tenant.map(|tenant| tenant.uuid().into())),
            (":batch", batch.map(|batch| batch.uuid().into())),
            (":label", label.as_ref().map(|label| label.as_str().into())),
            (":hint", hint.as_ref().map(|hint| hint.as_str().into())),
            (":after", self.after.map(|after| after.uuid().into())),
            (":now", Some(DbTime::from(self.now).into())),
        ];
        let (mut text, mut values) = (text.to_owned(), Vec::new());
        for (name, value) in names {
            if let Some(value) = value.filter(|_| text.contains(name)) {
                values.push(value);
                text = text.replace(name, &format!("${}", values.len()));
            }
        }
        Statement::from_sql_and_values(self.backend, text, values)
    }
}

impl<C: ConnectionTrait + Send> Handle<C> {
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
        let mut answer = Page::from_surplus(self.newest(&list).await?, page.limit);
        if page.count {
            let whole = page.after.is_none() && !answer.has_more;
            answer.total = Some(if whole { answer.items.len() as u64 } else { self.count(Model::WHAT, list.count()).await? });
        }
        Ok(answer)
    }

    async fn newest(&mut self, list: &CodeList<'_>) -> Result<Vec<Code>, StoreError> {
        let Some((places, else_wanted)) = list.rare() else { return self.list::<Model>(list.in_order()).await };
        let common = self.list::<Model>(list.among_recent()).await?;
        if common.len() >= usize::from(list.rows) {
            return Ok(common);
        }
        let mut codes = Vec::new();
        for &place in places {
            codes.extend(self.list::<Model>(list.in_place(place, &else_wanted)).await?);
        }
        codes.sort_unstable_by_key(|code| std::cmp::Reverse(code.id));
        Ok(codes)
    }
}
