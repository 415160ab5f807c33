//! Requests with an `Idempotency-Key`: carried out once, and answered alike however often they are sent.
//!
//! The key is claimed before anything is done. What the use case writes and the answer that is made of it are then committed together, so
//! that neither a crash nor a second server can have the one without the other. An answer may hold activation codes: it is kept sealed.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, HttpResponse,
    body::to_bytes,
    dev::Payload,
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    web::Bytes,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tenantry_domain::{Actor, Attempt, Begun, Chain, Context, KeyedRequest, ports::Store};
use tokio::runtime::Handle;
use tracing::{error, warn};

use crate::{
    body::{JsonBody, parse},
    client::RequestInfo,
    endpoints::Answer,
    errors::ErrorCode,
    problem::Problem,
    state::AppState,
};

/// How much longer than a request a key is locked, for clocks of servers that differ.
const MARGIN: Duration = Duration::from_secs(5);

/// A request that may carry an `Idempotency-Key`.
pub(crate) struct Keyed {
    key: Result<Option<String>, Problem>,
    target: [String; 3],
    patience: Duration,
}

/// The JSON body of a request that may carry an `Idempotency-Key`.
pub(crate) struct KeyedBody {
    request: Keyed,
    body: JsonBody,
    sent: Bytes,
}

impl FromRequest for Keyed {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl FromRequest for KeyedBody {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = JsonBody::of(request, payload);
        ready(Keyed::of(request).map(|request| Self { request, body, sent: Bytes::new() }))
    }
}

/// The key of a request; `None` where it has none.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut lines = headers.get_all("idempotency-key");
    let Some(line) = lines.next() else { return Ok(None) };
    let text =
        line.to_str().ok().filter(|text| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()));
    match (text, lines.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Problem::new(
            ErrorCode::BadRequest,
            "an `Idempotency-Key` has 1 to 255 visible ASCII characters, and stands once",
        )),
    }
}

impl KeyedBody {
    /// Reads and parses the body.
    pub async fn read<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        self.request.check_key()?;
        self.sent = self.body.receive().await?;
        parse(&self.sent)
    }

    /// The same, with a default for a body that is empty, whatever its media type.
    pub async fn read_or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T, Problem> {
        self.request.check_key()?;
        let Some(sent) = self.body.receive_optional().await? else { return Ok(T::default()) };
        self.sent = sent;
        parse(&self.sent)
    }

    /// Refuses a request that has a key, for one whose answer can't be kept: its sender would take a repeat for harmless.
    pub fn demand_no_key(&self, why: &str) -> Result<(), Problem> {
        match &self.request.key {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Problem::new(ErrorCode::BadRequest, format!("send this without an `Idempotency-Key`: {why}"))),
            Err(problem) => Err(problem.clone()),
        }
    }

    /// [`Keyed::answer_once`], for the body that was read.
    pub async fn answer_once<S: Store>(
        self,
        state: &AppState<S>,
        cx: Context<'_>,
        work: impl AsyncFnOnce(&S, &Context<'_>) -> Answer,
    ) -> Answer {
        self.request.answer_once(&self.sent, state, cx, work).await
    }
}

