//! Figures from the tallies that the database keeps by triggers; see the step of the schema that makes them.

use sea_orm::FromQueryResult;
use tenantry_domain::{
    CalendarDay, Id, PressureQuery, Quota, QuotaPressure, QuotaUse, Slug, StoreError, TenantCounts, Timestamp, Usage, UsageDay,
    ports::StatsReads,
};
use uuid::Uuid;

use crate::{
    Handle,
    connection::Connection,
    row::{Corruption, Row, count},
    timestamp::DbTime,
};

/// Days at rest count by themselves; the day that is passing is corrected by those of its codes that have expired already.
///
/// `$1` is whose codes, the nil identifier for all; `$2` today, `$3` its first moment, `$4` now. `{whose}` keeps the passing day's moments
/// to the tenant's.
const CODES: &str = "
    SELECT coalesce(CAST(sum(revoked) AS bigint), 0) AS revoked, coalesce(CAST(sum(expired) AS bigint), 0) AS expired,
        coalesce(CAST(sum(exhausted) AS bigint), 0) AS exhausted, coalesce(CAST(sum(active) AS bigint), 0) AS active
    FROM (
        SELECT revoked,
            CASE WHEN expires_on < $2 THEN codes - revoked ELSE 0 END AS expired,
            CASE WHEN expires_on < $2 THEN 0 ELSE exhausted END AS exhausted,
            CASE WHEN expires_on < $2 THEN 0 ELSE codes - revoked - exhausted END AS active
        FROM code_tallies WHERE tenant_id = $1
        UNION ALL
        SELECT 0, codes - revoked, -exhausted, -(codes - revoked - exhausted)
        FROM code_expiry_tallies WHERE {whose}expires_at >= $3 AND expires_at <= $4
    ) AS counted";

/// `$1` is the first day of this week, `$2` that of the last.
const TENANTS: &str = "
    SELECT coalesce(CAST(sum(tenants) AS bigint), 0) AS total, coalesce(CAST(sum(suspended) AS bigint), 0) AS suspended,
        coalesce(CAST(sum(CASE WHEN created_on >= $1 THEN tenants END) AS bigint), 0) AS new_this_week,
        coalesce(CAST(sum(CASE WHEN created_on >= $2 AND created_on < $1 THEN tenants END) AS bigint), 0) AS new_last_week
    FROM tenant_tallies";

const PROJECTS: &str = "
    SELECT coalesce(CAST(sum(pending) AS bigint), 0) AS pending, coalesce(CAST(sum(active) AS bigint), 0) AS active,
        coalesce(CAST(sum(paused) AS bigint), 0) AS paused, coalesce(CAST(sum(completed) AS bigint), 0) AS completed
    FROM project_tallies";

const DAYS: &str = "
    SELECT day, CAST(sum(activations) AS bigint) AS activations, CAST(sum(returns) AS bigint) AS returns,
        CAST(sum(refusals) AS bigint) AS refusals
    FROM usage_days WHERE day >= $1 AND day <= $2 GROUP BY day
    HAVING sum(activations) <> 0 OR sum(returns) <> 0 OR sum(refusals) <> 0 ORDER BY day";

/// Parts of different quotas differ by 10^-12 at the least, as no quota exceeds a million.
const PRESSURE: &str = "
    SELECT t.id, t.slug, u.activations, p.monthly_run_quota, count(*) OVER () AS tenants
    FROM usage_months u
        JOIN tenants t ON t.id = u.tenant_id
        JOIN subscriptions s ON s.tenant_id = u.tenant_id
        JOIN plans p ON p.id = s.plan_id
    WHERE u.year = $1 AND u.month = $2 AND u.activations * 100 >= p.monthly_run_quota * $3
    ORDER BY u.activations * 1000000000000 / p.monthly_run_quota DESC, t.id LIMIT ";

impl<C: Connection> StatsReads for Handle<C> {
    async fn count_tenants(&mut self, this_week: CalendarDay, last_week: CalendarDay) -> Result<TenantCounts, StoreError> {
        let weeks = [this_week.days_since_1970().into(), last_week.days_since_1970().into()];
        Ok(self.find::<TenantsRow>(self.sql(TENANTS, weeks)).await?.unwrap_or_default())
    }

    async fn count_codes_of_everyone(&mut self, now: Timestamp) -> Result<[u64; 4], StoreError> {
        self.tallied_codes(Uuid::nil(), "", now).await
    }

    async fn count_projects_of_everyone(&mut self) -> Result<[u64; 4], StoreError> {
        Ok(self.find::<ProjectsRow>(self.sql(PROJECTS, [])).await?.unwrap_or_default())
    }

