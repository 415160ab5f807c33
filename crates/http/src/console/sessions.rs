//! Sessions, as their owner sees them at either door.

use actix_web::HttpResponse;
use tenantry_auth::{Account, revoke_session, sign_out_everywhere};
use tenantry_domain::{Context, Id, OperatorSession, Session, ports::Store};

use super::{
    agent,
    cookie::Door,
    form::Form,
    sign_in::left,
    view::{Moment, see_other},
};
use crate::{endpoints::State, problem::Problem};

/// A live session in a list.
pub(super) struct SessionRow {
    pub id: String,
    pub program: String,
    pub address: String,
    pub created_at: Moment,
    pub last_activity: Moment,
    pub expires_at: Moment,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl SessionRow {
    pub fn of_tenant(session: &Session, current: Option<Id<Session>>) -> Self {
        Self {
            id: session.id.to_string(),
            program: agent::in_words(session.user_agent.as_deref()),
            address: session.client_ip.map(|address| address.to_string()).unwrap_or_default(),
            created_at: Moment(session.created_at),
            last_activity: Moment(session.last_activity),
            expires_at: Moment(session.expires_at),
            current: Some(session.id) == current,
        }
    }

    pub fn of_operator(session: &OperatorSession, current: Id<OperatorSession>) -> Self {
        Self {
            id: session.id.to_string(),
            program: agent::in_words(session.user_agent.as_deref()),
            address: session.client_ip.map(|address| address.to_string()).unwrap_or_default(),
            created_at: Moment(session.created_at),
            last_activity: Moment(session.last_activity),
            expires_at: Moment(session.expires_at),
            current: session.id == current,
        }
    }
}

/// Ends the session that the form names, and goes back to the list of them at `here`. One that has ended meanwhile is as well.
pub(super) async fn end<S: Store, A: Account>(
    state: &State<S>,
    cx: &Context<'_>,
    account: Id<A>,
    form: &Form,
    here: &str,
) -> Result<HttpResponse, Problem> {
    let id = form.value("session").parse().map_err(|_| Problem::not_found())?;
    let ended = state.again(async || revoke_session::<S, A>(&state.store, cx, account, id).await).await?;
    Ok(see_other(format!("{here}?done={}", if ended { "ended" } else { "nothing" })))
}

/// Ends all of the account's sessions, and leaves.
pub(super) async fn end_all<S: Store, A: Account>(
    state: &State<S>,
    cx: &Context<'_>,
    account: Id<A>,
    door: Door,
) -> Result<HttpResponse, Problem> {
    state.again(async || sign_out_everywhere::<S, A>(&state.store, cx, account).await).await?;
    left(state, door)
}
