mod silent;

use std::time::Duration;

use sea_orm::Statement;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_millis(200);

fn pool(folder: &TempDir, most: usize) -> Pool {
    let options = SqliteConnectOptions::new().filename(folder.path().join("a.db")).create_if_missing(true);
    Pool::new(Source::Sqlite(options), most, PATIENCE)
}

async fn count(pool: &Pool) -> i64 {
    let count = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM things");
    let row = Pooled { pool: pool.clone(), session_pages: None, direct: None }.fetch_one(count).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn no_more_are_open_than_there_may_be_and_who_waits_too_long_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 2);
    let lent = [pool.lend().await.unwrap(), pool.lend().await.unwrap()];
    assert_eq!(pool.figures(), [2, 2, 0]);
    assert!(matches!(pool.lend().await, Err(sqlx::Error::PoolTimedOut)));
    drop(lent);
    assert_eq!(pool.figures(), [2, 2, 2]);
    pool.lend().await.unwrap().lost();
    assert_eq!(pool.figures(), [2, 1, 1]);
    pool.shared.forget_idle();
    assert_eq!(pool.figures(), [2, 0, 0]);
    drop([pool.lend().await.unwrap(), pool.lend().await.unwrap()]);
    pool.close().await;
    assert_eq!(pool.figures(), [2, 0, 0]);
    assert!(matches!(pool.lend().await, Err(sqlx::Error::PoolClosed)));
}

#[tokio::test]
async fn what_its_user_left_in_the_middle_is_undone_before_the_next_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 1);
    pool.write(&Statement::from_string(DbBackend::Sqlite, "CREATE TABLE things (name text)")).await.unwrap();
    let mut left = pool.begin("BEGIN").await.unwrap();
    let insert = Statement::from_string(DbBackend::Sqlite, "INSERT INTO things VALUES ('left')");
    assert_eq!(left.execute(insert).await.unwrap(), 1);
    drop(left);
    assert_eq!(count(&pool).await, 0);
    assert_eq!(pool.figures(), [1, 1, 1]);
}

/// A connection whose runtime is gone would fail whoever has it next.
#[tokio::test]
async fn a_connection_goes_with_the_thread_that_looks_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 1);
    let (gone, here) = (Arc::new(()), RuntimeHandle::current().id());
    for (thread, fit) in [(Arc::downgrade(&gone), true), (Weak::new(), false)] {
        let place = pool.shared.choose().err().unwrap();
        let mut kept = place.open().await.unwrap();
        kept.home = Home { runtime: Some(here), thread };
        assert_eq!(kept.is_fit().await, fit);
    }
}
