//! What every request goes through: its id and address, the bounds on how many and how long, the headers of its answer, its line in the log.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage as _, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use futures_util::FutureExt as _;
use ipnet::IpNet;
use tenantry_domain::{Clock, Entropy, InvalidValue};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, debug, error_span, info};

use crate::{
    client::{RequestInfo, client_ip, new_request_id},
    console::{Reader, refusal},
    errors::ErrorCode,
    in_flight::Place,
    long_work::Patience,
    observer::{Ended, Failure, Observer, Watched, is_again, problem_told},
    problem::Problem,
    routes::Templates,
    same_origin::{Origin, is_safe},
    state::ConsoleSettings,
    trace_context::TraceContext,
};

/// What the envelope needs; one for all workers.
pub(crate) struct Envelope {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub trusted_proxies: Vec<IpNet>,
    pub in_flight: Arc<Semaphore>,
    pub request_timeout: Duration,
    pub hsts: bool,
    pub observer: Arc<dyn Observer>,
    pub templates: Templates,
    pub console: Arc<ConsoleSettings>,
}

/// Puts a request into its envelope.
pub(crate) async fn envelope<B: MessageBody>(
    shared: Arc<Envelope>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let id = new_request_id(shared.clock.now(), shared.entropy.as_ref());
    let peer = request.peer_addr().map(|peer| peer.ip());
    let client_ip = client_ip(peer, request.headers(), &shared.trusted_proxies);
    let trace = TraceContext::of(request.headers(), shared.entropy.as_ref());
    let info = RequestInfo { id: id.clone(), trace_id: trace.trace_id, client_ip, timeout: shared.request_timeout };
    request.extensions_mut().insert(info);
    let (method, is_probe) = (method_name(request.method()), is_probe(request.path()));
    let asked = request.uri().path_and_query().map_or(request.path(), |asked| asked.as_str());
    let reader = Reader::of(request.method(), asked, request.headers(), &shared.console);
    // The route template, never the path as it came: that is a stranger's text.
    let matched = request.match_pattern();
    let (route, occasion) = shared.templates.find(matched.as_deref(), request.method());

    // Of the highest level, so that a filter that shows errors alone shows them with it.
    let span = error_span!("request", request.id = %id, trace.id = %trace.trace_id);
    let request_begun =
        Ended { method, route, occasion, status: None, code: None, failure: None, again: false, took: Duration::ZERO };
    let watched = Watched::begin(&shared.observer, &span, &trace, request_begun);
    let outcome = answer(&shared, request, next).instrument(span.clone()).await;
    let status = match &outcome {
        Ok(response) => response.status(),
        Err(problem) => problem.code.status(),
    };
    span.in_scope(|| log(method, matched.as_deref().unwrap_or("-"), is_probe, status, started));
    watched.end(|ended| {
        ended.status = Some(status);
        match &outcome {
            Ok(response) => {
                ended.again = is_again(response.response());
                (ended.code, ended.failure) =
                    problem_told(response.response()).map_or((None, None), |(code, why)| (Some(code), why));
            }
            Err(problem) => (ended.code, ended.failure) = (Some(problem.code), problem.failure),
        }
    });
    match outcome {
        Ok(mut response) => {
            secure(response.headers_mut(), &id, shared.hsts);
            Ok(response)
        }
        Err(problem) => Err(Finished { problem: *problem, request_id: id, hsts: shared.hsts, reader }.into()),
    }
}

