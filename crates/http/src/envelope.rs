//! What every request goes through: its id and address, the bounds on how many and how long, the headers of its answer, its line in the log.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Instant};

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
use tracing::{Instrument as _, debug, info, info_span};

use crate::{
    client::{RequestInfo, client_ip, new_request_id},
    errors::ErrorCode,
    in_flight::Place,
    long_work::Patience,
    problem::Problem,
};

/// What the envelope needs; one for all workers.
pub(crate) struct Envelope {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub trusted_proxies: Vec<IpNet>,
    pub in_flight: Arc<Semaphore>,
    pub request_timeout: std::time::Duration,
    pub hsts: bool,
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
    request.extensions_mut().insert(RequestInfo { id: id.clone(), client_ip, timeout: shared.request_timeout });
    let (method, path) = (request.method().clone(), request.path().to_owned());

    let span = info_span!("request", request.id = %id);
    let outcome = answer(&shared, request, next).instrument(span.clone()).await;
    let (status, route) = match &outcome {
        Ok(response) => (response.status(), response.request().match_pattern()),
        Err(refusal) => (refusal.problem.code.status(), refusal.route.clone()),
    };
    span.in_scope(|| log(&method, route.as_deref(), &path, status, started));
    match outcome {
        Ok(mut response) => {
            secure(response.headers_mut(), &id, shared.hsts);
            Ok(response)
        }
        Err(refusal) => Err(Finished { problem: *refusal.problem, request_id: id, hsts: shared.hsts }.into()),
    }
}

/// A problem, and the route that it came up on, where that is known.
struct Refusal {
    problem: Box<Problem>,
    route: Option<String>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), route: None }
    }
}

async fn answer<B: MessageBody>(
    shared: &Envelope,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Refusal> {
    // A probe must be answered when the server is full, or a full server is taken for a dead one.
    if !request.path().starts_with("/health/") {
        let place = Place::take(&shared.in_flight)?;
        request.extensions_mut().insert(place);
    }
    let patience = Patience::new(shared.request_timeout);
    request.extensions_mut().insert(patience.clone());
    if carries_secret(request.query_string()) {
        let invalid = InvalidValue::new(
            "secret_in_url",
            "tokens and codes don't go into URLs, which end up in logs; this one should be revoked",
        );
        return Err(Problem::field("?", invalid).into());
    }
    let handled = AssertUnwindSafe(next.call(request)).catch_unwind();
    match patience.bound(handled).await {
        Err(_) => {
            let seconds = patience.limit().as_secs();
            let slow =
                Problem::new(ErrorCode::Unavailable, format!("the request was not done within {seconds} s and was given up"));
            Err(slow.retry_after(time::Duration::SECOND).into())
        }
        // The panic hook has logged where; the request's other writes were rolled back when its transaction was dropped.
        Ok(Err(_panic)) => Err(Problem::internal().into()),
        Ok(Ok(Err(error))) => Err(problem_of(&error).into()),
        Ok(Ok(Ok(response))) => match response.response().error() {
            Some(error) => Err(Refusal { problem: Box::new(problem_of(error)), route: response.request().match_pattern() }),
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

fn log(method: &Method, route: Option<&str>, path: &str, status: StatusCode, started: Instant) {
    let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    let status = status.as_u16();
    // A method that no path has is a stranger's text.
    let method = match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    };
    // The route template, never the path as it came: that is a stranger's text.
    let route = route.unwrap_or("-");
    if path.starts_with("/health/") {
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
    let fixed: [(HeaderName, &'static str); 4] = [
        (header::CACHE_CONTROL, "no-store"),
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
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Finished {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.problem.render(&self.request_id);
        secure(response.headers_mut(), &self.request_id, self.hsts);
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, http::StatusCode, middleware::from_fn, test, web};
    use tenantry_domain::{SeededEntropy, SystemClock};

    use super::*;

    #[actix_web::test]
    async fn a_panic_is_answered_500_and_the_next_request_is_served() {
        let shared = Arc::new(Envelope {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SeededEntropy::new(1)),
            trusted_proxies: Vec::new(),
            in_flight: Arc::new(Semaphore::new(1)),
            request_timeout: std::time::Duration::from_secs(1),
            hsts: false,
        });
        async fn boom() -> HttpResponse {
            panic!("the code is 042137")
        }
        let app = App::new()
            .wrap(from_fn(move |request, next| envelope(Arc::clone(&shared), request, next)))
            .route("/boom", web::get().to(boom))
            .route("/fine", web::get().to(|| async { HttpResponse::NoContent().finish() }));
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
}
