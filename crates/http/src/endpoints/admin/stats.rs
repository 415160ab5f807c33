//! The figures of a dashboard.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use tenantry_domain::{
    PRESSURE_PERCENT, QuotaPressure, QuotaUse, Scope, Slug, Stats, TenantCounts, TenantId, Timestamp, Usage, UsageDay,
    ports::Store, read_stats,
};
use utoipa::ToSchema;

use crate::{
    endpoints::{Answer, State, tenant::usage::CodeCountsJson},
    extract::Operator,
    operation::{Operation, get},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/stats", web::to(read::<S>))
            .scope(Scope::StatsRead)
            .says(
                "Read the figures",
                "All tenants together: what there is, what happened on each of the last 90 days, this week against the last one, and who \
                is close to its quota. Days and weeks are UTC's; this week is today and the six days before. What it costs doesn't grow with \
                what there was before.",
            )
            .answers::<StatsJson>(StatusCode::OK),
    ]
}

/// The figures of a dashboard.
#[derive(Serialize, ToSchema)]
#[schema(as = Stats)]
struct StatsJson {
    /// When they were read.
    #[schema(value_type = schema::Moment)]
    at: Timestamp,
    tenants: TenantCountsJson,
    codes: CodeCountsJson,
    projects: ProjectCountsJson,
    this_week: WeekJson,
    /// The seven days before this week.
    last_week: WeekJson,
    /// The last 90 days, oldest first, today among them, and those on which nothing happened.
    #[schema(min_items = 90, max_items = 90)]
    days: Vec<UsageDayJson>,
    quota_pressure: QuotaPressureJson,
}

/// How many tenants there are.
#[derive(Serialize, ToSchema)]
#[schema(as = TenantCounts)]
struct TenantCountsJson {
    total: u64,
    /// Those that can't sign in.
    suspended: u64,
    /// Those that were made this week.
    new_this_week: u64,
    /// Those that were made in the week before.
    new_last_week: u64,
}

/// How many projects have each status, those without a tenant among them.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectCounts)]
struct ProjectCountsJson {
    pending: u64,
    active: u64,
    paused: u64,
    completed: u64,
}

/// What happened on a day, by tenants that there are.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageDay)]
struct UsageDayJson {
    /// The day in UTC.
    #[schema(value_type = schema::Day)]
    day: String,
    /// Activations, also those that were returned later.
    activations: u64,
    /// Activations that were returned.
    returns: u64,
    /// Activations that were refused.
    refusals: u64,
}

/// What happened in a week.
#[derive(Serialize, ToSchema)]
#[schema(as = Week)]
struct WeekJson {
    /// Activations, also those that were returned later.
    activations: u64,
    /// Activations that were returned.
    returns: u64,
    /// Activations that were refused.
    refusals: u64,
    /// Which part of the tries to activate a project succeeded, from 0 to 1, rounded down to four decimals; null where nobody tried.
    #[schema(minimum = 0, maximum = 1, example = 0.9821)]
    success_rate: Option<f64>,
}

/// Who has used so much of this month's quota that it will need more.
#[derive(Serialize, ToSchema)]
#[schema(as = QuotaPressure)]
struct QuotaPressureJson {
    /// From how many percent on.
    #[schema(example = 80)]
    from_percent: u8,
    /// How many tenants.
    tenants: u64,
    /// Those who have used the largest part, the largest first.
    #[schema(max_items = 20)]
    highest: Vec<QuotaUseJson>,
}

/// A tenant's use of this month's quota.
#[derive(Serialize, ToSchema)]
#[schema(as = QuotaUse)]
struct QuotaUseJson {
    #[schema(value_type = schema::TenantId)]
    id: TenantId,
    #[schema(value_type = schema::Slug)]
    slug: Slug,
    /// Activations so far.
    used: u32,
    /// The plan's activations a month.
    quota: u32,
    /// How much is used, rounded down; above 100 where the plan has become smaller.
    percent: u64,
}

impl From<Stats> for StatsJson {
    fn from(stats: Stats) -> Self {
        Self {
            at: stats.at,
            tenants: stats.tenants.into(),
            codes: stats.codes.into(),
            projects: stats.projects.into(),
            this_week: stats.this_week.into(),
            last_week: stats.last_week.into(),
            days: stats.days.into_iter().map(UsageDayJson::from).collect(),
            quota_pressure: stats.pressure.into(),
        }
    }
}

impl From<TenantCounts> for TenantCountsJson {
    fn from(TenantCounts { total, suspended, new_this_week, new_last_week }: TenantCounts) -> Self {
        Self { total, suspended, new_this_week, new_last_week }
    }
}

impl From<[u64; 4]> for ProjectCountsJson {
    /// Takes the counts in the order of [`ProjectStatus::ALL`](tenantry_domain::ProjectStatus::ALL).
    fn from([pending, active, paused, completed]: [u64; 4]) -> Self {
        Self { pending, active, paused, completed }
    }
}

impl From<Usage> for WeekJson {
    fn from(usage: Usage) -> Self {
        let Usage { activations, returns, refusals } = usage;
        // At most 10,000, which a float holds exactly.
        let rate = usage.success_per_10_000().and_then(|rate| u32::try_from(rate).ok());
        Self { activations, returns, refusals, success_rate: rate.map(|rate| f64::from(rate) / 10_000.0) }
    }
}

impl From<UsageDay> for UsageDayJson {
    fn from(UsageDay { day, usage: Usage { activations, returns, refusals } }: UsageDay) -> Self {
        Self { day: day.to_string(), activations, returns, refusals }
    }
}

impl From<QuotaPressure> for QuotaPressureJson {
    fn from(QuotaPressure { tenants, highest }: QuotaPressure) -> Self {
        Self { from_percent: PRESSURE_PERCENT, tenants, highest: highest.into_iter().map(QuotaUseJson::from).collect() }
    }
}

impl From<QuotaUse> for QuotaUseJson {
    fn from(one: QuotaUse) -> Self {
        let percent = one.percent();
        Self { id: one.tenant_id, slug: one.slug, used: one.used, quota: one.quota.get(), percent }
    }
}

/// What there is, what happened, and who is close to its quota.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>) -> Answer {
    let stats = read_stats(&state.store, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(StatsJson::from(stats)))
}
