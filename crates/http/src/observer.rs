//! Who is told of requests: for metrics and traces, of which this crate knows nothing.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, http::StatusCode};
use tracing::Span;

use crate::{errors::ErrorCode, trace_context::TraceContext};

/// Is told of every request, from the threads that answer: it must not wait for anything.
pub trait Observer: Send + Sync + 'static {
    /// A request has come. `span` is what its lines in the log stand in.
    fn began(&self, span: &Span, trace: &TraceContext);

    /// A request has ended: once for each that began.
    fn ended(&self, span: &Span, request: &Ended);
}

/// Is told, and does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn began(&self, _: &Span, _: &TraceContext) {}
    fn ended(&self, _: &Span, _: &Ended) {}
}

/// A request that has ended. Every text is one of a closed list: nothing that a client wrote is in it.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Its method, or `other`.
    pub method: &'static str,
    /// The operation's path as the document has it, such as `/api/tenant/projects/{id}`; `-` for what is no operation's.
    pub route: &'static str,
    /// What it was about, where that is counted.
    pub occasion: Option<Occasion>,
    /// What it was answered; `None` where the client went away before that.
    pub status: Option<StatusCode>,
    /// With which code, where it was refused.
    pub code: Option<ErrorCode>,
    /// Why it was not served, where that was no fault of its own.
    pub failure: Option<Failure>,
    /// Whether it had been done before, and was only answered again.
    pub again: bool,
    /// How long it took, from its head to the head of its answer.
    pub took: Duration,
}

/// What is counted by how it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A project is to be activated.
    Activation,
    /// A one-time password is asked for.
    OtpRequest(Door),
    /// A one-time password is presented.
    OtpVerification(Door),
    /// A bootstrap link is used.
    Bootstrap,
}

/// Where somebody signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The tenants'.
    Tenant,
    /// The operators'.
    Operator,
}

impl Door {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Operator => "operator",
        }
    }
}

/// Why a request was not served, where that was no fault of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server had no place for it.
    Full,
    /// It was not done in time.
    TimedOut,
    /// It panicked.
    Panicked,
    /// The database could not be reached, or kept it waiting for too long.
    DatabaseUnavailable,
    /// It collided with another in the database.
    DatabaseConflict,
    /// The database failed, or holds what can't be.
    DatabaseFailed,
}

impl Failure {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Full, Self::TimedOut, Self::Panicked, Self::DatabaseUnavailable, Self::DatabaseConflict, Self::DatabaseFailed];

    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::DatabaseConflict => "database_conflict",
            Self::DatabaseFailed => "database_failed",
        }
    }
}

/// Marks an answer to what had been done before.
struct Again;

/// Marks an answer as one to what had been done before.
pub(crate) fn answered_again(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(Again);
    response
}

/// Whether an answer is to what had been done before.
pub(crate) fn is_again<B>(response: &HttpResponse<B>) -> bool {
    response.extensions().get::<Again>().is_some() || response.headers().contains_key("idempotency-replayed")
}

/// Marks a page as one that tells of a problem.
pub(crate) fn told_as_a_page(mut response: HttpResponse, problem: (ErrorCode, Option<Failure>)) -> HttpResponse {
    response.extensions_mut().insert(problem);
    response
}

/// The problem that a page tells of.
pub(crate) fn problem_told<B>(response: &HttpResponse<B>) -> Option<(ErrorCode, Option<Failure>)> {
    response.extensions().get().copied()
}

/// A request that is watched. Dropped before it has ended, it was given up by its client.
pub(crate) struct Watched {
    observer: Arc<dyn Observer>,
    span: Span,
    ended: Option<Ended>,
    clock: std::time::Instant,
}

impl Watched {
    /// Begins to watch. What isn't known yet of `request` is told at its end.
    pub fn begin(observer: &Arc<dyn Observer>, span: &Span, trace: &TraceContext, request: Ended) -> Self {
        observer.began(span, trace);
        let clock = std::time::Instant::now();
        Self { observer: Arc::clone(observer), span: span.clone(), ended: Some(request), clock }
    }

    /// Tells of its end.
    pub fn end(mut self, fill: impl FnOnce(&mut Ended)) {
        if let Some(mut request) = self.ended.take() {
            fill(&mut request);
            self.tell(request);
        }
    }

    fn tell(&self, request: Ended) {
        self.observer.ended(&self.span, &Ended { took: self.clock.elapsed(), ..request });
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(request) = self.ended.take() {
            self.tell(request);
        }
    }
}