async fn answer<B: MessageBody>(
    shared: &Envelope,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Box<Problem>> {
    // A probe must be answered when the server is full, or a full server is taken for a dead one.
    if !is_probe(request.path()) {
        let place = Place::take(&shared.in_flight)?;
        request.extensions_mut().insert(place);
    }
    if !is_safe(request.method()) && Origin::of(request.headers(), shared.console.public_origin.as_deref()) == Origin::Foreign {
        return Err(Problem::cross_site().into());
    }
    let patience = Patience::new(shared.request_timeout);
    request.extensions_mut().insert(patience.clone());
    if carries_secret(request.query_string()) {
        let invalid = InvalidValue::new(
            "secret_in_url",
            "tokens and codes don't go into URLs, which end up in logs; this one should be revoked",
        );
        return Err(Box::new(Problem::field("?", invalid)));
    }
    let handled = AssertUnwindSafe(next.call(request)).catch_unwind();
    match patience.bound(handled).await {
        Err(_) => {
            let seconds = patience.limit().as_secs();
            let slow =
                Problem::new(ErrorCode::Unavailable, format!("the request was not done within {seconds} s and was given up"));
            Err(Box::new(slow.retry_after(time::Duration::SECOND).because(Failure::TimedOut)))
        }
        // The panic hook has logged where; the request's other writes were rolled back when its transaction was dropped.
        Ok(Err(_panic)) => Err(Box::new(Problem::internal().because(Failure::Panicked))),
        Ok(Ok(Err(error))) => Err(Box::new(problem_of(&error))),
        Ok(Ok(Ok(response))) => match response.response().error() {
            Some(error) => Err(Box::new(problem_of(error))),
            None => Ok(response),
        },
    }
}

/// The problem inside an error, or what an error of actix's own comes to.
fn problem_of(error: &Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    let status = error.as_response_error().status_code();
    if status.is_client_error() {
        Problem::new(ErrorCode::BadRequest, "the request can't be read")
    } else {
        tracing::error!(error = %error, "an error without a problem");
        Problem::internal()
    }
}

/// Whether a query holds what looks like a secret, by the prefixes of tokens and the usual names of their parameters.
fn carries_secret(query: &str) -> bool {
    let lower = query.to_ascii_lowercase();
    let named = |pair: &str| {
        matches!(pair.split('=').next(), Some("access_token" | "token" | "session_token" | "api_key" | "otp_code" | "code"))
    };
    ["tns_", "tno_", "tnk_", "tnb_"].iter().any(|prefix| lower.contains(prefix)) || lower.split('&').any(named)
}

/// Whether a path is a probe's.
fn is_probe(path: &str) -> bool {
    path.starts_with("/health/")
}

/// A method as it is written down. One that no path has is a stranger's text.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] =
        [Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::PUT, Method::HEAD, Method::OPTIONS];
    const NAMES: [&str; 7] = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
    let known = KNOWN.iter().zip(NAMES).find(|(known, _)| *known == method);
    known.map_or("other", |(_, name)| name)
}

fn log(method: &str, route: &str, is_probe: bool, status: StatusCode, started: Instant) {
    let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    let status = status.as_u16();
    if is_probe {
        debug!(http.method = method, http.route = route, http.status = status, duration_ms, "answered");
    } else {
        info!(http.method = method, http.route = route, http.status = status, duration_ms, "answered");
    }
}

