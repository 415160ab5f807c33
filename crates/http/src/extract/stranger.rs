use std::{
    future::{Ready, ready},
    marker::PhantomData,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};
use tenantry_domain::{Actor, Context, ports::Store};

use crate::{client::RequestInfo, flood::Floods, problem::Problem, state::AppState};

/// Somebody at a door for which nobody need be signed in, who is no part of a flood: found out before the body is read.
pub(crate) struct Stranger<S> {
    request: RequestInfo,
    store: PhantomData<fn() -> S>,
}

impl<S: Store> FromRequest for Stranger<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl<S: Store> Stranger<S> {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let state = request.app_data::<Data<AppState<S>>>().ok_or_else(Problem::internal)?;
        let doors = &request.app_data::<Data<Floods>>().ok_or_else(Problem::internal)?.doors;
        let info = request.extensions().get::<RequestInfo>().cloned().ok_or_else(Problem::internal)?;
        doors.check(&state.keys, info.client_ip)?;
        doors.count(&state.keys, info.client_ip);
        Ok(Self { request: info, store: PhantomData })
    }

    /// What use cases are told of this request.
    pub fn context<'a>(&self, state: &'a AppState<S>) -> Context<'a> {
        state.context(&self.request, Actor::Anonymous)
    }
}
