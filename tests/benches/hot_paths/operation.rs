//! The three requests that are measured.

use std::{net::SocketAddr, sync::Arc};

use tenantry_tests::DatabaseKind;

use crate::{driver::Script, http, http::Connection, load::Caller, prepare::Prepared, script};

/// A request on the hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A session is checked and a page of 20 projects read.
    Page,
    /// A one-time password is verified.
    SignIn,
    /// A project is activated.
    Activation,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Page, Self::SignIn, Self::Activation];

    /// What the tables call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "session check and a page of 20 projects",
            Self::SignIn => "one-time password verified",
            Self::Activation => "activation",
        }
    }

    /// Whether an item can be used once.
    pub const fn consumes(self) -> bool {
        !matches!(self, Self::Page)
    }

    /// The HTTP request for an item.
    pub fn request(self, rows: &Prepared, item: usize) -> Vec<u8> {
        match self {
            Self::Page => http::get("/api/tenant/projects?limit=20", &rows.readers[item % rows.readers.len()].token),
            Self::SignIn => {
                let item = &rows.sign_ins[item];
                let json = format!(r#"{{"challenge_id":"{}","otp_code":"{}"}}"#, item.challenge, item.otp);
                http::post("/api/tenant/auth/otp/verify", None, &json)
            }
            Self::Activation => {
                let item = &rows.activations[item];
                let path = format!("/api/tenant/projects/{}/activate", item.project);
                http::post(&path, Some(&rows.writers[item.writer].token), &format!(r#"{{"code":"{}"}}"#, item.text))
            }
        }
    }

    /// What the driver does for an item instead.
    pub fn script(self, kind: DatabaseKind, rows: &Arc<Prepared>) -> Script {
        let rows = Arc::clone(rows);
        Arc::new(move |item| match self {
            Self::Page => script::page(&rows.readers[item % rows.readers.len()]),
            Self::SignIn => script::sign_in(kind, &rows.sign_ins[item]),
            Self::Activation => {
                let item = &rows.activations[item];
                script::activation(kind, &rows.writers[item.writer], item)
            }
        })
    }
}

/// A caller that sends requests to the server.
pub struct HttpCaller {
    connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
}

impl HttpCaller {
    /// Callers with connections of their own. `requests` has those of all items, or those that are sent by turns.
    pub async fn several(address: SocketAddr, count: usize, requests: &Arc<Vec<Vec<u8>>>) -> Vec<Self> {
        let mut callers = Vec::new();
        for _ in 0..count {
            let connection = Connection::open(address).await.expect("the server accepts");
            callers.push(Self { connection, requests: Arc::clone(requests) });
        }
        callers
    }
}

impl Caller for HttpCaller {
    async fn call(&mut self, item: usize) -> Result<(), String> {
        let reply = self.connection.send(&self.requests[item % self.requests.len()]).await.map_err(|error| error.to_string())?;
        match reply.status {
            200 => Ok(()),
            status => Err(format!("{status} {}", String::from_utf8_lossy(reply.body))),
        }
    }
}
