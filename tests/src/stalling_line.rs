//! A line to the mail server of the tests that stalls where it is told to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::mail_server::MailServer;

/// What a line withholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// A message, from its second line on: the mail server waits for the rest.
    Message,
    /// The answer to a message that the mail server has taken.
    Answer,
}

/// Passes SMTP on, command by command, until a message comes: then it stalls. A stalled connection ends with its client.
pub struct StallingLine {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    withholds: Withheld,
    stalls: AtomicBool,
    stalled: AtomicUsize,
}

impl StallingLine {
    /// A line to `server`.
    pub fn to(server: &MailServer, withholds: Withheld) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { server: server.port(), withholds, stalls: AtomicBool::new(true), stalled: AtomicUsize::new(0) });
        let held = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&held);
                // The end of either side ends the connection.
                thread::spawn(move || shared.pass_on(&client));
            }
        });
        Self { port, shared }
    }

    /// For `TENANTRY__MAIL__URL`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Waits until it has stalled.
    pub async fn until_it_stalls(&self, within: Duration) {
        let deadline = Instant::now() + within;
        while self.shared.stalled.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < deadline, "the line has not stalled after {within:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// From now on nothing is withheld any more. What is already stays so.
    pub fn let_through(&self) {
        self.shared.stalls.store(false, Ordering::Relaxed);
    }
}

impl Shared {
    fn pass_on(&self, client: &TcpStream) -> Option<()> {
        let server = TcpStream::connect(("127.0.0.1", self.server)).ok()?;
        let (mut from_client, mut from_server) = (BufReader::new(client), BufReader::new(&server));
        let (mut to_client, mut to_server) = (client, &server);
        to_client.write_all(&answer(&mut from_server)?).ok()?;
        loop {
            let command = line(&mut from_client)?;
            to_server.write_all(&command).ok()?;
            to_client.write_all(&answer(&mut from_server)?).ok()?;
            if command.starts_with(b"DATA") {
                let mut text = line(&mut from_client)?;
                to_server.write_all(&text).ok()?;
                if self.stalls_at(Withheld::Message) {
                    return self.stall(from_client);
                }
                while text != b".\r\n" {
                    text = line(&mut from_client)?;
                    to_server.write_all(&text).ok()?;
                }
                let taken = answer(&mut from_server)?;
                if self.stalls_at(Withheld::Answer) {
                    return self.stall(from_client);
                }
                to_client.write_all(&taken).ok()?;
            }
        }
    }

    fn stalls_at(&self, place: Withheld) -> bool {
        self.withholds == place && self.stalls.load(Ordering::Relaxed)
    }

    /// Says nothing more until the client is gone.
    fn stall(&self, mut client: impl Read) -> Option<()> {
        self.stalled.fetch_add(1, Ordering::Relaxed);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).ok().map(drop)
    }
}

fn line(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    (from.read_until(b'\n', &mut line).ok()? > 0).then_some(line)
}

/// An answer, with all its lines: the last one has a blank behind its number.
fn answer(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        let line = line(from)?;
        answer.extend_from_slice(&line);
        if line.get(3) != Some(&b'-') {
            return Some(answer);
        }
    }
}
