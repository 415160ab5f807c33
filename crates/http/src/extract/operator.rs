use std::{marker::PhantomData, pin::Pin};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};
use tenantry_auth::{Caller, SignedIn, authenticate_caller};
use tenantry_domain::{Actor, Context, Scope, Scopes, audit_forbidden, ports::Store};

use super::bearer::presented;
use crate::{
    client::RequestInfo, console::Door, flood::Floods, operation::Access, problem::Problem, routes::PathAccess, state::AppState,
};

/// An operator by its session, or an API key, that may do what the route is for.
#[derive(Clone)]
pub(crate) struct Operator<S> {
    caller: Caller,
    request: RequestInfo,
    store: PhantomData<fn() -> S>,
}

impl<S: Store> FromRequest for Operator<S> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<AppState<S>>>().cloned();
        let info = request.extensions().get::<RequestInfo>().cloned();
        let access = request.app_data::<PathAccess>().and_then(|access| access.of(request.method()));
        let floods = request.app_data::<Data<Floods>>().cloned();
        let token = state.as_ref().map(|state| presented(request, state, Door::Admin));
        let operation = format!("{} {}", request.method(), request.match_pattern().unwrap_or_default());
        Box::pin(async move {
            let (Some(state), Some(floods), Some(request)) = (state, floods, info) else { return Err(Problem::internal()) };
            let Some(access @ (Access::AnyOperator | Access::Operator(_))) = access else { return Err(Problem::internal()) };
            let token = token.ok_or_else(Problem::internal)??;
            let cx = state.context(&request, Actor::Anonymous);
            let caller = state.again(async || {
                let (keys, policy) = (&state.keys, &state.policy);
                let found = authenticate_caller(&state.store, &cx, keys, policy, &state.operator_keys, &token);
                floods.find(&state.keys, request.client_ip, found).await
            });
            let caller = caller.await?;
            if let Some(missing) = lacking(access, caller.scopes()) {
                let cx = Context { actor: caller.actor(), ..cx };
                audit_forbidden(&state.store, &cx, [missing].into_iter().collect(), Some(&operation)).await;
                return Err(Problem::lacks(missing));
            }
            Ok(Self { caller, request, store: PhantomData })
        })
    }
}

/// The scope that the route asks for, where it isn't granted.
fn lacking(access: Access, granted: Scopes) -> Option<Scope> {
    match access {
        Access::Operator(scope) if !granted.has(scope) => Some(scope),
        _ => None,
    }
}

impl<S: Store> Operator<S> {
    /// What use cases are told of this request.
    pub fn context<'a>(&self, state: &'a AppState<S>) -> Context<'a> {
        state.context(&self.request, self.caller.actor())
    }

    /// Who it is.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What it may do.
    pub fn scopes(&self) -> Scopes {
        self.caller.scopes()
    }

    /// The session of an operator who is signed in.
    pub fn signed_in(&self) -> Result<&SignedIn<tenantry_domain::Operator>, Problem> {
        match &self.caller {
            Caller::Operator(signed_in) => Ok(signed_in),
            Caller::ApiKey(_) | Caller::ConfiguredKey { .. } => Err(Problem::no_session()),
        }
    }
}
