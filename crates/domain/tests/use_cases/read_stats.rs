//! The figures of a dashboard.

use tenantry_domain::{Action, AuditEvent, STATS_DAYS, TenantId, Timestamp, Usage, ports::*, read_stats};
use time::Duration;

use crate::support::{Portal, block_on, noon};

async fn refuse(portal: &Portal, tenant: TenantId, at: Timestamp) {
    let event = AuditEvent::new(&portal.cx(at), Action::ActivationRefused, Some(tenant), None);
    let mut tx = portal.store.begin().await.unwrap();
    tx.append_audit(&event).await.unwrap();
    tx.commit().await.unwrap();
}

#[test]
fn every_day_is_there_and_weeks_are_seven_of_them() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let today = noon().day();
        for days_ago in [0, 6, 7, 13, 14, i64::from(STATS_DAYS) - 1, i64::from(STATS_DAYS)] {
            refuse(&portal, tenant, noon() - Duration::days(days_ago)).await;
        }
        let stats = read_stats(&portal.store, noon()).await.unwrap();
        let refusals = |refusals| Usage { refusals, ..Usage::default() };
        assert_eq!((stats.this_week, stats.last_week), (refusals(2), refusals(2)));
        let days: Vec<_> = stats.days.iter().map(|day| day.day).collect();
        assert_eq!(days, (0..STATS_DAYS).rev().map(|before| today.days_before(before)).collect::<Vec<_>>());
        let with_refusals: Vec<_> = stats.days.iter().filter(|day| day.usage == refusals(1)).map(|day| day.day).collect();
        assert_eq!(with_refusals, [89, 14, 13, 7, 6, 0].map(|before| today.days_before(before)));
        let quiet = stats.days.iter().filter(|day| day.usage == Usage::default()).count();
        assert_eq!(quiet + with_refusals.len(), usize::from(STATS_DAYS));
    });
}

#[test]
fn an_empty_store_has_figures_too() {
    block_on(async {
        let stats = read_stats(&Portal::new().store, noon()).await.unwrap();
        assert_eq!((stats.codes, stats.projects, stats.pressure.tenants), ([0; 4], [0; 4], 0));
        assert_eq!(stats.this_week.success_per_10_000(), None);
    });
}
