use crate::{
    CalendarDay, PressureQuery, QuotaPressure, StoreError, TenantCounts, Timestamp, Usage, UsageDay,
    ports::{StatsReads as _, Store},
};

/// How many days [`read_stats`] goes back, today among them: 90.
pub const STATS_DAYS: u16 = 90;

/// From how many percent of its month's quota on a tenant is under pressure: 80.
pub const PRESSURE_PERCENT: u8 = 80;

/// How many of the tenants under pressure [`read_stats`] names: 20.
pub const PRESSURE_LIMIT: u16 = 20;

/// The figures of a dashboard, of all tenants together.
///
/// A week is seven days: this one is today and the six days before, the last one the seven before those. Days are UTC's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The moment that the figures are of.
    pub at: Timestamp,
    /// How many tenants there are.
    pub tenants: TenantCounts,
    /// How many codes have each status, in the order of [`CodeStatus::ALL`](crate::CodeStatus::ALL).
    pub codes: [u64; 4],
    /// How many projects have each status, in the order of [`ProjectStatus::ALL`](crate::ProjectStatus::ALL).
    pub projects: [u64; 4],
    /// The last [`STATS_DAYS`] days, oldest first, those on which nothing happened among them.
    pub days: Vec<UsageDay>,
    /// What happened this week.
    pub this_week: Usage,
    /// What happened in the week before.
    pub last_week: Usage,
    /// Which tenants have used at least [`PRESSURE_PERCENT`] of this month's quota.
    pub pressure: QuotaPressure,
}

/// Reads what a dashboard shows, by five reads of the store. Each sees what is committed when it begins.
///
/// # Errors
/// See [`StoreError`].
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// # let client_name = ClientName::parse("Globex")?;
/// # let details = ProjectDetails { client_name, description: None, objectives: None, priority: None };
/// # let project = create_project(&store, &cx, tenant, NewProject { slug: None, details }).await?;
/// # let request = ActivateProject { tenant, project: project.id, with: ActivateWith::NextAvailable, guesses: None };
/// # let project = activate_project(&store, &cx, &PlainHasher, &request).await?;
/// let stats = read_stats(&store, cx.now).await?;
/// assert_eq!((stats.tenants.total, stats.this_week.activations), (1, 1));
/// for (status, count) in CodeStatus::ALL.iter().zip(stats.codes) {
///     println!("{count} codes are {}", status.as_str());
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn read_stats<S: Store>(store: &S, now: Timestamp) -> Result<Stats, StoreError> {
    let today = now.day();
    let week = |day: CalendarDay| day.days_before(6);
    let (this_week, last_week) = (week(today), week(today.days_before(7)));
    let mut reader = store.reader();
    let happened = reader.usage_days(today.days_before(STATS_DAYS - 1), today).await?;
    let days = every_day(today, &happened);
    let usage = |from: CalendarDay, to: CalendarDay| {
        days.iter().filter(|day| (from..=to).contains(&day.day)).map(|day| day.usage).sum::<Usage>()
    };
    let pressure = PressureQuery { month: now.month(), percent: PRESSURE_PERCENT, limit: PRESSURE_LIMIT };
    Ok(Stats {
        at: now,
        tenants: reader.count_tenants(this_week, last_week).await?,
        codes: reader.count_codes_of_everyone(now).await?,
        projects: reader.count_projects_of_everyone().await?,
        this_week: usage(this_week, today),
        last_week: usage(last_week, today.days_before(7)),
        pressure: reader.quota_pressure(pressure).await?,
        days,
    })
}

/// The days up to today, also those on which nothing happened.
fn every_day(today: CalendarDay, happened: &[UsageDay]) -> Vec<UsageDay> {
    let usage = |day| happened.iter().find(|other| other.day == day).map_or_else(Usage::default, |other| other.usage);
    let days = (0..STATS_DAYS).rev().map(|before| today.days_before(before));
    days.map(|day| UsageDay { day, usage: usage(day) }).collect()
}
