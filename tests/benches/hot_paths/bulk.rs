//! Many codes at once: the server's answer as CSV against what only writes rows.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{Connection as _, SqliteConnection, types::Uuid};
use tenantry_domain::{Clock as _, Entropy as _, Id, SystemClock, SystemEntropy, Tenant};
use tenantry_tests::{DatabaseKind, Server, World};

use crate::{
    bare::{self, said},
    fill::row_id,
    pgbench, sql,
    value::{hex, moment},
};

/// Rows of a transaction on SQLite.
const TRANSACTION: usize = 10_000;

/// Has the server issue codes, and gives how long it took.
pub async fn by_server(world: &World, server: &Server, count: usize) -> Result<Duration, String> {
    let tenant = Id::<Tenant>::from_uuid(row_id(0));
    let path = format!("/api/admin/tenants/{tenant}/codes");
    let request =
        world.admin(server).request(reqwest::Method::POST, &path).header("accept", "text/csv").json(&json!({ "count": count }));
    let began = Instant::now();
    let mut answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let mut lines = 0;
    while let Some(part) = answer.chunk().await.map_err(|error| error.to_string())? {
        lines += part.iter().filter(|&&byte| byte == b'\n').count();
    }
    let took = began.elapsed();
    if lines == count + 1 { Ok(took) } else { Err(format!("{lines} lines with status {status}")) }
}

/// A code as a row, its texts made before time is taken.
struct Row {
    id: Uuid,
    digest: [u8; 32],
    hint: String,
}

fn rows(count: usize) -> Vec<Row> {
    let row = |number| {
        let mut digest = [0; 32];
        SystemEntropy.fill(&mut digest);
        let id = Id::<Tenant>::generate(SystemClock.now(), &SystemEntropy).uuid();
        Row { id, digest, hint: format!("{:04}", number % 10_000) }
    };
    (0..count).map(row).collect()
}

/// Writes as many rows to the limit's database by what is fastest there, and gives how long it took.
pub async fn by_limit(kind: DatabaseKind, url: &str, count: usize) -> Result<Duration, String> {
    let (rows, now) = (rows(count), moment(SystemClock.now().unix_micros()));
    match kind {
        DatabaseKind::Postgres => copy(url, &rows, &now),
        DatabaseKind::Sqlite => insert(url, &rows, &now).await,
    }
}

/// `\copy` by psql, which tells the time.
fn copy(url: &str, rows: &[Row], now: &str) -> Result<Duration, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, script) = (folder.path().join("codes"), folder.path().join("copy.sql"));
    let (tenant, batch) = (row_id(0), row_id(1));
    let mut text = String::new();
    for Row { id, digest, hint } in rows {
        writeln!(text, "{id}\t{tenant}\t\\\\x{}\tbench\t{hint}\t1\t{batch}\t{now}\t{now}", hex(digest)).expect("a text can grow");
    }
    fs::write(&file, text).expect("a temporary file");
    let columns = "id, tenant_id, code_digest, key_id, hint, max_uses, batch_id, created_at, updated_at";
    let copy = format!("\\timing on\n\\copy activation_codes ({columns}) from '{}'\n", file.display());
    fs::write(&script, copy).expect("a temporary file");
    let mut psql = pgbench::program("psql");
    let said = pgbench::said(psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&script).arg(url))?;
    let milliseconds = said.lines().find_map(|line| line.strip_prefix("Time: ")?.split(' ').next()?.parse::<f64>().ok());
    milliseconds.map(|ms| Duration::from_secs_f64(ms / 1_000.0)).ok_or_else(|| format!("psql says nothing of the time: {said}"))
}

/// The server's statement by the bare driver, in large transactions.
async fn insert(url: &str, rows: &[Row], now: &str) -> Result<Duration, String> {
    let mut connection = SqliteConnection::connect_with(&bare::options(url)).await.map_err(said)?;
    let parts = rows.chunks(TRANSACTION / 2).map(|rows| {
        let keys: Vec<u8> = rows.iter().flat_map(|row| [row.id.as_bytes().as_slice(), &row.digest].concat()).collect();
        let rest: Vec<_> = rows.iter().map(|row| json!(["bench", row.hint, null, 1, null])).collect();
        (keys, serde_json::Value::Array(rest).to_string())
    });
    let parts: Vec<_> = parts.collect();
    let began = Instant::now();
    for parts in parts.chunks(2) {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(said)?;
        for (keys, rest) in parts {
            let insert = sqlx::query(sql::INSERT_CODES).bind(row_id(0)).bind(row_id(1)).bind(now).bind(keys).bind(rest);
            insert.execute(&mut *transaction).await.map_err(said)?;
        }
        transaction.commit().await.map_err(said)?;
    }
    let took = began.elapsed();
    connection.close().await.map_err(said)?;
    Ok(took)
}
