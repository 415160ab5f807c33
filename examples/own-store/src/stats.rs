use std::collections::BTreeMap;

use tenantry_domain::{
    Action, CalendarDay, CodeStatus, PressureQuery, ProjectStatus, QuotaPressure, QuotaUse, StoreError, TenantCounts, Timestamp,
    Usage, UsageDay, ports::StatsReads,
};

use crate::{
    store::{Mode, View},
    tables::{AUDIT, CODES, MONTHS, PROJECTS, REDEMPTIONS, TENANTS},
};

/// How many of `rows` are each of `kinds`.
pub fn tally<T: PartialEq + Copy, const N: usize>(kinds: [T; N], rows: impl Iterator<Item = T>) -> [u64; N] {
    let mut counts = kinds.map(|kind| (kind, 0));
    for row in rows {
        counts.iter_mut().filter(|(kind, _)| *kind == row).for_each(|(_, count)| *count += 1);
    }
    counts.map(|(_, count)| count)
}

impl<M: Mode> StatsReads for View<M> {
    async fn count_tenants(&mut self, this_week: CalendarDay, last_week: CalendarDay) -> Result<TenantCounts, StoreError> {
        let rows = self.rows()?;
        Ok(TenantCounts {
            total: rows.count(TENANTS, |_| true)?,
            suspended: rows.count(TENANTS, |row| row.suspended_at.is_some())?,
            new_this_week: rows.count(TENANTS, |row| row.created_at.day() >= this_week)?,
            new_last_week: rows.count(TENANTS, |row| (last_week..this_week).contains(&row.created_at.day()))?,
        })
    }

    async fn count_codes_of_everyone(&mut self, now: Timestamp) -> Result<[u64; 4], StoreError> {
        Ok(tally(CodeStatus::ALL, self.rows()?.list(CODES, |_| true)?.iter().map(|code| code.status(now))))
    }

    async fn count_projects_of_everyone(&mut self) -> Result<[u64; 4], StoreError> {
        Ok(tally(ProjectStatus::ALL, self.rows()?.list(PROJECTS, |_| true)?.iter().map(|project| project.status)))
    }

    async fn usage_days(&mut self, first: CalendarDay, last: CalendarDay) -> Result<Vec<UsageDay>, StoreError> {
        let rows = self.rows()?;
        let mut days: BTreeMap<CalendarDay, Usage> = BTreeMap::new();
        for row in rows.list(REDEMPTIONS, |_| true)? {
            days.entry(row.redeemed_at.day()).or_default().activations += 1;
            if let Some(returned_at) = row.returned_at {
                days.entry(returned_at.day()).or_default().returns += 1;
            }
        }
        let refused = Action::ActivationRefused.as_str();
        for event in rows.list(AUDIT, |event| event.action == refused)? {
            let Some(tenant) = event.tenant_id else { continue };
            if rows.has(TENANTS, &tenant)? {
                days.entry(event.at.day()).or_default().refusals += 1;
            }
        }
        Ok(days.range(first..=last).map(|(&day, &usage)| UsageDay { day, usage }).collect())
    }

    async fn quota_pressure(&mut self, query: PressureQuery) -> Result<QuotaPressure, StoreError> {
        let rows = self.rows()?;
        let mut pressed = Vec::new();
        for tenant in rows.list(TENANTS, |_| true)? {
            let Some(quota) = rows.entitlement(tenant.id)?.map(|entitlement| entitlement.quota) else { continue };
            let used = rows.get(MONTHS, &(tenant.id, query.month))?.unwrap_or(0);
            if u64::from(used) * 100 >= u64::from(quota.get()) * u64::from(query.percent) {
                pressed.push(QuotaUse { tenant_id: tenant.id, slug: tenant.slug, used, quota });
            }
        }
        let part = |one: &QuotaUse, of: &QuotaUse| u64::from(one.used) * u64::from(of.quota.get());
        // Stable, so that of equals the older stays first.
        pressed.sort_by(|a, b| part(b, a).cmp(&part(a, b)));
        let tenants = pressed.len() as u64;
        pressed.truncate(usize::from(query.limit));
        Ok(QuotaPressure { tenants, highest: pressed })
    }
}
