use std::cell::Cell;

use futures_util::future;

use super::*;
use crate::row::Columns as _;

#[tokio::test]
async fn a_script_that_fails_in_its_middle_leaves_nothing() {
    let bench = Bench::new().await;
    let script = async |name: &str, broken: &str| {
        let text = format!(
            "INSERT INTO things VALUES ('{name}', NULL); INSERT INTO things SELECT '{name} too', NULL {broken}; SELECT 1"
        );
        bench.writer.script(Statement::from_string(DbBackend::Sqlite, text)).await
    };
    let turns = (0..20).map(async |number| match number % 4 {
        // A breach of the primary key.
        0 => assert!(script(&number.to_string(), "UNION ALL SELECT 'twice', NULL UNION ALL SELECT 'twice', NULL").await.is_err()),
        1 => {
            let nothing = Statement::from_string(DbBackend::Sqlite, "SELECT 1 WHERE false");
            assert!(bench.writer.script(nothing).await.unwrap().is_none());
        }
        _ => assert!(script(&number.to_string(), "").await.unwrap().is_some()),
    });
    join_all(turns).await;
    assert_eq!(bench.things().await, 20);
    let begin = async { Raw::open(&Source::Sqlite(options(&bench.folder))).await.unwrap().run("BEGIN IMMEDIATE").await };
    begin.await.unwrap();
}

/// Adds a thing if it may, and answers its name; nothing else of it differs between two such scripts.
fn named(name: &str, may: bool) -> Statement {
    let text = "INSERT INTO things SELECT $2, NULL WHERE $1; SELECT name, $1 FROM things WHERE name = $2";
    Statement::from_sql_and_values(DbBackend::Sqlite, text, [may.into(), name.into()])
}

#[tokio::test]
async fn scripts_that_wait_are_one_transaction_and_each_has_its_own_answer() {
    let bench = Bench::new().await;
    for count in [1, 2, 7, 15, 32, 64] {
        let before = bench.groups().await;
        let desk = Arc::clone(&bench.writer.desk).lock_owned().await;
        let all = (0..count).map(async |number| {
            let (name, may) = (format!("{number} of {count}"), number % 5 != 1);
            // Two texts, so that they are brought into another order.
            let mut script = named(&name, may);
            if number % 3 == 0 {
                script.sql.push_str(" LIMIT 1");
            }
            let row = bench.writer.script(script).await.unwrap();
            assert_eq!(row.map(|row| row.get::<String>(0).unwrap()), may.then_some(name));
        });
        future::join(join_all(all), async { drop(desk) }).await;
        assert_eq!(bench.groups().await - before, if count == 64 { 2 } else { 1 }, "{count} scripts");
    }
    assert_eq!(bench.things().await, 1 + 1 + 5 + 12 + 25 + 51);
}

#[tokio::test]
async fn a_script_that_fails_takes_no_other_with_it() {
    let bench = Bench::new().await;
    let all = (0..20).map(async |number: i32| {
        // The sixth and the seventeenth have names that are given out before.
        let name = if number % 11 == 6 { "2".to_owned() } else { number.to_string() };
        bench.writer.script(named(&name, true)).await
    });
    for (number, answer) in (0..).zip(join_all(all).await) {
        if number % 11 == 6 {
            let failure = answer.err().map(|failure| failure.to_string());
            assert!(failure.as_ref().is_some_and(|failure| failure.contains("UNIQUE")), "{failure:?}");
        } else {
            assert!(answer.unwrap().is_some(), "{number}");
        }
    }
    assert_eq!(bench.things().await, 18);
}

#[tokio::test]
async fn scripts_commit_the_turns_before_them() {
    let bench = Bench::new().await;
    let mut turn = bench.writer.begin().await.unwrap();
    add(&mut turn, "turn").await;
    let script = bench.writer.script(named("script", true));
    let (committed, row) = future::join(turn.commit(), script).await;
    committed.unwrap();
    assert!(row.unwrap().is_some());
    assert_eq!(bench.things().await, 2);
    let all = (0..30).map(async |number| {
        let name = number.to_string();
        if number % 10 == 5 {
            let mut tx = bench.writer.begin().await.unwrap();
            add(&mut tx, &name).await;
            tx.commit().await.unwrap();
        } else {
            assert!(bench.writer.script(named(&name, true)).await.unwrap().is_some());
        }
    });
    join_all(all).await;
    assert_eq!(bench.things().await, 32);
}

