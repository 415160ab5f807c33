//! What a page of the audit trail costs doesn't grow with the trail: each filter is read by an index, in the order of the page.

use tenantry_domain::{ActionFilter, ActorFilter, AuditFilter, PageLimit, PageRequest, TenantId, Timestamp};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{DatabaseKind, World, database, on_both_databases};

const EVENTS: usize = 20_000;

/// A trail of one large tenant and many small ones, of which a few events in a thousand are operators'.
async fn fill(world: &World) {
    let number = |n: &str| match world.kind() {
        DatabaseKind::Postgres => format!("CAST(lpad(to_hex({n}), 32, '0') AS uuid)"),
        DatabaseKind::Sqlite => format!("unhex(printf('%032x', {n}))"),
    };
    let (id, tenant) = (number("n"), number("CASE WHEN n % 2 = 0 THEN 1 ELSE n % 100 END"));
    let insert = format!(
        "INSERT INTO audit_events (id, created_at, tenant_id, actor_kind, actor_name, action, target, request_id, details)
            WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {EVENTS})
            SELECT {id}, '2026-03-01T12:00:00+00:00', {tenant}, CASE WHEN n % 500 = 0 THEN 'operator' ELSE 'tenant' END,
                'ses_' || n % 1000, CASE WHEN n % 1000 = 0 THEN 'plan.created' ELSE 'project.activated' END, 'prj_' || n % 5000,
                'req_' || n, '{{}}'
            FROM s"
    );
    database::execute(world.database_url(), &insert).await.expect("a trail");
    if world.kind() == DatabaseKind::Postgres {
        database::execute(world.database_url(), "ANALYZE audit_events").await.expect("statistics");
    }
}

on_both_databases! {
    async fn each_filter_of_the_trail_is_read_by_an_index(world: World) {
        world.server().await.terminate().await;
        fill(&world).await;
        let store = DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap();
        let all = AuditFilter::default();
        let tenant: TenantId = "ten_00000000000000000000000000000007".parse().unwrap();
        let action = |text: &str| Some(ActionFilter::parse(text).unwrap());
        let kind = Some(ActorFilter::Kind("operator"));
        let operator = Some(ActorFilter::Operator("opr_018bcfe568007000800000000000000a".parse().unwrap()));
        let session = Some(ActorFilter::Session("ses_018bcfe568007000800000000000000a".parse().unwrap()));
        let (target, request_id) = (Some("prj_018bcfe568007000800000000000000a".to_owned()), Some("req_1".to_owned()));
        let from: Option<Timestamp> = Some("2026-03-01T12:00:00Z".parse().unwrap());
        // Alone, and with others: then by the one that says most, of which PostgreSQL's statistics have their own opinion.
        let filters = [
            ("page", true, Some(tenant), all.clone()),
            ("page", true, None, AuditFilter { actor: Some(ActorFilter::Tenant(tenant)), ..all.clone() }),
            ("page", false, Some(tenant), AuditFilter { action: action("project."), ..all.clone() }),
            ("page", false, Some(tenant), AuditFilter { actor: kind.clone(), from, ..all.clone() }),
            ("action", true, None, AuditFilter { action: action("plan.created"), ..all.clone() }),
            ("action", true, None, AuditFilter { action: action("plan."), ..all.clone() }),
            ("action", false, None, AuditFilter { action: action("plan."), actor: kind.clone(), ..all.clone() }),
            ("kind", true, None, AuditFilter { actor: kind, ..all.clone() }),
            ("actor", true, None, AuditFilter { actor: session.clone(), ..all.clone() }),
            ("actor", false, None, AuditFilter { actor: operator, action: action("plan."), ..all.clone() }),
            ("actor", false, Some(tenant), AuditFilter { actor: session, ..all.clone() }),
            ("target", true, None, AuditFilter { target: target.clone(), ..all.clone() }),
            ("target", false, Some(tenant), AuditFilter { target, action: action("plan."), ..all.clone() }),
            ("request", true, None, AuditFilter { request_id: request_id.clone(), ..all.clone() }),
            ("request", false, Some(tenant), AuditFilter { request_id, ..all.clone() }),
        ];
        let after = Some("evt_00000000000000000000000000003a98".parse().unwrap());
        for (index, alone, tenant, filter) in filters {
            let page = PageRequest { limit: PageLimit::default(), after, count: false };
            let plan = store.explain_audit_page(tenant, &filter, page).await.unwrap();
            let of_all = ["Seq Scan", "SCAN audit_events", "audit_events_pkey", "sqlite_autoindex"];
            assert!(!of_all.iter().any(|step| plan.contains(step)), "{filter:?}:\n{plan}");
            if alone || world.kind() == DatabaseKind::Sqlite {
                // Each action has its own page; nothing else reads twice.
                let reads = if index == "action" { filter.action.iter().flat_map(ActionFilter::words).count() } else { 1 };
                let by_it = plan.matches(&format!("audit_events_{index} ")).count();
                assert_eq!(by_it, reads, "{index} for {filter:?}:\n{plan}");
            }
            if world.kind() == DatabaseKind::Sqlite {
                // Pages are merged; what hasn't been cut to a page is never sorted.
                assert!(!plan.contains("TEMP B-TREE") || plan.contains("MERGE"), "{filter:?}:\n{plan}");
            }
        }
        let page = PageRequest { limit: PageLimit::default(), after: None, count: false };
        let of_a_time = store.explain_audit_page(None, &AuditFilter { from, ..all }, page).await.unwrap();
        assert!(of_a_time.contains("audit_events_pkey") || of_a_time.contains("sqlite_autoindex_audit_events_1 (id>?"), "{of_a_time}");
        store.close().await;
    }
}
