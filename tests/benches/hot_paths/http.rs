//! A lean HTTP/1.1 client: it shares the processors with what it measures, so it does nothing but write a prepared request and read the
//! answer's status and body.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection that is kept open between requests.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, valid until the next request.
pub struct Reply<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a whole request, and reads the whole answer, which must say its length.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.read_some().await?;
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let status = number(self.buffer.get(9..12)).ok_or_else(|| unreadable("no status"))?;
        let length = content_length(&self.buffer[..head]).ok_or_else(|| unreadable("no Content-Length"))?;
        while self.buffer.len() < head + length {
            self.read_some().await?;
        }
        Ok(Reply { status, body: &self.buffer[head..head + length] })
    }

    async fn read_some(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// A GET with a session's token.
pub fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nuser-agent: {USER_AGENT}\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// A GET of a console's page, with a session's cookie.
pub fn get_page(path: &str, cookie: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nuser-agent: {USER_AGENT}\r\ncookie: {cookie}\r\n\r\n").into_bytes()
}

/// A POST of JSON, with a session's token or without.
pub fn post(path: &str, token: Option<&str>, json: &str) -> Vec<u8> {
    let bearer = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = json.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nuser-agent: {USER_AGENT}\r\n{bearer}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{json}"
    )
    .into_bytes()
}

/// What the requests call themselves; sessions keep it.
pub const USER_AGENT: &str = "hot_paths";

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";

    let mut lines = head.split(|&byte| byte == b'\n');
    let line = lines.find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))?;
    number(line.get(NAME.len()..))
}

fn number<T: std::str::FromStr>(bytes: Option<&[u8]>) -> Option<T> {
    std::str::from_utf8(bytes?).ok()?.trim().parse().ok()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
