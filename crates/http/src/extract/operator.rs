use std::{
    future::{Ready, ready},
    marker::PhantomData,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};
use tenantry_auth::ApiKeyToken;
use tenantry_domain::{Actor, Context, Scopes, ports::Store};

use super::bearer::bearer;
use crate::{client::RequestInfo, operation::Access, problem::Problem, routes::PathAccess, state::AppState};

/// An operator, by its API key.
pub(crate) struct Operator<S> {
    key_name: String,
    request: RequestInfo,
    store: PhantomData<fn() -> S>,
}

impl<S: Store> FromRequest for Operator<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(identify(request))
    }
}

fn identify<S: Store>(request: &HttpRequest) -> Result<Operator<S>, Problem> {
    let state = request.app_data::<Data<AppState<S>>>().ok_or_else(Problem::internal)?;
    let info = request.extensions().get::<RequestInfo>().cloned().ok_or_else(Problem::internal)?;
    let access = request.app_data::<PathAccess>().and_then(|access| access.of(request.method()));
    let Some(access @ (Access::AnyOperator | Access::Operator(_))) = access else { return Err(Problem::internal()) };
    let presented = bearer(request).and_then(|token| ApiKeyToken::parse(token).ok()).ok_or_else(Problem::unauthenticated)?;
    let key = state.operator_keys.iter().find(|key| key.matches(&presented, &state.keys)).ok_or_else(Problem::unauthenticated)?;
    permit(access, Scopes::all())?;
    Ok(Operator { key_name: key.name().to_owned(), request: info, store: PhantomData })
}

/// `Ok` where the route asks for no scope, or for one that is granted.
fn permit(access: Access, granted: Scopes) -> Result<(), Problem> {
    match access {
        Access::Operator(scope) if !granted.has(scope) => Err(Problem::lacks(scope)),
        _ => Ok(()),
    }
}

impl<S: Store> Operator<S> {
    /// What use cases are told of this request.
    pub fn context<'a>(&self, state: &'a AppState<S>) -> Context<'a> {
        state.context(&self.request, Actor::ApiKey(self.key_name.clone()))
    }
}
