use std::{cell::Cell, os::unix::fs::symlink};

use futures_util::future;

use super::*;

/// A writer that leaves its log to who folds it.
async fn writer_with_a_long_log(options: SqliteConnectOptions) -> Writer {
    let writer = writer(options, Duration::from_secs(5));
    let mut tx = writer.begin().await.unwrap();
    run(&mut tx, "CREATE TABLE pages (number integer PRIMARY KEY, content blob)").await.unwrap();
    tx.commit().await.unwrap();
    writer
}

/// Writes 4 MB.
fn many_pages() -> Statement {
    let text = "INSERT INTO pages (content) WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
        SELECT randomblob(4000) FROM n; SELECT 1";
    Statement::from_string(DbBackend::Sqlite, text)
}

fn size(bench: &Bench, file: &str) -> u64 {
    bench.folder.path().join(file).metadata().unwrap().len()
}

/// Waits until the file has what was written since it was so large.
async fn is_folded(bench: &Bench, before: u64) {
    let folded = async {
        while size(bench, "a.db") < before + 16_000_000 {
            time::sleep(Duration::from_millis(10)).await;
        }
    };
    time::timeout(Duration::from_secs(20), folded).await.expect("the file has what was written");
}

#[tokio::test]
async fn the_log_is_folded_into_the_file_though_nobody_writes_any_more() {
    let bench = Bench::new().await;
    let writer = writer_with_a_long_log(options(&bench.folder)).await;
    // Each writes 48 MB, and less than 32 aren't worth it.
    for by_scripts in [true, false] {
        let before = size(&bench, "a.db");
        for _ in 0..12 {
            if by_scripts {
                writer.script(many_pages()).await.unwrap();
            } else {
                let mut tx = writer.begin().await.unwrap();
                run(&mut tx, &many_pages().sql.replace("; SELECT 1", "")).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
        is_folded(&bench, before).await;
    }
    writer.close().await;
    assert!(matches!(writer.script(adding("late")).await, Err(sqlx::Error::PoolClosed)));
    writer.fold_soon();
    time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.things().await, 0);
}

#[tokio::test]
async fn the_log_is_folded_where_the_file_is_known_by_a_link() {
    let (bench, elsewhere) = (Bench::new().await, tempfile::tempdir().unwrap());
    let link = elsewhere.path().join("link.db");
    symlink(bench.folder.path().join("a.db"), &link).unwrap();
    let writer = writer_with_a_long_log(options(&bench.folder).filename(link)).await;
    let before = size(&bench, "a.db");
    for _ in 0..12 {
        writer.script(many_pages()).await.unwrap();
    }
    is_folded(&bench, before).await;
    writer.close().await;
}

#[tokio::test]
async fn the_log_stays_short_while_others_keep_writing() {
    let bench = Bench::new().await;
    let writer = writer_with_a_long_log(options(&bench.folder)).await;
    let done = Cell::new(false);
    let much = async {
        for _ in 0..40 {
            writer.script(many_pages()).await.unwrap();
            // However slow the disk is: what is written now is folded before the next.
            time::sleep(Duration::from_millis(60)).await;
            drop(writer.folder.connection.lock().await);
        }
        done.set(true);
    };
    let little = async {
        for number in 0.. {
            writer.script(adding(&number.to_string())).await.unwrap();
            if done.get() {
                break;
            }
        }
    };
    future::join(much, little).await;
    let log = size(&bench, "a.db-wal");
    assert!(log < 80_000_000, "160 MB were written, and the log has {log} bytes");
}
