//! Lists of codes out of many: right, and read by an index that serves them, however rare it is what they ask for.

use tenantry_domain::{
    Branding, Code, CodeHint, CodeOrder, CodeStatus, Context, Email, Label, NewTenant, PageLimit, PageRequest, PlanName, Quota,
    Slug, SystemEntropy, TenantId, TenantName, Timestamp, create_plan, create_tenant, generate_codes,
    memory::PlainHasher,
    ports::{CodeFilter, CodeReads as _, Store as _},
};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{DatabaseKind, World, database, on_both_databases};
use time::{Duration, macros::datetime};

/// How many are looked through before what is asked for is taken to be rare. Each may be read in an index, and by its key.
const RECENT: u64 = 10_000;
/// Of which so many more are issued that reading all of them shows.
const MANY: u32 = 24_000;
const FEW: u32 = 3;

fn noon() -> Timestamp {
    Timestamp::new(datetime!(2026-03-15 12:00 UTC))
}

fn read_at() -> Timestamp {
    noon() + Duration::HOUR
}

/// How codes came to be what they are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Revoked,
    Expired,
    ExpiredAndUsed,
    Exhausted,
    ExhaustedWithEnd,
    Active,
    ActiveWithEnd,
}

const KINDS: [Kind; 7] = [
    Kind::Revoked,
    Kind::Expired,
    Kind::ExpiredAndUsed,
    Kind::Exhausted,
    Kind::ExhaustedWithEnd,
    Kind::Active,
    Kind::ActiveWithEnd,
];

impl Kind {
    fn status(self) -> CodeStatus {
        match self {
            Self::Revoked => CodeStatus::Revoked,
            Self::Expired | Self::ExpiredAndUsed => CodeStatus::Expired,
            Self::Exhausted | Self::ExhaustedWithEnd => CodeStatus::Exhausted,
            Self::Active | Self::ActiveWithEnd => CodeStatus::Active,
        }
    }

    fn ttl(self) -> Option<Duration> {
        match self {
            Self::Expired | Self::ExpiredAndUsed => Some(Duration::MINUTE),
            Self::ExhaustedWithEnd | Self::ActiveWithEnd => Some(Duration::DAY),
            Self::Revoked | Self::Exhausted | Self::Active => None,
        }
    }

    fn becomes(self) -> Option<&'static str> {
        match self {
            Self::Revoked => Some("revoked_at = created_at"),
            Self::ExpiredAndUsed | Self::Exhausted | Self::ExhaustedWithEnd => Some("use_count = 1, used_at = created_at"),
            Self::Expired | Self::Active | Self::ActiveWithEnd => None,
        }
    }
}

/// A store of one connection.
async fn store(world: &World) -> DatabaseStore {
    let options = Options { max_connections: 1, ..Options::new(world.database_url().as_str()) };
    DatabaseStore::connect(&options).await.unwrap()
}

async fn tenant(world: &World) -> TenantId {
    if let Some(file) = world.database_url().as_str().strip_prefix("sqlite://") {
        std::fs::create_dir_all(std::path::Path::new(file).parent().unwrap()).unwrap();
        tenantry_migration::up(world.database_url().as_str()).await.unwrap();
    }
    let (store, cx) = (store(world).await, Context::system(noon(), &SystemEntropy));
    let plan = create_plan(&store, &cx, PlanName::parse("Plan").unwrap(), Quota::new(1).unwrap()).await.unwrap();
    let (slug, name) = (Slug::parse("acme").unwrap(), TenantName::parse("Acme").unwrap());
    let contact_email = Email::parse("it@acme.example").unwrap();
    let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
    let tenant = create_tenant(&store, &cx, &PlainHasher, new).await.unwrap().tenant.id;
    store.close().await;
    database::execute(world.database_url(), "DELETE FROM activation_codes").await.unwrap();
    tenant
}