/// The headers of every answer.
fn secure(headers: &mut HeaderMap, request_id: &str, hsts: bool) {
    // A page brings a policy of its own; an answer that isn't one loads nothing.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
    // What is the same for everybody says so itself.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let fixed: [(HeaderName, &'static str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// A problem that leaves the envelope: nothing outside adds to it.
#[derive(Debug)]
struct Finished {
    problem: Problem,
    request_id: String,
    hsts: bool,
    /// Who reads it, if it is a person.
    reader: Option<Reader>,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Finished {
    fn error_response(&self) -> HttpResponse {
        let page = self.reader.as_ref().and_then(|reader| refusal(reader, &self.problem, &self.request_id));
        let mut response = page.unwrap_or_else(|| self.problem.render(&self.request_id));
        secure(response.headers_mut(), &self.request_id, self.hsts);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Mutex};

    use actix_web::{App, http::StatusCode, middleware::from_fn, test, web};
    use tenantry_domain::{SeededEntropy, SystemClock, memory::MemoryStore};
    use tracing::Span;

    use super::*;

    /// Keeps what it is told: of each request that ended, its route, status and failure, and how many are at hand.
    #[derive(Default)]
    struct Told(Mutex<(Vec<End>, i32)>);

    type End = (&'static str, Option<u16>, Option<Failure>);

    impl Observer for Told {
        fn began(&self, _: &Span, _: &TraceContext) {
            self.0.lock().unwrap().1 += 1;
        }

        fn ended(&self, _: &Span, request: &Ended) {
            let mut told = self.0.lock().unwrap();
            told.0.push((request.route, request.status.map(|status| status.as_u16()), request.failure));
            told.1 -= 1;
        }
    }

    fn shared(observer: Arc<dyn Observer>) -> Arc<Envelope> {
        Arc::new(Envelope {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SeededEntropy::new(1)),
            trusted_proxies: Vec::new(),
            in_flight: Arc::new(Semaphore::new(1)),
            request_timeout: Duration::from_millis(50),
            hsts: false,
            observer,
            templates: Templates::new::<MemoryStore>(),
            console: Arc::new(ConsoleSettings { brand: "Tenantry".to_owned(), secure_cookies: false, public_origin: None }),
        })
    }

    async fn boom() -> HttpResponse {
        panic!("the code is 042137")
    }

    async fn fine() -> HttpResponse {
        HttpResponse::NoContent().finish()
    }

    #[actix_web::test]
    async fn a_panic_is_answered_500_and_the_next_request_is_served() {
        let shared = shared(Arc::new(Told::default()));
        let app = App::new()
            .wrap(from_fn(move |request, next| envelope(Arc::clone(&shared), request, next)))
            .route("/boom", web::get().to(boom))
            .route("/fine", web::get().to(fine));
        let app = test::init_service(app).await;
        let request = test::TestRequest::get().uri("/boom").to_request();
        let Err(failure) = test::try_call_service(&app, request).await else { panic!("a panic is a problem") };
        let answer = failure.error_response();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.headers().contains_key("x-request-id"));
        let body = String::from_utf8(actix_web::body::to_bytes(answer.into_body()).await.unwrap().to_vec()).unwrap();
        assert!(!body.contains("042137"), "{body}");
        // The permit of the request that panicked is given back.
        let fine = test::try_call_service(&app, test::TestRequest::get().uri("/fine").to_request()).await;
        assert_eq!(fine.unwrap().status(), StatusCode::NO_CONTENT);
    }

    #[actix_web::test]
    async fn the_observer_is_told_of_every_end_once_and_with_its_route() {
        let told = Arc::new(Told::default());
        let shared = shared(Arc::clone(&told) as Arc<dyn Observer>);
        let slow = "/api/admin/plans/{id}";
        let app = App::new()
            .wrap(from_fn(move |request, next| envelope(Arc::clone(&shared), request, next)))
            .route("/boom", web::get().to(boom))
            .route("/health/live", web::get().to(fine))
            .route(slow, web::get().to(pending::<HttpResponse>));
        let app = test::init_service(app).await;
        let call = |path: &str| test::try_call_service(&app, test::TestRequest::get().uri(path).to_request());
        assert!(call("/health/live").await.is_ok());
        assert!(call("/boom").await.is_err());
        assert!(call("/api/admin/plans/CANARY").await.is_err(), "it takes too long");
        let at_hand = Box::pin(call("/api/admin/plans/CANARY"));
        let (at_hand, refused) = match futures_util::future::select(at_hand, Box::pin(call("/boom"))).await {
            futures_util::future::Either::Right((refused, at_hand)) => (at_hand, refused),
            futures_util::future::Either::Left(_) => panic!("the slow one was first"),
        };
        assert!(refused.is_err(), "there is room for one");
        assert_eq!(told.0.lock().unwrap().1, 1);
        drop(at_hand);
        let (ended, at_hand) = std::mem::take(&mut *told.0.lock().unwrap());
        assert_eq!(at_hand, 0);
        let expected = [
            ("/health/live", Some(204), None),
            ("-", Some(500), Some(Failure::Panicked)),
            (slow, Some(503), Some(Failure::TimedOut)),
            ("-", Some(503), Some(Failure::Full)),
            (slow, None, None),
        ];
        assert_eq!(ended, expected);
    }
}
