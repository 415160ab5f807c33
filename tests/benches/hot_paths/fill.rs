//! The rows that are there before anything is measured, made by the database from numbers.
//!
//! Row n of a table has the identifier `uuid(n)` and belongs to tenant `n % tenants`; what has a digest has `digest(n)` on PostgreSQL, where
//! pgbench can make it, too, and a random one on SQLite. The triggers that keep tallies count what is written here as they count anything.

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    types::Uuid,
};
use tenantry_auth::KeyRing;
use tenantry_domain::{OtpPurpose, OtpStrength, Quota};
use tenantry_tests::DatabaseKind;

/// How many rows there are to be.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub tenants: usize,
    pub sessions: usize,
    pub projects: usize,
    pub codes: usize,
    /// Challenges that can be answered by pgbench.
    pub challenges: usize,
    /// Sessions that ended long ago, for the housekeeping.
    pub ended: usize,
}

/// Rows of one statement.
const PART: usize = 200_000;

/// What pgbench, psql and the rows here name rows by. Identifiers begin as those that are made in 2024, and new ones as later ones.
const FUNCTIONS: &str = "
    CREATE FUNCTION bench_uuid(n bigint) RETURNS uuid IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
        $$ SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
    CREATE FUNCTION bench_project(n bigint) RETURNS uuid IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
        $$ SELECT ('01900000-0001-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
    CREATE FUNCTION bench_new_uuid(n bigint, number bigint) RETURNS uuid IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
        $$ SELECT ('01b00000-0000-7000-8000-' || lpad(to_hex(n * 16 + number), 12, '0'))::uuid $$;
    CREATE FUNCTION bench_digest(n bigint) RETURNS bytea IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
        $$ SELECT sha256(int8send(n)) $$";

const ROWS: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0000;
const PROJECTS: u128 = 0x0190_0000_0001_7000_8000_0000_0000_0000;
const NEW: u128 = 0x01b0_0000_0000_7000_8000_0000_0000_0000;

/// The identifier of row n, whatever it is but a project.
pub fn row_id(n: usize) -> Uuid {
    Uuid::from_u128(ROWS + n as u128)
}

/// The identifier of project n: no other row has it, so that on the wire it is known for what it is.
pub fn project_id(n: usize) -> Uuid {
    Uuid::from_u128(PROJECTS + n as u128)
}

/// Whether a row has that identifier from the beginning.
pub fn is_row(id: Uuid) -> bool {
    [ROWS, PROJECTS].iter().any(|first| id.as_u128() >> 48 == first >> 48)
}

/// An identifier that is new with item n, by its number in it.
pub fn new_id(n: usize, number: usize) -> Uuid {
    Uuid::from_u128(NEW + (n * 16 + number) as u128)
}

/// Writes all rows, and forgets what there is to know of an empty database.
pub async fn fill(kind: DatabaseKind, url: &str, keys: &KeyRing, sizes: Sizes) {
    let dialect = Dialect::of(kind);
    let statements = dialect.statements(keys, sizes);
    match kind {
        DatabaseKind::Postgres => {
            let options: PgConnectOptions = url.parse().expect("a URL");
            let mut connection = options.disable_statement_logging().connect().await.expect("PostgreSQL accepts");
            connection.execute(FUNCTIONS).await.expect("functions");
            for sql in statements {
                connection.execute(AssertSqlSafe(sql.clone())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            // As autovacuum would, a minute later.
            connection.execute("VACUUM ANALYZE").await.expect("PostgreSQL counts its rows");
            connection.execute("CHECKPOINT").await.expect("PostgreSQL writes its pages");
            connection.close().await.expect("the connection closes");
        }
        DatabaseKind::Sqlite => {
            // Only here, where nothing is lost that couldn't be made again.
            let options = url.parse::<SqliteConnectOptions>().expect("a URL").synchronous(SqliteSynchronous::Off);
            let options = options.journal_mode(SqliteJournalMode::Wal).foreign_keys(false).disable_statement_logging();
            let options = options.pragma("cache_size", "-400000");
            let mut connection = options.connect().await.expect("the file opens");
            for sql in statements {
                connection.execute(AssertSqlSafe(sql.clone())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("the log is folded in");
            connection.close().await.expect("the connection closes");
        }
    }
}

/// How each database says it.
struct Dialect {
    uuid: fn(&str) -> String,
    project: fn(&str) -> String,
    digest: fn(&str) -> String,
    /// So many days from now.
    days: fn(i64) -> String,
    /// Begins an INSERT .. SELECT of the numbers n from one to another, the latter exclusive.
    numbers: fn(insert: &str, select: &str, from: usize, to: usize) -> String,
}

impl Dialect {
    fn of(kind: DatabaseKind) -> Self {
        match kind {
            DatabaseKind::Postgres => Self {
                uuid: |n| format!("bench_uuid({n})"),
                project: |n| format!("bench_project({n})"),
                digest: |n| format!("bench_digest({n})"),
                days: |days| format!("now() + '{days} days'::interval"),
                numbers: |insert, select, from, to| {
                    format!("{insert} SELECT {select} FROM generate_series({from}::bigint, {to}::bigint - 1) AS numbers (n)")
                },
            },
            DatabaseKind::Sqlite => Self {
                uuid: |n| format!("unhex('01900000000070008000' || printf('%012x', {n}))"),
                project: |n| format!("unhex('01900000000170008000' || printf('%012x', {n}))"),
                digest: |_| "randomblob(32)".to_owned(),
                days: |days| format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '{days} days')"),
                numbers: |insert, select, from, to| {
                    format!(
                        "{insert} WITH RECURSIVE numbers (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {to}) \
                         SELECT {select} FROM numbers"
                    )
                },
            },
        }
    }

    fn statements(&self, keys: &KeyRing, sizes: Sizes) -> Vec<String> {
        let Sizes { tenants, sessions, projects, codes, challenges, ended } = sizes;
        let (uuid, digest, days) = (self.uuid, self.digest, self.days);
        let (key, quota) = (keys.signing_key_id().as_str(), Quota::MAX);
        let (id, plan, owner, new) = (uuid("n"), uuid("0"), uuid(&format!("n % {tenants}")), digest("n"));
        let project = (self.project)("n");
        let (then, tomorrow, next_month) = (days(-1), days(1), days(30));
        let (purpose, strength) = (OtpPurpose::TenantSignIn.as_str(), OtpStrength::SixDigits.as_str());
        let text = "Answers what customers ask about their orders, from the shop''s own documents.";
        let session = "INSERT INTO tenant_sessions (id, tenant_id, token_digest, last_activity, expires_at, client_ip, user_agent, \
             created_at, updated_at)";
        let ended_at = (days(-40), days(-39));

        let mut statements = vec![format!(
            "INSERT INTO plans (id, name, monthly_run_quota, search_text, created_at, updated_at) \
             VALUES ({plan}, 'Plan of the benchmark', {quota}, 'plan of the benchmark', {then}, {then})"
        )];
        let mut add = |count: usize, insert: &str, select: &str, first: usize| {
            for from in (0..count).step_by(PART) {
                statements.push((self.numbers)(insert, select, first + from, first + count.min(from + PART)));
            }
        };
        add(
            tenants,
            "INSERT INTO tenants (id, slug, name, contact_email, search_text, created_at, updated_at)",
            &format!(
                "{id}, 'tenant-' || n, 'Tenant ' || n, 'tenant-' || n || '@tenant.example', \
                 'tenant ' || n || '\n' || 'tenant-' || n, {then}, {then}"
            ),
            0,
        );
        add(
            tenants,
            "INSERT INTO subscriptions (id, tenant_id, plan_id, state, current_period_start, current_period_end, created_at, updated_at)",
            &format!("{id}, {id}, {plan}, 'active', {then}, {next_month}, {then}, {then}"),
            0,
        );
        let client = format!("'127.0.0.1', '{}'", crate::http::USER_AGENT);
        // The activity of a session in use is written once a minute; this one's isn't.
        add(sessions, session, &format!("{id}, {owner}, {new}, {tomorrow}, {tomorrow}, {client}, {then}, {then}"), 0);
        let (seen, end) = ended_at;
        add(ended, session, &format!("{id}, {owner}, {new}, {seen}, {end}, {client}, {seen}, {seen}"), sessions);
        add(
            projects,
            "INSERT INTO llm_project_config (id, project_id, tenant_id, client_name, description, search_text, project_status, \
             created_by, created_at, updated_at)",
            &format!(
                "{project}, 'assistant-' || n, {owner}, 'Client ' || n || ' and Partners', '{text}', \
                 lower('Client ' || n || ' and Partners' || '\n' || 'assistant-' || n || '\n' || '{text}'), 'pending', 'benchmark', \
                 {then}, {then}"
            ),
            0,
        );
        add(
            codes,
            "INSERT INTO activation_codes (id, tenant_id, code_digest, key_id, hint, max_uses, batch_id, created_at, updated_at)",
            &format!("{id}, {owner}, {new}, '{key}', substr('0000' || (n % 10000), -4), 1, {plan}, {then}, {then}"),
            0,
        );
        add(
            challenges,
            "INSERT INTO otp_challenges (id, tenant_id, code_mac, key_id, purpose, strength, expires_at, created_at)",
            &format!("{id}, {owner}, {new}, '{key}', '{purpose}', '{strength}', {tomorrow}, {then}"),
            0,
        );
        statements
    }
}