/// Many tenants of a few codes each: by the average, which is what PostgreSQL knows of a tenant, one has less than a page.
async fn neighbours(world: &World) {
    const TENANTS: &str = "INSERT INTO tenants (id, slug, name, contact_email, created_at, updated_at)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 400)
        SELECT {id}, slug || '-' || n, name, contact_email, created_at, updated_at FROM tenants CROSS JOIN numbers";
    const CODES: &str = "INSERT INTO activation_codes
            (id, tenant_id, code_digest, key_id, hint, max_uses, batch_id, created_at, updated_at)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 30)
        SELECT {id}, id, {digest}, 'key', 'HINT', 1, {id}, created_at, updated_at FROM tenants CROSS JOIN numbers
        WHERE slug LIKE '%-%'";
    let (id, digest) = match world.kind() {
        DatabaseKind::Sqlite => ("randomblob(16)", "randomblob(32)"),
        DatabaseKind::Postgres => ("gen_random_uuid()", "sha256(uuid_send(gen_random_uuid()))"),
    };
    for (statement, rows) in [(TENANTS, 400), (CODES, 400 * 30)] {
        let statement = statement.replace("{id}", id).replace("{digest}", digest);
        assert_eq!(database::execute(world.database_url(), &statement).await.unwrap(), rows);
    }
}

async fn take_statistics(world: &World) {
    database::execute(world.database_url(), "ANALYZE").await.unwrap();
}

/// Two labels, so that by the number of labels neither is rare.
fn label(count: u32) -> Label {
    Label::parse(&format!("One of {count}")).unwrap()
}

/// Issues codes a second after those before, and makes them what they are to be.
async fn issue(world: &World, tenant: TenantId, kind: Kind, count: u32, seconds: i64) {
    let cx = Context::system(noon() + Duration::seconds(seconds), &SystemEntropy);
    let store = store(world).await;
    let order = CodeOrder { count, label: Some(label(count)), ttl: kind.ttl(), max_uses: 1 };
    let batch = generate_codes(&store, &cx, &PlainHasher, tenant, order).await.unwrap().batch_id;
    store.close().await;
    if let Some(change) = kind.becomes() {
        let batch = world.uuid_literal(&batch.to_string());
        let update = format!("UPDATE activation_codes SET {change} WHERE batch_id = {batch}");
        assert_eq!(database::execute(world.database_url(), &update).await.unwrap(), u64::from(count));
        // The entries of the rows as they were before would be read too, or keep PostgreSQL from an index that is otherwise empty.
        if world.kind() == DatabaseKind::Postgres {
            database::execute(world.database_url(), "VACUUM FULL activation_codes").await.unwrap();
        }
    }
}

