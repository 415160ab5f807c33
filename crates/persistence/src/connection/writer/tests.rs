mod folding;
mod scripts;

use std::time::Duration;

use futures_util::{FutureExt as _, future::join_all};
use sea_orm::{DbBackend, Statement};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use tempfile::TempDir;

use super::*;
use crate::connection::{Connection as _, SQLITE_PAGE};

struct Bench {
    folder: TempDir,
    writer: Writer,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(options(&folder), Duration::from_secs(5));
        let bench = Self { folder, writer };
        let mut tx = bench.writer.begin().await.unwrap();
        run(&mut tx, "CREATE TABLE things (name text PRIMARY KEY, like_thing text REFERENCES things (name))").await.unwrap();
        tx.commit().await.unwrap();
        bench
    }

    async fn groups(&self) -> u64 {
        self.writer.desk.lock().await.groups
    }

    /// What others see.
    async fn things(&self) -> i64 {
        let mut reader = Raw::open(&Source::Sqlite(options(&self.folder))).await.unwrap();
        let count = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM things");
        reader.fetch_one(&count).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }
}

fn options(folder: &TempDir) -> SqliteConnectOptions {
    let file = folder.path().join("a.db");
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).page_size(SQLITE_PAGE);
    options.journal_mode(SqliteJournalMode::Wal).foreign_keys(true)
}

/// A writer that folds nothing by itself, and that another process keeps waiting for a moment at the most.
fn writer(options: SqliteConnectOptions, patience: Duration) -> Writer {
    let busy = Duration::from_millis(20);
    let direct = DirectSource::new(&options, busy).set("wal_autocheckpoint", "0");
    Writer::new(options.busy_timeout(busy).pragma("wal_autocheckpoint", "0"), direct, patience)
}

async fn run(tx: &mut OpenTransaction, text: &str) -> sqlx::Result<u64> {
    tx.execute(Statement::from_string(DbBackend::Sqlite, text)).await
}

async fn add(tx: &mut OpenTransaction, name: &str) {
    run(tx, &format!("INSERT INTO things VALUES ('{name}', NULL)")).await.unwrap();
}

/// A script that adds a thing.
fn adding(name: &str) -> Statement {
    Statement::from_string(DbBackend::Sqlite, format!("INSERT INTO things VALUES ('{name}', NULL); SELECT 1"))
}

#[tokio::test]
async fn those_who_wait_are_committed_together() {
    let bench = Bench::new().await;
    let before = bench.groups().await;
    let all = (0..64).map(async |number| {
        let mut tx = bench.writer.begin().await.unwrap();
        add(&mut tx, &number.to_string()).await;
        tx.commit().await.unwrap();
    });
    join_all(all).await;
    let groups = bench.groups().await - before;
    assert!(groups < 64, "{groups} commits for 64 transactions");
    assert_eq!(bench.things().await, 64);
}

#[tokio::test]
async fn nobody_is_told_before_the_commit() {
    let bench = Bench::new().await;
    let mut first = bench.writer.begin().await.unwrap();
    add(&mut first, "first").await;
    let mut second = Box::pin(bench.writer.begin());
    assert!((&mut second).now_or_never().is_none(), "it waits for its turn");
    let mut told = Box::pin(first.commit());
    let mut second = loop {
        assert!((&mut told).now_or_never().is_none(), "the second turn is before the commit");
        if let Some(second) = (&mut second).now_or_never() {
            break second.unwrap();
        }
        tokio::task::yield_now().await;
    };
    add(&mut second, "second").await;
    assert!((&mut told).now_or_never().is_none());
    assert_eq!(bench.things().await, 0, "nothing is committed yet");
    second.commit().await.unwrap();
    told.await.unwrap();
    assert_eq!(bench.things().await, 2);
}

#[tokio::test]
async fn a_turn_that_is_dropped_undoes_itself_alone() {
    let bench = Bench::new().await;
    let turns = (0..30).map(async |number| {
        let mut tx = bench.writer.begin().await.unwrap();
        add(&mut tx, &number.to_string()).await;
        if number % 3 == 0 {
            drop(tx);
        } else {
            tx.commit().await.unwrap();
        }
    });
    join_all(turns).await;
    assert_eq!(bench.things().await, 20);
    // One that nobody follows lets the file go, too.
    let mut tx = bench.writer.begin().await.unwrap();
    add(&mut tx, "dropped").await;
    drop(tx);
    let begin = async { Raw::open(&Source::Sqlite(options(&bench.folder))).await.unwrap().run("BEGIN IMMEDIATE").await };
    begin.await.unwrap();
}

#[tokio::test]
async fn a_group_that_cannot_be_committed_tells_all_of_it() {
    let bench = Bench::new().await;
    let turns = (0..8).map(async |number| {
        let mut tx = bench.writer.begin().await.unwrap();
        if number == 5 {
            run(&mut tx, "PRAGMA defer_foreign_keys = ON").await.unwrap();
            run(&mut tx, "INSERT INTO things VALUES ('astray', 'nothing')").await.unwrap();
        } else {
            add(&mut tx, &number.to_string()).await;
        }
        tx.commit().await.is_ok()
    });
    let told = join_all(turns).await;
    assert!(!told[5], "it was told so");
    let committed = told.iter().filter(|&&committed| committed).count();
    assert_eq!(
        bench.things().await,
        i64::try_from(committed).unwrap(),
        "what was told to be committed is there, and nothing else"
    );
    let mut tx = bench.writer.begin().await.unwrap();
    add(&mut tx, "after").await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_in_its_turn_keeps_nobody_waiting() {
    let bench = Bench::new().await;
    for patience in [0, 1, 2, 5, 20, 100, 400] {
        let turn = async {
            let mut tx = bench.writer.begin().await.unwrap();
            add(&mut tx, &format!("cut off after {patience}")).await;
            tx.commit().await.unwrap();
        };
        let cut_off = time::timeout(Duration::from_micros(patience * 10), turn).await.is_err();
        let mut tx = bench.writer.begin().await.unwrap();
        add(&mut tx, &format!("after {patience}, {cut_off}")).await;
        tx.commit().await.unwrap();
    }
    let things = bench.things().await;
    assert!((7..=14).contains(&things), "{things}");
}
