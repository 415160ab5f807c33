//! The requests that are measured.

use std::{net::SocketAddr, sync::Arc};

use tenantry_domain::{Id, id::Kind};

use crate::{http, http::Connection, load::Caller, prepare::Prepared, template::Own, value::Value};

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A session is checked and a page of 20 projects read.
    Page,
    /// A one-time password is asked for, and one that was asked for before is verified: two requests.
    SignIn,
    /// A project is activated.
    Activation,
    /// The operators' console shows the newest codes.
    Console,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Page, Self::SignIn, Self::Activation, Self::Console];

    /// What the tables call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "session check and a page of 20 projects",
            Self::SignIn => "sign-in: a password asked for, and one verified",
            Self::Activation => "activation",
            Self::Console => "console page: everybody's codes",
        }
    }

    /// Whether an item can be used once.
    pub const fn consumes(self) -> bool {
        matches!(self, Self::SignIn | Self::Activation)
    }

    /// The HTTP requests for an item.
    pub fn requests(self, rows: &Prepared, item: usize) -> Vec<Vec<u8>> {
        let writer = rows.writer(item);
        match self {
            Self::Page => vec![http::get("/api/tenant/projects?limit=20", &writer.token)],
            Self::SignIn => {
                let item = &rows.sign_ins[item];
                let ask = format!(r#"{{"tenant_slug":"{}"}}"#, writer.slug);
                let verify = format!(r#"{{"challenge_id":"{}","otp_code":"{}"}}"#, item.challenge, item.otp);
                vec![
                    http::post("/api/tenant/auth/otp/generate", None, &ask),
                    http::post("/api/tenant/auth/otp/verify", None, &verify),
                ]
            }
            Self::Activation => {
                let item = &rows.activations[item];
                let path = format!("/api/tenant/projects/{}/activate", item.project);
                vec![http::post(&path, Some(&writer.token), &format!(r#"{{"code":"{}"}}"#, item.text))]
            }
            Self::Console => vec![http::get_page("/admin/codes", &format!("tenantry_admin={}", rows.operator.token))],
        }
    }

    /// The values that are an item's own, in the same order for every item. Row `:t` of the tenants has session `:t`, and item `:item`
    /// project and code `:n`.
    pub fn own(self, rows: &Prepared, item: usize) -> Vec<Own> {
        let writer = rows.writer(item);
        let uuid = |id, sql| own(Value::Uuid(id), sql);
        let tenant = uuid(plain(writer.tenant), "bench_uuid(:t)");
        let caller = || {
            let digest = Value::Bytes(writer.digest.as_bytes().to_vec());
            [own(digest, "bench_digest(:t)"), uuid(plain(writer.session), "bench_uuid(:t)")]
        };
        match self {
            Self::Page => [tenant].into_iter().chain(caller()).collect(),
            Self::SignIn => vec![
                tenant,
                own(Value::Text(writer.slug.clone()), "('tenant-' || (:t)::text)"),
                uuid(plain(rows.sign_ins[item].challenge), "bench_uuid(:item)"),
            ],
            Self::Activation => {
                let item = &rows.activations[item];
                let code = [
                    uuid(plain(item.project), "bench_project(:n)"),
                    uuid(plain(item.code), "bench_uuid(:n)"),
                    own(Value::Bytes(item.digest.as_bytes().to_vec()), "bench_digest(:n)"),
                ];
                [tenant].into_iter().chain(caller()).chain(code).collect()
            }
            Self::Console => {
                let operator = &rows.operator;
                let values = [
                    Value::Bytes(operator.digest.as_bytes().to_vec()),
                    Value::Uuid(plain(operator.session)),
                    Value::Uuid(plain(operator.operator)),
                ];
                // The limit has a copy of the rows, and so the same operator.
                values.into_iter().map(|value| Own { sql: value.sql(), value }).collect()
            }
        }
    }
}

fn own(value: Value, sql: &str) -> Own {
    Own { value, sql: sql.to_owned() }
}

fn plain<K: Kind>(id: Id<K>) -> sqlx::types::Uuid {
    id.uuid()
}

/// A caller that sends requests to the server.
pub struct HttpCaller {
    connection: Connection,
    requests: Arc<Requests>,
}

/// The requests of all items, or those that are sent by turns.
pub type Requests = Vec<Vec<Vec<u8>>>;

impl HttpCaller {
    /// Callers with connections of their own.
    pub async fn several(address: SocketAddr, count: usize, requests: &Arc<Requests>) -> Vec<Self> {
        let mut callers = Vec::new();
        for _ in 0..count {
            let connection = Connection::open(address).await.expect("the server accepts");
            callers.push(Self { connection, requests: Arc::clone(requests) });
        }
        callers
    }

    /// Sends one of an item's requests.
    pub async fn send(&mut self, item: usize, number: usize) -> Result<(), String> {
        let request = &self.requests[item % self.requests.len()][number];
        let reply = self.connection.send(request).await.map_err(|error| error.to_string())?;
        match reply.status {
            200..300 => Ok(()),
            status => Err(format!("{status} {}", String::from_utf8_lossy(reply.body))),
        }
    }
}

impl Caller for HttpCaller {
    async fn call(&mut self, item: usize) -> Result<(), String> {
        for number in 0..self.requests[item % self.requests.len()].len() {
            self.send(item, number).await?;
        }
        Ok(())
    }
}