    async fn usage_days(&mut self, first: CalendarDay, last: CalendarDay) -> Result<Vec<UsageDay>, StoreError> {
        let days = [first.days_since_1970().into(), last.days_since_1970().into()];
        self.list::<DayRow>(self.sql(DAYS, days)).await
    }

    async fn quota_pressure(&mut self, query: PressureQuery) -> Result<QuotaPressure, StoreError> {
        let PressureQuery { month, percent, limit } = query;
        let values = [i64::from(month.year).into(), i64::from(month.month).into(), i64::from(percent).into()];
        let rows = self.list::<PressureRow>(self.sql(&format!("{PRESSURE}{limit}"), values)).await?;
        let tenants = rows.first().map_or(0, |(tenants, _)| *tenants);
        Ok(QuotaPressure { tenants, highest: rows.into_iter().map(|(_, one)| one).collect() })
    }
}

impl<C: Connection> Handle<C> {
    /// Codes by status at `now`. `whose` is the condition on the moments of the passing day, with ` AND ` behind it.
    pub(crate) async fn tallied_codes(&mut self, owner: Uuid, whose: &str, now: Timestamp) -> Result<[u64; 4], StoreError> {
        let today = now.day();
        let values = [owner.into(), today.days_since_1970().into(), DbTime::from(today.start()).into(), DbTime::from(now).into()];
        let counts = self.sql(&CODES.replace("{whose}", whose), values);
        Ok(self.find::<CodesRow>(counts).await?.unwrap_or_default())
    }
}

/// A sum over a tally's slots.
fn sum(stored: i64) -> Result<u64, Corruption> {
    u64::try_from(stored).map_err(|_| "a tally is below zero".into())
}

#[derive(FromQueryResult)]
struct TenantsRow {
    total: i64,
    suspended: i64,
    new_this_week: i64,
    new_last_week: i64,
}

impl Row for TenantsRow {
    type Value = TenantCounts;
    const WHAT: &'static str = "tally of tenants";

    fn into_value(self) -> Result<TenantCounts, Corruption> {
        Ok(TenantCounts {
            total: sum(self.total)?,
            suspended: sum(self.suspended)?,
            new_this_week: sum(self.new_this_week)?,
            new_last_week: sum(self.new_last_week)?,
        })
    }
}

#[derive(FromQueryResult)]
struct CodesRow {
    revoked: i64,
    expired: i64,
    exhausted: i64,
    active: i64,
}

impl Row for CodesRow {
    type Value = [u64; 4];
    const WHAT: &'static str = "tally of codes";

    fn into_value(self) -> Result<[u64; 4], Corruption> {
        Ok([sum(self.revoked)?, sum(self.expired)?, sum(self.exhausted)?, sum(self.active)?])
    }
}

#[derive(FromQueryResult)]
struct ProjectsRow {
    pending: i64,
    active: i64,
    paused: i64,
    completed: i64,
}

impl Row for ProjectsRow {
    type Value = [u64; 4];
    const WHAT: &'static str = "tally of projects";

    fn into_value(self) -> Result<[u64; 4], Corruption> {
        Ok([sum(self.pending)?, sum(self.active)?, sum(self.paused)?, sum(self.completed)?])
    }
}

#[derive(FromQueryResult)]
struct DayRow {
    day: i64,
    activations: i64,
    returns: i64,
    refusals: i64,
}

impl Row for DayRow {
    type Value = UsageDay;
    const WHAT: &'static str = "day of usage";

    fn into_value(self) -> Result<UsageDay, Corruption> {
        let usage = Usage { activations: sum(self.activations)?, returns: sum(self.returns)?, refusals: sum(self.refusals)? };
        Ok(UsageDay { day: CalendarDay::from_days_since_1970(self.day), usage })
    }
}

#[derive(FromQueryResult)]
struct PressureRow {
    id: Uuid,
    slug: String,
    activations: i64,
    monthly_run_quota: i64,
    tenants: i64,
}

impl Row for PressureRow {
    /// How many tenants there are, and one of them.
    type Value = (u64, QuotaUse);
    const WHAT: &'static str = "use of a quota";

    fn into_value(self) -> Result<(u64, QuotaUse), Corruption> {
        let one = QuotaUse {
            tenant_id: Id::from_uuid(self.id),
            slug: Slug::from_stored(self.slug),
            used: count(self.activations)?,
            quota: Quota::from_stored(count(self.monthly_run_quota)?),
        };
        Ok((sum(self.tenants)?, one))
    }
}
