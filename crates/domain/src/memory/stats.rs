use std::collections::BTreeMap;

use super::store::{Mode, View};
use crate::{
    Action, CalendarDay, CodeStatus, PressureQuery, ProjectStatus, QuotaPressure, QuotaUse, StoreError, TenantCounts, Timestamp,
    Usage, UsageDay, ports::StatsReads,
};

/// How many of `rows` are each of `kinds`.
pub fn tally<T: PartialEq + Copy, const N: usize>(kinds: [T; N], rows: impl Iterator<Item = T>) -> [u64; N] {
    let mut counts = kinds.map(|kind| (kind, 0));
    for row in rows {
        counts.iter_mut().filter(|(kind, _)| *kind == row).for_each(|(_, count)| *count += 1);
    }
    counts.map(|(_, count)| count)
}

fn count<T>(rows: impl Iterator<Item = T>) -> u64 {
    u64::try_from(rows.count()).unwrap_or(u64::MAX)
}

impl<M: Mode> StatsReads for View<M> {
    async fn count_tenants(&mut self, this_week: CalendarDay, last_week: CalendarDay) -> Result<TenantCounts, StoreError> {
        let tables = self.tables();
        let made = || tables.tenants.rows().map(|row| row.created_at.day());
        Ok(TenantCounts {
            total: count(tables.tenants.rows()),
            suspended: count(tables.tenants.rows().filter(|row| row.suspended_at.is_some())),
            new_this_week: count(made().filter(|day| *day >= this_week)),
            new_last_week: count(made().filter(|day| (last_week..this_week).contains(day))),
        })
    }

    async fn count_codes_of_everyone(&mut self, now: Timestamp) -> Result<[u64; 4], StoreError> {
        Ok(tally(CodeStatus::ALL, self.tables().codes.rows().map(|code| code.status(now))))
    }

    async fn count_projects_of_everyone(&mut self) -> Result<[u64; 4], StoreError> {
        Ok(tally(ProjectStatus::ALL, self.tables().projects.rows().map(|project| project.status)))
    }

    async fn usage_days(&mut self, first: CalendarDay, last: CalendarDay) -> Result<Vec<UsageDay>, StoreError> {
        let tables = self.tables();
        let mut days: BTreeMap<CalendarDay, Usage> = BTreeMap::new();
        for row in tables.redemptions.rows() {
            days.entry(row.redeemed_at.day()).or_default().activations += 1;
            if let Some(returned_at) = row.returned_at {
                days.entry(returned_at.day()).or_default().returns += 1;
            }
        }
        let refused = Action::ActivationRefused.as_str();
        for event in tables.audit.rows().filter(|event| event.action == refused) {
            if event.tenant_id.is_some_and(|tenant| tables.tenants.contains(&tenant)) {
                days.entry(event.at.day()).or_default().refusals += 1;
            }
        }
        Ok(days.range(first..=last).map(|(&day, &usage)| UsageDay { day, usage }).collect())
    }

    async fn quota_pressure(&mut self, query: PressureQuery) -> Result<QuotaPressure, StoreError> {
        let tables = self.tables();
        let mut pressed = Vec::new();
        for tenant in tables.tenants.rows() {
            let Some(quota) = tables.entitlement(tenant.id).map(|entitlement| entitlement.quota) else { continue };
            let used = tables.activations.get(&(tenant.id, query.month)).copied().unwrap_or(0);
            if u64::from(used) * 100 >= u64::from(quota.get()) * u64::from(query.percent) {
                pressed.push(QuotaUse { tenant_id: tenant.id, slug: tenant.slug.clone(), used, quota });
            }
        }
        let part = |one: &QuotaUse, of: &QuotaUse| u64::from(one.used) * u64::from(of.quota.get());
        // Stable, so that of equals the older stays first.
        pressed.sort_by(|a, b| part(b, a).cmp(&part(a, b)));
        let tenants = count(pressed.iter());
        pressed.truncate(usize::from(query.limit));
        Ok(QuotaPressure { tenants, highest: pressed })
    }
}
