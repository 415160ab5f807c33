//! The dashboard: what there is, what happened, and who will need more. Before there is a tenant it leads to the first one.

use actix_web::{http::StatusCode, web};
use askama::Template;
use tenantry_domain::{
    MessageState, PageLimit, PageRequest, QuotaUse, Scope, Scopes, Stats, Usage,
    ports::{MessageFilter, OutboxReads as _, PlanFilter, PlanReads as _, Store},
    read_stats,
};

use super::chart::Chart;
use crate::{
    console::{
        form::Form,
        view::{Moment, Shell, Tag, admin_shell, page, see_other},
    },
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, get},
    problem::Problem,
};

const HERE: &str = "/admin";

/// How many tenants that are close to their quota are named.
const NAMED: usize = 8;

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![get("/admin", web::to(show::<S>)).any_operator()]
}

#[derive(Template)]
#[template(path = "console/admin/dashboard.html")]
struct DashboardPage<'a> {
    shell: &'a Shell,
    figures: Vec<Figure>,
    chart: Option<Chart>,
    pressure: Vec<Pressed>,
    more_pressed: u64,
    outbox: Option<Outbox>,
    at: Moment,
}

/// A number, what it counts, and what puts it into proportion.
struct Figure {
    label: &'static str,
    value: String,
    note: String,
    address: Option<&'static str>,
}

/// A tenant that is close to its quota.
struct Pressed {
    id: String,
    slug: String,
    used: String,
    quota: String,
    percent: u64,
    tone: &'static str,
}

/// How the messages to the outside stand.
struct Outbox {
    waiting: u64,
    dead: u64,
    tag: Tag,
}

#[derive(Template)]
#[template(path = "console/admin/first_run.html")]
struct FirstRunPage<'a> {
    shell: &'a Shell,
    has_plan: bool,
    may_make_plans: bool,
    may_make_tenants: bool,
}

/// The figures, or the way to the first tenant. Who may not see figures is sent to its first page.
async fn show<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let shell = admin_shell(&state, &who, HERE, &asked);
    if !who.scopes().has(Scope::StatsRead) {
        let first = shell.groups().iter().flat_map(|group| &group.pages).next();
        return Ok(see_other(first.map_or("/admin/account", |(address, _)| address)));
    }
    let stats = read_stats(&state.store, state.clock.now()).await?;
    if stats.tenants.total == 0 {
        return first_run(&state, &who, &shell).await;
    }
    let shown = DashboardPage {
        shell: &shell,
        figures: figures(&stats, who.scopes()),
        chart: Chart::of(&stats.days),
        pressure: stats.pressure.highest.iter().take(NAMED).map(Pressed::of).collect(),
        more_pressed: stats.pressure.tenants.saturating_sub(u64::try_from(NAMED).unwrap_or_default()),
        outbox: outbox(&state, &who).await?,
        at: Moment(stats.at),
    };
    page(&shell, StatusCode::OK, &shown)
}

async fn first_run<S: Store>(state: &State<S>, who: &Operator<S>, shell: &Shell) -> Answer {
    let one = PageRequest { limit: PageLimit::new(1).unwrap_or_default(), after: None, count: false };
    let for_sale = PlanFilter { search: None, archived: Some(false) };
    let has_plan = !state.store.reader().plans_page(&for_sale, one).await?.items.is_empty();
    let may = |scope| who.scopes().has(scope);
    let (may_make_plans, may_make_tenants) = (may(Scope::PlansWrite), may(Scope::TenantsWrite));
    page(shell, StatusCode::OK, &FirstRunPage { shell, has_plan, may_make_plans, may_make_tenants })
}

/// How many messages wait, and how many could not be sent; `None` for who may not know.
async fn outbox<S: Store>(state: &State<S>, who: &Operator<S>) -> Result<Option<Outbox>, Problem> {
    if !who.scopes().has(Scope::MessagesRead) {
        return Ok(None);
    }
    let mut reader = state.store.reader();
    let [mut waiting, mut dead] = [0, 0];
    for (message_state, count) in [(MessageState::Waiting, &mut waiting), (MessageState::Dead, &mut dead)] {
        let one = PageRequest { limit: PageLimit::new(1).unwrap_or_default(), after: None, count: true };
        let filter = MessageFilter { state: Some(message_state), topic: None };
        *count = reader.messages_page(&filter, one).await?.total.unwrap_or_default();
    }
    let tag = if dead > 0 { Tag::new("needs a look", "warn") } else { Tag::new("healthy", "good") };
    Ok(Some(Outbox { waiting, dead, tag }))
}

fn figures(stats: &Stats, scopes: Scopes) -> Vec<Figure> {
    let open = |scope: Scope, address: &'static str| scopes.has(scope).then_some(address);
    let [revoked, expired, exhausted, active] = stats.codes;
    let [pending, running, paused, completed] = stats.projects;
    let tenants = &stats.tenants;
    let suspended = if tenants.suspended > 0 { format!("; {} suspended", grouped(tenants.suspended)) } else { String::new() };
    let last = |count: u64| format!("{} the week before", grouped(count));
    vec![
        Figure {
            label: "Activations this week",
            value: grouped(stats.this_week.activations),
            note: last(stats.last_week.activations),
            address: None,
        },
        Figure {
            label: "Success rate this week",
            value: rate(stats.this_week),
            note: format!("{} refused; {} the week before", grouped(stats.this_week.refusals), rate(stats.last_week)),
            address: None,
        },
        Figure {
            label: "Tenants",
            value: grouped(tenants.total),
            note: format!("{} new, {}{suspended}", grouped(tenants.new_this_week), last(tenants.new_last_week)),
            address: open(Scope::TenantsRead, "/admin/tenants"),
        },
        Figure {
            label: "Codes available",
            value: grouped(active),
            note: format!("{} used, {} expired, {} revoked", grouped(exhausted), grouped(expired), grouped(revoked)),
            address: open(Scope::CodesRead, "/admin/codes?status=active"),
        },
        Figure {
            label: "Active projects",
            value: grouped(running),
            note: format!("{} pending, {} paused, {} completed", grouped(pending), grouped(paused), grouped(completed)),
            address: open(Scope::ProjectsRead, "/admin/projects?status=active"),
        },
    ]
}

impl Pressed {
    fn of(tenant: &QuotaUse) -> Self {
        let percent = tenant.percent();
        Self {
            id: tenant.tenant_id.to_string(),
            slug: tenant.slug.to_string(),
            used: grouped(tenant.used.into()),
            quota: grouped(tenant.quota.get().into()),
            percent,
            tone: if percent >= 100 { "bad" } else { "warn" },
        }
    }
}

/// Which part of the tries succeeded.
fn rate(usage: Usage) -> String {
    usage.success_per_10_000().map_or_else(
        || "–".to_owned(),
        |rate| match (rate / 100, rate % 100 / 10) {
            (percent, 0) => format!("{percent} %"),
            (percent, tenth) => format!("{percent}.{tenth} %"),
        },
    )
}

/// A number whose thousands can be told apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in (0..digits.len()).rev().zip(digits.chars()) {
        shown.push(digit);
        if place > 0 && place % 3 == 0 {
            shown.push(',');
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(grouped), ["0", "12", "999", "1,000", "1,234,567"]);
        let rate = |activations, refusals| rate(Usage { activations, returns: 0, refusals });
        assert_eq!([rate(0, 0), rate(2, 0), rate(2, 1), rate(0, 1)], ["–", "100 %", "66.6 %", "0 %"]);
    }
}
