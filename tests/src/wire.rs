//! A look at the wire between the server and PostgreSQL: which statements a request runs, with which values, what each comes to, and how
//! often the server waits for an answer.
//!
//! A proxy passes the bytes on and reads along. In the protocol's extended form a statement is parsed once under a name and bound by that
//! name from then on; a `Sync` is where the client waits.
//!
//! It can also do what wires do: break, before a statement or before its answer; and lead to another server, as a balancer's do after a
//! failover.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::DatabaseUrl;

const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// What a client did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The statements that ran, in order, in one line each.
    pub statements: Vec<String>,
    /// The values of each.
    pub values: Vec<Vec<Bound>>,
    /// The rows that each answered or wrote.
    pub rows: Vec<u64>,
    /// How often the client waited for an answer.
    pub round_trips: usize,
}

/// A value of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The number of PostgreSQL's type; 0 where the client doesn't say.
    pub kind: u32,
    /// In the binary form of that type; `None` is null.
    pub bytes: Option<Vec<u8>>,
}

impl Traffic {
    /// How many of the statements are commits.
    pub fn commits(&self) -> usize {
        self.statements.iter().filter(|statement| *statement == "COMMIT").count()
    }
}

/// Where a connection breaks, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the statement reaches PostgreSQL.
    Before,
    /// Once PostgreSQL has carried it out, before its answer is passed on.
    After,
}

/// A running proxy. It ends with the runtime.
pub struct Wire {
    /// Where clients connect.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    seen: Mutex<Traffic>,
    cut: Mutex<Option<Order>>,
}

/// An order to break the connection that runs statements with these parts in their texts, one after the other, at the last of them.
struct Order {
    at: Cut,
    parts: Vec<String>,
    /// How far each connection has come, by its client's address.
    progress: HashMap<SocketAddr, usize>,
}

impl Shared {
    /// Whether a connection is to break at this statement. An order holds for one.
    fn cut_at(&self, connection: SocketAddr, statement: &str) -> Option<Cut> {
        let mut cut = self.cut.lock().expect("no reader panics");
        let Order { parts, progress, .. } = cut.as_mut()?;
        let progress = progress.entry(connection).or_default();
        *progress += usize::from(statement.contains(parts[*progress].as_str()));
        let reached = *progress == parts.len();
        cut.take_if(|_| reached).map(|order| order.at)
    }
}

impl Wire {
    /// Listens on a port of its own, and passes every connection on to the server of `database`.
    pub async fn to(database: &DatabaseUrl) -> Self {
        let shared = Arc::new(Shared { server: Mutex::new(address_of(database)), seen: Mutex::default(), cut: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let wire = Self { address, shared: Arc::clone(&shared) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = *shared.server.lock().expect("no reader panics");
                // Where there is no server, the client is hung up on.
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let shared = Arc::clone(&shared);
                // It ends with an error when either side hangs up.
                tokio::spawn(async move { connect(client, server, shared).await.ok() });
            }
        });
        wire
    }

    /// From now on new connections lead to the server of `database`. Those that are open stay where they are.
    pub fn lead_to(&self, database: &DatabaseUrl) {
        *self.shared.server.lock().expect("no reader panics") = address_of(database);
    }

    /// Breaks the connection that next runs statements with these `parts` in their texts, one after the other, at the last of them.
    pub fn cut(&self, at: Cut, parts: &[&str]) {
        let parts = parts.iter().map(|&part| part.to_owned()).collect();
        *self.shared.cut.lock().expect("no reader panics") = Some(Order { at, parts, progress: HashMap::new() });
    }

    /// Whether the last order to cut was carried out.
    pub fn was_cut(&self) -> bool {
        self.shared.cut.lock().expect("no reader panics").is_none()
    }

    /// The address of a database, by way of this proxy.
    pub fn url(&self, database: &DatabaseUrl) -> String {
        let host = host_of(database);
        database.as_str().replacen(host, &self.address.to_string(), 1)
    }

    /// What was seen since the last call.
    pub fn take(&self) -> Traffic {
        std::mem::take(&mut *self.shared.seen.lock().expect("no reader panics"))
    }
}

fn host_of(database: &DatabaseUrl) -> &str {
    database.as_str().split(['@', '/']).rev().nth(1).expect("a URL of PostgreSQL")
}

fn address_of(database: &DatabaseUrl) -> SocketAddr {
    host_of(database).parse().expect("an address")
}

