//! Who receives webhooks: a small HTTP server that keeps what it is sent, and answers as it is told to.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::python;

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The path, with its query.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Received {
    /// The message's identifier.
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// What happened: `project.activated`.
    pub fn event(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

/// A receiver of webhooks on 127.0.0.1, for as long as the test runs.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    received: Vec<Received>,
    /// `None`: requests are taken and never answered.
    status: Option<u16>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Starts a receiver that answers 200.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { received: Vec::new(), status: Some(200) }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || receive(&stream, &state));
            }
        });
        Self { address, state }
    }

    /// For a webhook's `url`.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Answers every request with this status from now on.
    pub fn answer(&self, status: u16) {
        lock(&self.state).status = Some(status);
    }

    /// Answers no request from now on, and leaves its connection open.
    pub fn hang(&self) {
        lock(&self.state).status = None;
    }

    /// All that has arrived, oldest first.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.state).received.clone()
    }

    /// Waits until at least `count` requests have arrived, and gives all of them, oldest first. Panics after `within`.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Vec<Received> {
        let deadline = Instant::now() + within;
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            assert!(Instant::now() < deadline, "{} of {count} requests after {within:?}: {received:#?}", received.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether an outside library takes each for a message that this secret signed; with a body, as if that had arrived.
pub async fn verified(cases: &[(&str, &Received, Option<&str>)]) -> Vec<bool> {
    let cases: Vec<_> = cases
        .iter()
        .map(|(secret, received, body)| {
            json!({ "secret": secret, "headers": received.headers, "body": body.unwrap_or(&received.body) })
        })
        .collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cases.json");
    std::fs::write(&file, Value::from(cases).to_string()).expect("a file");
    let mut command = python::tool("python", folder.path());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/verify_webhooks.py")).arg(&file);
    let output = python::run(command).await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("a list")
}

fn receive(mut stream: &TcpStream, state: &Mutex<State>) {
    let Some(received) = read(stream) else { return };
    let status = {
        let mut state = lock(state);
        state.received.push(received);
        state.status
    };
    match status {
        Some(status) => {
            let _ = write!(stream, "HTTP/1.1 {status} So\r\ncontent-length: 2\r\nlocation: /elsewhere\r\n\r\n{{}}");
        }
        // The other side's end of it, whenever that comes.
        None => drop(stream.read(&mut [0])),
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Received { path, headers, body: String::from_utf8(body).ok()? })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::Receiver;

    #[test]
    fn what_is_sent_is_kept_and_answered_as_told() {
        let receiver = Receiver::start();
        receiver.answer(410);
        let mut stream = std::net::TcpStream::connect(receiver.address).unwrap();
        stream.write_all(b"POST /hooks?a=1 HTTP/1.1\r\nWebhook-Id: msg_1\r\ncontent-length: 12\r\n\r\n{\"type\":\"a\"}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 410 "), "{answer}");
        let received = receiver.received().remove(0);
        assert_eq!((received.path.as_str(), received.id(), received.event().as_str()), ("/hooks?a=1", "msg_1", "a"));
    }
}