/// How many rows and entries of indexes PostgreSQL has read of the codes so far. A connection's last figures come when its process ends.
async fn read_so_far(world: &World) -> u64 {
    const READ: &str = "SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'activation_codes')
            + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = 'activation_codes') AS read
        WHERE NOT EXISTS (SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid())";
    for _ in 0..500 {
        if let Some(row) = world.rows(READ).await.first() {
            return row["read"].as_u64().unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a connection stays open");
}

/// The first 50 of a tenant's list, or of everybody's, and how much was read for them where the database says so.
async fn page(world: &World, of: Option<TenantId>, filter: &CodeFilter) -> (Vec<Code>, u64) {
    let counted = world.kind() == DatabaseKind::Postgres;
    let before = if counted { read_so_far(world).await } else { 0 };
    let store = store(world).await;
    let request = PageRequest { limit: PageLimit::new(50).unwrap(), after: None, count: false };
    let page = match of {
        Some(tenant) => store.reader().codes_page(tenant, filter, read_at(), request).await,
        None => store.reader().codes_of_anyone_page(None, filter, read_at(), request).await,
    };
    store.close().await;
    let read = if counted { read_so_far(world).await - before } else { 0 };
    (page.unwrap().items, read)
}

/// Asks for the codes of each status, of some labels and of a hint. `issued` is all that the tenant has; others have active ones only.
async fn every_list_is_right_and_reads_little(world: &World, tenant: TenantId, issued: &[(Kind, u32)]) {
    let newest = issued.last().map(|(kind, _)| kind.status());
    for (status, of) in CodeStatus::ALL.into_iter().flat_map(|status| [(status, Some(tenant)), (status, None)]) {
        if status == CodeStatus::Active && of.is_none() {
            continue;
        }
        let filter = CodeFilter { status: Some(status), ..CodeFilter::default() };
        let there: u32 = issued.iter().filter(|(kind, _)| kind.status() == status).map(|(_, count)| count).sum();
        let (items, read) = page(world, of, &filter).await;
        assert_eq!(items.len(), there.min(50) as usize, "{status:?} of {issued:?}");
        assert!(items.iter().all(|code| code.status(read_at()) == status), "{status:?} of {issued:?}");
        assert!(items.windows(2).all(|pair| pair[0].id > pair[1].id), "newest first");
        let most = if newest == Some(status) && of.is_some() { 0 } else { 2 * RECENT + 2 * u64::from(there) };
        assert!(read <= most + 500, "{read} read for {status:?} of {issued:?} of {of:?}");
    }
    for (count, of) in [FEW, MANY].into_iter().flat_map(|count| [(count, Some(tenant)), (count, None)]) {
        let there: u32 = issued.iter().map(|(_, issued)| issued).filter(|issued| **issued == count).sum();
        let (items, read) = page(world, of, &CodeFilter { label: Some(label(count)), ..CodeFilter::default() }).await;
        assert_eq!(items.len(), there.min(50) as usize, "labelled as one of {count} of {issued:?}");
        assert!(items.iter().all(|code| code.label == Some(label(count))), "labelled as one of {count} of {issued:?}");
        let most = if count == MANY && of.is_some() { 0 } else { 2 * RECENT + 2 * u64::from(there) };
        assert!(read <= most + 500, "{read} read for one of {count} of {issued:?} of {of:?}");
    }
    let (mut newest, read) = page(world, Some(tenant), &CodeFilter::default()).await;
    assert!(read <= 100, "{read} read for the newest of {issued:?}");
    let hint = newest.remove(0).hint;
    let filter = CodeFilter { hint: Some(CodeHint::parse(&hint).unwrap()), ..CodeFilter::default() };
    let (items, read) = page(world, Some(tenant), &filter).await;
    assert!(items.iter().all(|code| code.hint == hint) && !items.is_empty());
    assert!(read <= 100, "{read} read for a hint of {issued:?}");
}

/// A few old codes of each kind.
async fn old_codes(world: &World, tenant: TenantId) -> Vec<(Kind, u32)> {
    for (seconds, kind) in (0..).zip(KINDS) {
        issue(world, tenant, kind, FEW, seconds).await;
    }
    KINDS.map(|kind| (kind, FEW)).to_vec()
}

// Whichever status, label or hint a list asks for, it is right, and it is found without reading all there is, whether or not PostgreSQL has
// taken statistics since.
on_both_databases! {
    async fn a_list_reads_what_it_asks_for_and_little_else(world: World) {
        let tenant = tenant(&world).await;
        let mut issued = old_codes(&world, tenant).await;
        take_statistics(&world).await;
        issue(&world, tenant, Kind::ExpiredAndUsed, MANY, 100).await;
        issued.push((Kind::ExpiredAndUsed, MANY));
        every_list_is_right_and_reads_little(&world, tenant, &issued).await;

        issue(&world, tenant, Kind::ActiveWithEnd, MANY, 200).await;
        issued.push((Kind::ActiveWithEnd, MANY));
        take_statistics(&world).await;
        every_list_is_right_and_reads_little(&world, tenant, &issued).await;
    }

    async fn a_large_tenants_list_reads_as_little_among_small_tenants(world: World) {
        let tenant = tenant(&world).await;
        let mut issued = old_codes(&world, tenant).await;
        neighbours(&world).await;
        issue(&world, tenant, Kind::ExhaustedWithEnd, MANY, 100).await;
        issued.push((Kind::ExhaustedWithEnd, MANY));
        // As codes lie that were issued by turns.
        if world.kind() == DatabaseKind::Postgres {
            database::execute(world.database_url(), "CLUSTER activation_codes USING activation_codes_digest").await.unwrap();
        }
        take_statistics(&world).await;
        every_list_is_right_and_reads_little(&world, tenant, &issued).await;
    }
}
