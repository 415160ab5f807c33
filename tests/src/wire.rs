//! A look at the wire between the server and PostgreSQL: which statements a request runs, and how often it waits for an answer.
//!
//! A proxy passes the bytes on and reads the client's half of the protocol. In its extended form a statement is parsed once under a name
//! and bound by that name from then on; a `Sync` is where the client waits.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
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
    /// How often the client waited for an answer.
    pub round_trips: usize,
}

impl Traffic {
    /// How many of the statements are commits.
    pub fn commits(&self) -> usize {
        self.statements.iter().filter(|statement| *statement == "COMMIT").count()
    }
}

/// A running proxy. It ends with the runtime.
pub struct Wire {
    /// Where clients connect.
    pub address: SocketAddr,
    seen: Arc<Mutex<Traffic>>,
}

impl Wire {
    /// Listens on a port of its own, and passes every connection on to the server of `database`.
    pub async fn to(database: &DatabaseUrl) -> Self {
        let database: SocketAddr = host_of(database).parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::<Mutex<Traffic>>::default();
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(database).await.expect("PostgreSQL accepts");
                for stream in [&client, &server] {
                    stream.set_nodelay(true).expect("an open connection");
                }
                let ((from_client, mut to_client), (mut from_server, to_server)) = (client.into_split(), server.into_split());
                let seen = Arc::clone(&shared);
                tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
                // It ends with an error when either side hangs up.
                tokio::spawn(async move { pass_on(from_client, to_server, &seen).await.ok() });
            }
        });
        Self { address, seen }
    }

    /// The address of a database, by way of this proxy.
    pub fn url(&self, database: &DatabaseUrl) -> String {
        let host = host_of(database);
        database.as_str().replacen(host, &self.address.to_string(), 1)
    }

    /// What was seen since the last call.
    pub fn take(&self) -> Traffic {
        std::mem::take(&mut *self.seen.lock().expect("no reader panics"))
    }
}

fn host_of(database: &DatabaseUrl) -> &str {
    database.as_str().split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a URL of PostgreSQL")
}

async fn pass_on(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, seen: &Mutex<Traffic>) -> io::Result<()> {
    // What comes before the first typed message: perhaps a question for TLS, then the start-up.
    loop {
        let body = message(&mut client, None, &mut server).await?;
        if body != SSL_REQUEST {
            break;
        }
    }
    let mut prepared = HashMap::new();
    loop {
        let kind = client.read_u8().await?;
        let body = message(&mut client, Some(kind), &mut server).await?;
        let mut seen = seen.lock().expect("no reader panics");
        let mut texts = body.split(|&byte| byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        match kind {
            b'Q' => {
                seen.statements.push(one_line(&texts.next().unwrap_or_default()));
                seen.round_trips += 1;
            }
            b'P' => {
                prepared.insert(texts.next(), one_line(&texts.next().unwrap_or_default()));
            }
            b'B' => {
                let statement = prepared.get(&texts.nth(1)).cloned();
                seen.statements.push(statement.unwrap_or_default());
            }
            b'S' => seen.round_trips += 1,
            _ => {}
        }
    }
}

/// Passes a message on, and gives its body.
async fn message(client: &mut OwnedReadHalf, kind: Option<u8>, server: &mut OwnedWriteHalf) -> io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    let mut body = vec![0; (length as usize).saturating_sub(4)];
    client.read_exact(&mut body).await?;
    let bytes: Vec<u8> = kind.into_iter().chain(length.to_be_bytes()).chain(body.iter().copied()).collect();
    server.write_all(&bytes).await?;
    Ok(body)
}

/// A statement's text with every run of white space as one blank.
fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