async fn connect(mut client: TcpStream, mut server: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    // What comes before the first typed message: perhaps a question for TLS, which is answered by a letter, then the start-up.
    while message(&mut client, None, &mut server).await? == SSL_REQUEST {
        let letter = server.read_u8().await?;
        client.write_u8(letter).await?;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let broken = Arc::new(AtomicBool::new(false));
    let (answers, breaks) = (Arc::clone(&shared), Arc::clone(&broken));
    tokio::spawn(async move { read_answers(from_server, to_client, &answers.seen, &breaks).await.ok() });
    read_questions(from_client, to_server, &shared, &broken).await
}

async fn read_questions(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    shared: &Shared,
    broken: &AtomicBool,
) -> io::Result<()> {
    let connection = client.peer_addr()?;
    let mut prepared = HashMap::new();
    // What was bound since the last round trip: noted with it, so that whoever looks sees both or neither.
    let mut bound_since = Vec::new();
    loop {
        let kind = client.read_u8().await?;
        // What is asked is noted before PostgreSQL hears of it.
        let body = read_message(&mut client).await?;
        let mut rest = body.as_slice();
        let before = bound_since.len();
        match kind {
            b'Q' => bound_since.push((one_line(&text(&mut rest)), Vec::new())),
            b'P' => {
                let (name, sql) = (text(&mut rest), one_line(&text(&mut rest)));
                let kinds: Vec<u32> = (0..short(&mut rest)).map(|_| long(&mut rest)).collect();
                prepared.insert(name, (sql, kinds));
            }
            b'B' => {
                let (_portal, name) = (text(&mut rest), text(&mut rest));
                let (sql, kinds) = prepared.get(&name).cloned().unwrap_or_default();
                bound_since.push((sql, bound(rest, &kinds)));
            }
            _ => {}
        }
        match bound_since.get(before).and_then(|(statement, _)| shared.cut_at(connection, statement)) {
            Some(Cut::Before) => return Ok(()),
            Some(Cut::After) => broken.store(true, Ordering::SeqCst),
            None => {}
        }
        if matches!(kind, b'Q' | b'S') {
            let mut seen = shared.seen.lock().expect("no reader panics");
            for (statement, values) in bound_since.drain(..) {
                seen.statements.push(statement);
                seen.values.push(values);
            }
            seen.round_trips += 1;
        }
        write_message(Some(kind), &body, &mut server).await?;
    }
}

async fn read_answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    seen: &Mutex<Traffic>,
    broken: &AtomicBool,
) -> io::Result<()> {
    loop {
        let kind = server.read_u8().await?;
        // What is complete is noted before the client hears of it.
        let body = read_message(&mut server).await?;
        if kind == b'C' {
            let tag = text(&mut body.as_slice());
            let rows = tag.rsplit(' ').next().and_then(|rows| rows.parse().ok());
            seen.lock().expect("no reader panics").rows.push(rows.unwrap_or_default());
        }
        // PostgreSQL is done with what it was asked for, and the client never hears of it.
        match broken.load(Ordering::SeqCst) {
            true if kind == b'Z' => return Ok(()),
            true => {}
            false => write_message(Some(kind), &body, &mut client).await?,
        }
    }
}

/// The values of a `Bind`, behind its two names. sqlx sends all of them in the binary form.
fn bound(mut rest: &[u8], kinds: &[u32]) -> Vec<Bound> {
    for _ in 0..short(&mut rest) {
        short(&mut rest);
    }
    let count = usize::from(short(&mut rest));
    let value = |place: usize| {
        // A length of -1 is that of a null.
        let length = usize::try_from(long(&mut rest).cast_signed()).ok();
        let bytes = length.map(|length| {
            let (bytes, after) = rest.split_at(length);
            rest = after;
            bytes.to_vec()
        });
        Bound { kind: kinds.get(place).copied().unwrap_or_default(), bytes }
    };
    (0..count).map(value).collect()
}

async fn message<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(from: &mut R, kind: Option<u8>, to: &mut W) -> io::Result<Vec<u8>> {
    let body = read_message(from).await?;
    write_message(kind, &body, to).await?;
    Ok(body)
}

async fn read_message<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut body = vec![0; (length as usize).saturating_sub(4)];
    from.read_exact(&mut body).await?;
    Ok(body)
}

async fn write_message<W: AsyncWrite + Unpin>(kind: Option<u8>, body: &[u8], to: &mut W) -> io::Result<()> {
    let length = u32::try_from(body.len() + 4).expect("a message is short");
    let bytes: Vec<u8> = kind.into_iter().chain(length.to_be_bytes()).chain(body.iter().copied()).collect();
    to.write_all(&bytes).await
}

fn text(rest: &mut &[u8]) -> String {
    let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
    let text = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = rest.get(end + 1..).unwrap_or_default();
    text
}

fn short(rest: &mut &[u8]) -> u16 {
    let (number, after) = rest.split_first_chunk().expect("a number of two bytes");
    *rest = after;
    u16::from_be_bytes(*number)
}

fn long(rest: &mut &[u8]) -> u32 {
    let (number, after) = rest.split_first_chunk().expect("a number of four bytes");
    *rest = after;
    u32::from_be_bytes(*number)
}

/// A statement's text with every run of white space as one blank.
fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
