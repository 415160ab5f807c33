//! Requests with an `Idempotency-Key`: carried out once, and answered alike however often they are sent.
//!
//! The key is claimed before anything is done. What the use case writes and the answer that is made of it are then committed together, so
//! that neither a crash nor a second server can have the one without the other. An answer may hold activation codes: it is kept sealed.

mod claim;

use std::{
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, http::header::HeaderMap, web::Bytes};
use serde::de::DeserializeOwned;
use tenantry_domain::{Actor, Context, Id, KeyedRequest, ports::Store};

use self::claim::{Claim, claim};
use crate::{
    again::{Repeat, Tries},
    body::{JsonBody, parse},
    client::RequestInfo,
    console::Form,
    endpoints::Answer,
    errors::ErrorCode,
    kept::Kept,
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
    repeat: Repeat,
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

    /// [`Keyed::harmless`], for the body that was read.
    pub fn harmless(self) -> Self {
        Self { request: self.request.harmless(), ..self }
    }

    /// [`Keyed::answer_once`], for the body that was read.
    pub async fn answer_once<S: Store>(
        self,
        state: &AppState<S>,
        cx: Context<'_>,
        work: impl AsyncFnOnce(&S, &Context<'_>) -> Answer + Clone,
    ) -> Answer {
        self.request.answer_once(&self.sent, state, cx, work).await
    }

    /// The request's key, and the body that was read.
    pub fn into_parts(self) -> (Keyed, Bytes) {
        (self.request, self.sent)
    }
}

impl Keyed {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let timeout = request.extensions().get::<RequestInfo>().map(|info| info.timeout).ok_or_else(Problem::internal)?;
        let target = [request.method().as_str(), request.path(), request.query_string()].map(str::to_owned);
        Ok(Self { key: key(request.headers()), target, patience: timeout + MARGIN, repeat: Repeat::Undone })
    }

    /// The same for a form, whose key is one of its fields.
    pub fn of_form(request: &HttpRequest, form: &Form) -> Result<Self, Problem> {
        let key = form.optional(Form::KEY).filter(|key| key.len() <= 255).map(str::to_owned);
        Self::of(request).map(|keyed| Self { key: Ok(key), ..keyed })
    }

    /// Refuses a key that is none, before a body is read for it.
    pub fn check_key(&self) -> Result<(), Problem> {
        self.key.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Says that the request, without a key too, answers the same when it is carried out again, and does nothing more.
    pub fn harmless(self) -> Self {
        Self { repeat: Repeat::Harmless, ..self }
    }

    /// Answers with what `work` makes of the request, on the store and in the context that it is given. A request with a key whose answer
    /// of success is known is given that instead. `sent` is its body, or what stands for it.
    ///
    /// Work that the store cut off is done again: where it certainly didn't take place, it is [harmless](Self::harmless), or it has a key, which
    /// knows whether it did.
    pub async fn answer_once<S: Store>(
        self,
        sent: &[u8],
        state: &AppState<S>,
        cx: Context<'_>,
        work: impl AsyncFnOnce(&S, &Context<'_>) -> Answer + Clone,
    ) -> Answer {
        let mut tries = Tries::new(state.entropy.as_ref());
        let request = self.request(sent, state, &cx)?;
        let mut first = loop {
            let (problem, repeat) = match claim(request, state, &cx).await {
                Ok(Claim::NoKey) => match work.clone()(&state.store, &cx).await {
                    Err(problem) => (problem, self.repeat),
                    answer => return answer,
                },
                Ok(Claim::Again(kept)) => return kept.give_again(),
                Ok(Claim::First(first)) => break first,
                // Whoever has the key already is given it again.
                Err(problem) => (problem, Repeat::Harmless),
            };
            if !tries.again(&problem, repeat).await {
                return Err(problem);
            }
        };
        loop {
            let problem = match first.carry_out(state, &cx, work.clone()).await {
                Err(problem) => problem,
                answer => return answer,
            };
            let again = tries.again(&problem, Repeat::Harmless).await;
            if problem.failure.is_some() {
                first.start_over();
            }
            if !again {
                first.release().await;
                return Err(problem);
            }
            // The answer to a commit may have been lost, and not the commit.
            match claim(request, state, &cx).await {
                Ok(Claim::Again(kept)) => {
                    first.ended = true;
                    return kept.give_again();
                }
                // It has its key still. Where that can't be found out, or another has the key, its answer will tell.
                Ok(Claim::First(anew)) => std::mem::replace(&mut first, anew).ended = true,
                Ok(Claim::NoKey) | Err(_) => {}
            }
        }
    }

    /// [`answer_once`](Self::answer_once), for work that takes too long, or holds too much, to be done again.
    pub async fn answer_at_first_try<S: Store>(
        self,
        sent: &[u8],
        state: &AppState<S>,
        cx: Context<'_>,
        work: impl AsyncFnOnce(&S, &Context<'_>) -> Answer,
    ) -> Answer {
        let mut first = match claim(self.request(sent, state, &cx)?, state, &cx).await? {
            Claim::NoKey => return work(&state.store, &cx).await,
            Claim::Again(kept) => return kept.give_again(),
            Claim::First(first) => first,
        };
        let answer = first.carry_out(state, &cx, work).await;
        if answer.is_err() {
            first.release().await;
        }
        answer
    }

    /// Begins work that is answered while it is done, and whose answer can't be kept: `begin`, on the store and in the context that it is
    /// given, is its first step. Whoever sends the request with its key again is told `conflict`, and what `told` says.
    pub async fn begin_once<S: Store, T>(
        self,
        sent: &[u8],
        state: &AppState<S>,
        cx: Context<'_>,
        begin: impl AsyncFnOnce(&S, &Context<'_>) -> Result<T, Problem>,
        told: impl FnOnce(&T) -> String,
    ) -> Result<T, Problem> {
        let mut first = match claim(self.request(sent, state, &cx)?, state, &cx).await? {
            Claim::NoKey => return begin(&state.store, &cx).await,
            Claim::Again(kept) => return kept.give_again().and(Err(Problem::internal())),
            Claim::First(first) => first,
        };
        match begin(first.store(), &cx).await {
            Ok(begun) => {
                first.keep(state, &cx, &Kept::begun(told(&begun))).await?;
                Ok(begun)
            }
            refused => {
                first.release().await;
                refused
            }
        }
    }

    /// The request as its key knows it; `None` where it has none.
    fn request<S: Store>(&self, sent: &[u8], state: &AppState<S>, cx: &Context<'_>) -> Result<Option<KeyedRequest>, Problem> {
        let Some(key) = self.key.clone()? else { return Ok(None) };
        let [kind, name] = sender(&cx.actor);
        let parts = self.target.iter().map(String::as_bytes).chain([sent]);
        Ok(Some(KeyedRequest {
            claim: Id::generate(cx.now, cx.entropy),
            key: state.keys.idempotency_key([&kind, &name], &key),
            fingerprint: state.keys.fingerprint(parts),
            patience: self.patience.try_into().unwrap_or(time::Duration::MAX),
        }))
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

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};

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
}