impl Keyed {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let timeout = request.extensions().get::<RequestInfo>().map(|info| info.timeout).ok_or_else(Problem::internal)?;
        let target = [request.method().as_str(), request.path(), request.query_string()].map(str::to_owned);
        Ok(Self { key: key(request.headers()), target, patience: timeout + MARGIN })
    }

    /// Refuses a key that is none, before a body is read for it.
    pub fn check_key(&self) -> Result<(), Problem> {
        self.key.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Answers with what `work` makes of the request, on the store and in the context that it is given. A request with a key whose answer
    /// of success is known is given that instead. `sent` is its body, or what stands for it.
    pub async fn answer_once<S: Store>(
        self,
        sent: &[u8],
        state: &AppState<S>,
        cx: Context<'_>,
        work: impl AsyncFnOnce(&S, &Context<'_>) -> Answer,
    ) -> Answer {
        let Some(key) = self.key? else { return work(&state.store, &cx).await };
        let parts = self.target.iter().map(String::as_bytes).chain([sent]);
        let request = KeyedRequest {
            key: state.keys.idempotency_key(sender(&cx.actor).each_ref().map(String::as_str), &key),
            fingerprint: state.keys.fingerprint(parts),
            patience: self.patience.try_into().unwrap_or(time::Duration::MAX),
        };
        let attempt = match Attempt::begin(&state.store, &cx, &request).await? {
            Begun::First(attempt) => Unanswered(Some(attempt)),
            Begun::Again(sealed) => {
                let plain = state.keys.open_answer(request.key, request.fingerprint, &sealed).map_err(|failure| {
                    error!(error = %Chain(&failure), "could not open a stored answer");
                    Problem::internal()
                })?;
                return Stored::from_bytes(&plain).map(|stored| stored.render(true)).ok_or_else(Problem::internal);
            }
        };
        let Unanswered(Some(claimed)) = &attempt else { return Err(Problem::internal()) };
        let answered = work(claimed.store(), &cx).await;
        match answered {
            Ok(response) if response.status().is_success() => {
                let stored = Stored::of(response).await?;
                let sealed = state.keys.seal_answer(request.key, request.fingerprint, &stored.to_bytes(), cx.entropy);
                claimed.answer(&sealed).await?;
                attempt.done();
                Ok(stored.render(false))
            }
            refused => {
                if let Err(failure) = claimed.release().await {
                    warn!(error = %Chain(&failure), "could not give the key of a refused request back");
                }
                attempt.done();
                refused
            }
        }
    }
}

/// Who sends a request, as keys are told apart by: one tenant in whatever session, one operator, one API key.
fn sender(actor: &Actor) -> [String; 2] {
    let name = match actor {
        Actor::Tenant { tenant, .. } => tenant.to_string(),
        Actor::Operator { operator, .. } => operator.to_string(),
        other => other.name().unwrap_or_default(),
    };
    [actor.kind().to_owned(), name]
}

/// An attempt that gives its key back when it is dropped: by a time-out, a panic, or as the client went away.
struct Unanswered<S: Store>(Option<Attempt<S>>);

impl<S: Store> Unanswered<S> {
    /// Its key needs no giving back.
    fn done(mut self) {
        self.0.take();
    }
}

impl<S: Store> Drop for Unanswered<S> {
    fn drop(&mut self) {
        // A server that ends leaves the key to its lock.
        let (Some(attempt), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        runtime.spawn(async move {
            if let Err(failure) = attempt.abandon().await {
                warn!(error = %Chain(&failure), "could not give the key of an abandoned request back");
            }
        });
    }
}

/// An answer as it is kept: a line of JSON, and the body as it was.
struct Stored {
    head: Head,
    body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Stored {
    async fn of(response: HttpResponse) -> Result<Self, Problem> {
        let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
        let head = Head { status: response.status().as_u16(), headers: response.headers().iter().filter_map(text).collect() };
        let body = to_bytes(response.into_body()).await.map_err(|_| Problem::internal())?;
        Ok(Self { head, body })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.head).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let (head, body) = bytes.split_at_checked(end)?;
        Some(Self { head: serde_json::from_slice(head).ok()?, body: Bytes::copy_from_slice(body.get(1..)?) })
    }

    fn render(self, replayed: bool) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::from_u16(self.head.status).unwrap_or(StatusCode::OK));
        for (name, value) in self.head.headers {
            response.insert_header((name, value));
        }
        if replayed {
            response.insert_header(("idempotency-replayed", "true"));
        }
        response.body(self.body)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&[u8]]) -> Result<Option<String>, ErrorCode> {
        let mut request = TestRequest::default();
        for line in lines {
            let Ok(value) = HeaderValue::from_bytes(line) else { return Ok(None) };
            request = request.append_header(("idempotency-key", value));
        }
        key(request.to_http_request().headers()).map_err(|problem| problem.code)
    }

    #[test]
    fn a_key_is_visible_ascii_and_stands_once() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b"8e03978e-40d5"]), Ok(Some("8e03978e-40d5".to_owned())));
        assert!(read(&[&[b'x'; 255]]).is_ok());
        for refused in [&[&b""[..]][..], &[b"a b"], &[b"a\tb"], &["ä".as_bytes()], &[&[b'x'; 256]], &[b"a", b"a"]] {
            assert_eq!(read(refused), Err(ErrorCode::BadRequest), "{refused:?}");
        }
    }

    #[actix_web::test]
    async fn an_answer_comes_back_as_it_was() {
        let body = "line\n{\"a\":1}\n\u{0}";
        let response =
            HttpResponse::Created().insert_header(("location", "/api/admin/plans/1")).content_type("text/x").body(body);
        let stored = Stored::from_bytes(&Stored::of(response).await.unwrap().to_bytes()).unwrap();
        let response = stored.render(true);
        assert_eq!(response.status(), StatusCode::CREATED);
        for (name, value) in [("location", "/api/admin/plans/1"), ("content-type", "text/x"), ("idempotency-replayed", "true")] {
            assert_eq!(response.headers().get(name).unwrap(), value);
        }
        assert_eq!(to_bytes(response.into_body()).await.unwrap(), body);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader_of_stored_answers(bytes in any::<Vec<u8>>()) {
            let _ = Stored::from_bytes(&bytes);
        }
    }
}
