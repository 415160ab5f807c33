use std::{marker::PhantomData, pin::Pin};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};
use tenantry_auth::{SignedIn, authenticate};
use tenantry_domain::{Actor, Context, Session, Tenant, TenantId, ports::Store};

use super::bearer::presented;
use crate::{
    client::RequestInfo, console::Door, flood::Floods, operation::Access, problem::Problem, routes::PathAccess, state::AppState,
};

/// A signed-in tenant, by its session token.
pub(crate) struct TenantSession<S> {
    pub tenant: Tenant,
    pub session: Session,
    request: RequestInfo,
    store: PhantomData<fn() -> S>,
}

impl<S: Store> FromRequest for TenantSession<S> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<AppState<S>>>().cloned();
        let info = request.extensions().get::<RequestInfo>().cloned();
        let floods = request.app_data::<Data<Floods>>().cloned();
        let token = state.as_ref().map(|state| presented(request, state, Door::Tenant));
        let access = request.app_data::<PathAccess>().and_then(|access| access.of(request.method()));
        Box::pin(async move {
            let (Some(state), Some(floods), Some(request), Some(Access::Tenant)) = (state, floods, info, access) else {
                return Err(Problem::internal());
            };
            let token = token.ok_or_else(Problem::internal)??;
            let now = state.clock.now();
            let found = authenticate(&state.store, now, &state.keys, &state.policy, &token);
            let SignedIn { session, account } = floods.find(&state.keys, request.client_ip, found).await?;
            Ok(Self { tenant: account, session, request, store: PhantomData })
        })
    }
}

impl<S: Store> TenantSession<S> {
    /// The tenant's identifier.
    pub fn id(&self) -> TenantId {
        self.tenant.id
    }

    /// What use cases are told of this request.
    pub fn context<'a>(&self, state: &'a AppState<S>) -> Context<'a> {
        state.context(&self.request, Actor::Tenant { tenant: self.tenant.id, session: self.session.id })
    }
}
