//! The tally of tenants: what is counted in it is read without a look at them, in few writes, and nobody waits for it.

use serde_json::json;
use tenantry_domain::{
    CalendarDay, PageLimit, PageRequest, TenantCounts, Timestamp,
    ports::{StatsReads as _, Store as _, TenantFilter, TenantReads as _, TenantWrites as _, Transaction as _},
};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{DatabaseKind, World, database, on_both_databases};

/// The last day on which [`insert`] makes tenants.
fn today() -> CalendarDay {
    "2026-03-03T12:00:00Z".parse::<Timestamp>().unwrap().day()
}

/// Makes 300 tenants in one statement, a third of them on each of three days. A tenth is suspended.
fn insert(kind: DatabaseKind) -> String {
    let id = match kind {
        DatabaseKind::Postgres => "gen_random_uuid()",
        DatabaseKind::Sqlite => "randomblob(16)",
    };
    let at = |time: &str| {
        let at = format!("'2026-03-0' || (n % 3 + 1) || 'T{time}+00:00'");
        match kind {
            DatabaseKind::Postgres => format!("({at})::timestamptz"),
            DatabaseKind::Sqlite => at,
        }
    };
    let (created_at, suspended_at) = (at("23:59:59.999999"), at("12:00:00"));
    format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)
        INSERT INTO tenants (id, slug, name, contact_email, suspended_at, created_at, updated_at)
        SELECT {id}, 'tenant-' || n, 'Acme', 'it@acme.example', CASE WHEN n % 10 = 0 THEN {suspended_at} END, {created_at}, {created_at}
        FROM n"
    )
}

async fn execute(world: &World, sql: &str) -> u64 {
    database::execute(world.database_url(), sql).await.unwrap()
}

async fn connect(world: &World) -> DatabaseStore {
    DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap()
}

on_both_databases! {
    /// Where there are none to look at.
    async fn tenants_are_counted_without_a_look_at_them(world: World) {
        drop(world.server().await);
        let store = connect(&world).await;
        execute(&world, &insert(world.kind())).await;
        execute(&world, "ALTER TABLE tenants RENAME TO elsewhere").await;
        let counts = store.reader().count_tenants(today(), today().days_before(1)).await.unwrap();
        assert_eq!(counts, TenantCounts { total: 300, suspended: 30, new_this_week: 100, new_last_week: 100 });
        store.close().await;
    }
}

/// What a statement does to many tenants is one write for each day whose counts it changes.
#[tokio::test]
async fn many_tenants_at_once_are_counted_together() {
    let world = World::postgres().await;
    let store = connect(&world).await;
    let statements = [
        (insert(world.kind()), 3),
        ("UPDATE tenants SET suspended_at = created_at WHERE suspended_at IS NULL".to_owned(), 3),
        ("UPDATE tenants SET name = 'Acme Corporation', suspended_at = updated_at".to_owned(), 0),
        ("UPDATE tenants SET created_at = created_at + interval '1 microsecond'".to_owned(), 2),
        ("DELETE FROM tenants".to_owned(), 3),
    ];
    for (statement, writes) in statements {
        // One transaction.
        let seen = "CREATE TABLE seen AS SELECT n_tup_ins + n_tup_upd AS writes FROM pg_stat_xact_user_tables";
        execute(&world, &format!("{statement}; {seen} WHERE relname = 'tenant_tallies'")).await;
        assert_eq!(world.rows("SELECT writes FROM seen").await, [json!({ "writes": writes })], "{statement}");
        execute(&world, "DROP TABLE seen").await;
    }
    let left = store.reader().count_tenants(today(), today()).await.unwrap();
    assert_eq!(left, TenantCounts { total: 0, suspended: 0, new_this_week: 0, new_last_week: 0 });
    store.close().await;
}

/// Two transactions, both open, that count tenants of one day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_the_tally_of_tenants() {
    let world = World::postgres().await;
    let store = connect(&world).await;
    execute(&world, &insert(world.kind())).await;
    let active = TenantFilter { suspended: Some(false), ..TenantFilter::default() };
    let page = PageRequest { limit: PageLimit::default(), after: None, count: false };
    let listed = store.reader().tenants_page(&active, page).await.unwrap().items;
    let on_one_day: Vec<_> = listed.iter().filter(|tenant| tenant.created_at.day() == listed[0].created_at.day()).collect();
    let now = today().next().start();
    let (mut first, mut second) = (store.begin().await.unwrap(), store.begin().await.unwrap());
    assert!(first.set_tenant_suspended(on_one_day[0].id, Some(now), now).await.unwrap());
    assert!(second.set_tenant_suspended(on_one_day[1].id, Some(now), now).await.unwrap());
    assert!(first.set_tenant_suspended(on_one_day[2].id, Some(now), now).await.unwrap());
    second.commit().await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(store.reader().count_tenants(today(), today()).await.unwrap().suspended, 33);
    store.close().await;
}
