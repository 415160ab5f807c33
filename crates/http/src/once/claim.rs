//! The claim of a request on its key, and what is done under it: committed with its answer, or given back.

use actix_web::http::StatusCode;
use tenantry_domain::{Attempt, Begun, Chain, Context, KeyedRequest, ports::Store};
use tokio::runtime::Handle;
use tracing::{error, warn};

use crate::{endpoints::Answer, kept::Kept, problem::Problem, state::AppState};

pub(super) async fn claim<S: Store>(
    request: Option<KeyedRequest>,
    state: &AppState<S>,
    cx: &Context<'_>,
) -> Result<Claim<S>, Problem> {
    let Some(request) = request else { return Ok(Claim::NoKey) };
    match Attempt::begin(&state.store, cx, &request).await? {
        Begun::First(attempt) => Ok(Claim::First(First { request, attempt, ended: false })),
        Begun::Again(sealed) => {
            let plain = state.keys.open_answer(request.key, request.fingerprint, &sealed).map_err(|failure| {
                error!(error = %Chain(&failure), "could not open a kept answer");
                Problem::internal()
            })?;
            Kept::from_bytes(&plain).map(Claim::Again).ok_or_else(Problem::internal)
        }
    }
}

/// How a request stands to its key.
pub(super) enum Claim<S: Store> {
    NoKey,
    First(First<S>),
    Again(Kept),
}

/// A request that is carried out under its key. It gives that back when it is dropped: by a time-out, a panic, or as the client went away.
pub(super) struct First<S: Store> {
    request: KeyedRequest,
    attempt: Attempt<S>,
    pub(super) ended: bool,
}

impl<S: Store> First<S> {
    pub(super) fn store(&self) -> &S {
        self.attempt.store()
    }

    /// Does the work, and commits it with its answer, if it has one to keep.
    pub(super) async fn carry_out(
        &mut self,
        state: &AppState<S>,
        cx: &Context<'_>,
        work: impl AsyncFnOnce(&S, &Context<'_>) -> Answer,
    ) -> Answer {
        match work(self.store(), cx).await {
            Ok(response) if response.status().is_success() || response.status() == StatusCode::SEE_OTHER => {
                let kept = Kept::answer(response).await?;
                self.keep(state, cx, &kept).await?;
                kept.give()
            }
            Ok(refused) => {
                self.release().await;
                Ok(refused)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Rolls back what was done, for it to be done again.
    pub(super) fn start_over(&self) {
        self.attempt.start_over();
    }

    /// Commits what was done, and the answer with it.
    pub(super) async fn keep(&mut self, state: &AppState<S>, cx: &Context<'_>, kept: &Kept) -> Result<(), Problem> {
        let KeyedRequest { key, fingerprint, .. } = self.request;
        let sealed = state.keys.seal_answer(key, fingerprint, &kept.to_bytes(), cx.entropy);
        self.attempt.answer(&sealed).await?;
        self.ended = true;
        Ok(())
    }

    /// Gives the key of a refused request back.
    pub(super) async fn release(&mut self) {
        if let Err(failure) = self.attempt.release().await {
            warn!(error = %Chain(&failure), "could not give the key of a refused request back");
        }
        self.ended = true;
    }
}

impl<S: Store> Drop for First<S> {
    fn drop(&mut self) {
        // A server that ends leaves the key to its lock.
        let Some(runtime) = Handle::try_current().ok().filter(|_| !self.ended) else { return };
        let attempt = self.attempt.clone();
        runtime.spawn(async move {
            if let Err(failure) = attempt.abandon().await {
                warn!(error = %Chain(&failure), "could not give the key of an abandoned request back");
            }
        });
    }
}
