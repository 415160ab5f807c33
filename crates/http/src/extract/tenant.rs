use std::{
    future::{Ready, ready},
    marker::PhantomData,
    pin::Pin,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};
use tenantry_auth::{SignedIn, authenticate, authenticate_with_projects};
use tenantry_domain::{Actor, Context, Page, PageRequest, Project, Session, Tenant, TenantId, ports::Store};

use super::bearer::presented;
use crate::{
    client::RequestInfo, console::Door, flood::Floods, operation::Access, problem::Problem, routes::PathAccess, state::AppState,
};

/// Whoever presents a tenant's session token, before anybody has looked whether it is good for anything.
pub(crate) struct TenantDoor<S> {
    state: Data<AppState<S>>,
    floods: Data<Floods>,
    request: RequestInfo,
    token: String,
}

impl<S: Store> TenantDoor<S> {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let state = request.app_data::<Data<AppState<S>>>().cloned();
        let info = request.extensions().get::<RequestInfo>().cloned();
        let floods = request.app_data::<Data<Floods>>().cloned();
        let access = request.app_data::<PathAccess>().and_then(|access| access.of(request.method()));
        let (Some(state), Some(floods), Some(info), Some(Access::Tenant)) = (state, floods, info, access) else {
            return Err(Problem::internal());
        };
        let token = presented(request, &state, Door::Tenant)?;
        Ok(Self { state, floods, request: info, token })
    }

    /// Lets a signed-in tenant in.
    pub async fn enter(self) -> Result<TenantSession<S>, Problem> {
        let Self { state, floods, request, token } = self;
        let found = state.again(async || {
            let found = authenticate(&state.store, state.clock.now(), &state.keys, &state.policy, &token);
            floods.find(&state.keys, request.client_ip, found).await
        });
        let found = found.await?;
        Ok(TenantSession::of(found, request))
    }

    /// The same, with a page of its projects in the same query.
    pub async fn enter_with_projects(self, page: PageRequest<Project>) -> Result<(TenantSession<S>, Page<Project>), Problem> {
        let Self { state, floods, request, token } = self;
        let found = state.again(async || {
            let found = authenticate_with_projects(&state.store, state.clock.now(), &state.keys, &state.policy, &token, page);
            floods.find(&state.keys, request.client_ip, found).await
        });
        let (found, projects) = found.await?;
        Ok((TenantSession::of(found, request), projects))
    }
}

impl<S: Store> FromRequest for TenantDoor<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

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
        let door = TenantDoor::of(request);
        Box::pin(async move { door?.enter().await })
    }
}

impl<S: Store> TenantSession<S> {
    fn of(SignedIn { session, account }: SignedIn<Tenant>, request: RequestInfo) -> Self {
        Self { tenant: account, session, request, store: PhantomData }
    }

    /// The tenant's identifier.
    pub fn id(&self) -> TenantId {
        self.tenant.id
    }

    /// What use cases are told of this request.
    pub fn context<'a>(&self, state: &'a AppState<S>) -> Context<'a> {
        state.context(&self.request, Actor::Tenant { tenant: self.tenant.id, session: self.session.id })
    }
}