#[test]
fn scripts_of_a_runtime_that_is_gone_are_told_so() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let bench = first.block_on(Bench::new());
    let turn = first.block_on(bench.writer.begin()).unwrap();
    let mut waiting = Box::pin(bench.writer.script(named("waits", true)));
    assert!(first.block_on(async { (&mut waiting).now_or_never() }).is_none());
    drop(first);
    drop(turn);
    runtime().block_on(async {
        for told in [waiting.await, bench.writer.script(named("comes too late", true)).await] {
            assert!(matches!(told, Err(sqlx::Error::WorkerCrashed)), "{told:?}");
        }
    });
}

#[tokio::test]
async fn a_script_of_many_pages_is_undone() {
    let bench = Bench::new().await;
    let mut tx = bench.writer.begin().await.unwrap();
    let names =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000) SELECT 'thing ' || n, NULL FROM n";
    run(&mut tx, &format!("INSERT INTO things {names}")).await.unwrap();
    tx.commit().await.unwrap();
    let scripts = (0..8).map(async |number| {
        // Those that are even change every page, and then add what is there.
        let (changed, added) = if number % 2 == 0 { ("true".to_owned(), 1) } else { (format!("name = 'thing {number}'"), 6000) };
        let text = format!(
            "UPDATE things SET like_thing = 'thing {number}' WHERE {changed};
            INSERT INTO things VALUES ('thing {}', NULL); SELECT 1",
            added + number
        );
        bench.writer.script(Statement::from_string(DbBackend::Sqlite, text)).await.is_ok()
    });
    assert_eq!(join_all(scripts).await, [false, true, false, true, false, true, false, true]);
    assert_eq!(bench.things().await, 5_004);
    let liked = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM things WHERE like_thing IS NOT NULL");
    let mut reader = Raw::open(&Source::Sqlite(options(&bench.folder))).await.unwrap();
    assert_eq!(reader.fetch_one(&liked).await.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap(), 4);
}

#[tokio::test]
async fn scripts_that_keep_coming_let_a_turn_between_them() {
    let bench = Bench::new().await;
    let (more, turns) = (Cell::new(true), Cell::new(0));
    let scripts = (0..400).map(async |number| {
        let mut count = 0;
        while more.get() {
            assert!(bench.writer.script(adding(&format!("{number}, {count}"))).await.unwrap().is_some());
            count += 1;
        }
        count
    });
    let turn = async {
        for number in 0..5 {
            let mut tx = bench.writer.begin().await.unwrap();
            add(&mut tx, &format!("turn {number}")).await;
            tx.commit().await.unwrap();
            turns.set(number + 1);
        }
        more.set(false);
    };
    let both = future::join(join_all(scripts), turn);
    let (added, ()) = time::timeout(Duration::from_secs(20), both).await.unwrap_or_else(|_| panic!("{} turns", turns.get()));
    assert_eq!(bench.things().await, added.iter().sum::<i64>() + 5);
}

#[tokio::test]
async fn a_script_that_waits_too_long_or_whose_client_went_away_is_not_run() {
    let bench = Bench::new().await;
    let writer = writer(options(&bench.folder), Duration::from_millis(50));
    let mut tx = writer.begin().await.unwrap();
    let late = writer.script(adding("late")).await;
    assert!(matches!(late, Err(sqlx::Error::PoolTimedOut)), "{late:?}");
    assert!((&mut Box::pin(writer.script(adding("gone")))).now_or_never().is_none());
    add(&mut tx, "turn").await;
    tx.commit().await.unwrap();
    assert!(writer.script(adding("last")).await.unwrap().is_some());
    assert_eq!(bench.things().await, 2, "the turn's and the last one's");
}

#[tokio::test]
async fn a_script_that_another_process_kept_waiting_too_long_leaves_the_next_one_alone() {
    let bench = Bench::new().await;
    let writer = writer(options(&bench.folder), Duration::from_secs(5));
    assert!(writer.script(adding("before")).await.is_ok());
    let mut other = Raw::open(&Source::Sqlite(options(&bench.folder))).await.unwrap();
    other.run("BEGIN IMMEDIATE").await.unwrap();
    for name in ["first", "second"] {
        assert!(writer.script(adding(name)).await.is_err());
    }
    other.run("ROLLBACK").await.unwrap();
    assert!(writer.script(adding("after")).await.unwrap().is_some());
    assert_eq!(bench.things().await, 2);
}
