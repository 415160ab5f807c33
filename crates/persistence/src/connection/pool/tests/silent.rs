//! A machine without power: it answers nothing, not even that it is gone.

use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::*;

/// How long a connection is waited for: longer than anything that is to give up by itself.
const FOR_LONG: Duration = Duration::from_secs(20);

const READY: [u8; 6] = *b"Z\0\0\0\x05I";
const AUTHENTICATED: [u8; 9] = *b"R\0\0\0\x08\0\0\0\0";
const DONE: [u8; 9] = *b"C\0\0\0\x08SET\0";

/// As much of PostgreSQL as to open a connection, and to answer commands and pings on it, until it falls silent.
struct Machine {
    pool: Pool,
    shared: Arc<Wires>,
}

#[derive(Default)]
struct Wires {
    opened: AtomicUsize,
    /// So many of the first connections lead to nowhere.
    silent: AtomicUsize,
    unanswered: AtomicUsize,
    asked: Notify,
}

impl Machine {
    async fn with_pool(most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Wires::default());
        let wires = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = wires.opened.fetch_add(1, Ordering::Relaxed);
                // It ends with an error when the client hangs up.
                let wires = Arc::clone(&wires);
                tokio::spawn(async move { wires.serve(client, number).await.ok() });
            }
        });
        let options =
            PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username("me").ssl_mode(PgSslMode::Disable);
        Self { pool: Pool::new(Source::Postgres(options, "SET lock_timeout = 1".to_owned()), most, FOR_LONG), shared }
    }

    /// Connections that are open are lost, and nobody is told. Whoever connects anew finds another machine.
    fn loses_power(&self) {
        self.shared.silent.store(self.shared.opened.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Lets time pass once something was asked and not answered.
    async fn answers_nothing_for(&self, patience: Duration) {
        self.shared.asked.notified().await;
        time::pause();
        time::advance(patience).await;
        time::resume();
    }

    fn unanswered(&self) -> usize {
        self.shared.unanswered.load(Ordering::Relaxed)
    }
}

impl Wires {
    async fn serve(&self, mut client: TcpStream, number: usize) -> std::io::Result<()> {
        message(&mut client).await?;
        client.write_all(&AUTHENTICATED).await?;
        client.write_all(&READY).await?;
        loop {
            let kind = client.read_u8().await?;
            message(&mut client).await?;
            if number < self.silent.load(Ordering::Relaxed) {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                self.asked.notify_one();
                continue;
            }
            if kind == b'Q' {
                client.write_all(&DONE).await?;
            }
            client.write_all(&READY).await?;
        }
    }
}

async fn message(client: &mut TcpStream) -> std::io::Result<()> {
    let length = client.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    client.read_exact(&mut body).await.map(|_| ())
}

#[tokio::test]
async fn one_ping_that_is_not_answered_is_enough_to_connect_anew() {
    let machine = Machine::with_pool(3).await;
    let pool = &machine.pool;
    drop([pool.lend().await.unwrap(), pool.lend().await.unwrap(), pool.lend().await.unwrap()]);
    for kept in &mut pool.shared.shelf().idle {
        kept.used = kept.used.checked_sub(2 * PING_AFTER_IDLE).unwrap();
    }
    machine.loses_power();
    let (lent, ()) = tokio::join!(pool.lend(), machine.answers_nothing_for(PING_PATIENCE));
    lent.unwrap().raw().ping().await.unwrap();
    assert_eq!(machine.unanswered(), 1, "the others lead to the same machine, and go without a ping");
}

#[tokio::test]
async fn a_connection_that_cannot_be_put_in_order_gives_its_place_up() {
    let machine = Machine::with_pool(1).await;
    let pool = &machine.pool;
    let left = pool.begin("BEGIN").await.unwrap();
    machine.loses_power();
    drop(left);
    let (lent, ()) = tokio::join!(pool.lend(), machine.answers_nothing_for(UNDO_PATIENCE));
    lent.unwrap().raw().ping().await.unwrap();
    assert_eq!(machine.unanswered(), 1, "it was to be rolled back");
}
