//! The routes: each reads a request into the domain's types, calls one use case, and answers.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tenantry_domain::{
    ActivateProject, ActivateWith, Branding, CheckCode, ClientName, CodeId, CodeOrder, Email, NewProject, NewTenant, PlainCode,
    PlanName, Project, ProjectDetails, ProjectId, Quota, Refusal, Slug, TenantId, TenantName, Usable, activate_project,
    check_code, create_plan, create_project, create_tenant, generate_codes, ports::Store, revoke_code,
};
use time::Duration;

use crate::{answer::No, service::Service};

type Answer = Result<(StatusCode, Json<Value>), No>;

/// All routes, on whichever store.
pub fn routes<S: Store>(service: Service<S>) -> Router {
    Router::new()
        .route("/customers", post(new_customer::<S>))
        .route("/customers/{customer}/codes", post(issue::<S>))
        .route("/customers/{customer}/projects", post(new_project::<S>))
        .route("/customers/{customer}/projects/{project}/activate", post(activate::<S>))
        .route("/customers/{customer}/projects/{project}/check", post(check::<S>))
        .route("/codes/{code}", delete(revoke::<S>))
        .with_state(service)
}

#[derive(Deserialize)]
struct NewCustomer {
    slug: String,
    email: String,
    activations_a_month: i64,
}

/// A customer with a plan of its own. A service that sells three plans makes those three once.
async fn new_customer<S: Store>(State(service): State<Service<S>>, Json(body): Json<NewCustomer>) -> Answer {
    let (slug, contact_email) = (Slug::parse(&body.slug)?, Email::parse(&body.email)?);
    let (plan, quota) = (PlanName::parse(&body.slug)?, Quota::new(body.activations_a_month)?);
    let cx = service.call();
    let plan_id = create_plan(&service.store, &cx, plan, quota).await?.id;
    let name = TenantName::parse(slug.as_str())?;
    let new = NewTenant { slug, name, contact_email, plan_id, branding: Branding::default() };
    let created = create_tenant(&service.store, &cx, service.hasher(), new).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": created.tenant.id }))))
}

#[derive(Deserialize)]
struct Order {
    count: u32,
    days: Option<u16>,
}

/// Codes: the answer alone has their texts, the store has digests.
async fn issue<S: Store>(State(service): State<Service<S>>, Path(customer): Path<TenantId>, Json(body): Json<Order>) -> Answer {
    let ttl = body.days.map(|days| Duration::days(days.into()));
    let order = CodeOrder { count: body.count, ttl, ..CodeOrder::default() };
    let batch = generate_codes(&service.store, &service.call(), service.hasher(), customer, order).await?;
    let codes: Vec<_> = batch.codes.iter().map(|code| json!({ "id": code.id, "code": code.code.reveal() })).collect();
    Ok((StatusCode::CREATED, Json(json!({ "codes": codes, "expires_at": batch.expires_at }))))
}

#[derive(Deserialize)]
struct NamedProject {
    name: String,
}

/// A project, which waits for its code.
async fn new_project<S: Store>(
    State(service): State<Service<S>>,
    Path(customer): Path<TenantId>,
    Json(body): Json<NamedProject>,
) -> Answer {
    let client_name = ClientName::parse(&body.name)?;
    let details = ProjectDetails { client_name, description: None, objectives: None, priority: None };
    let new = NewProject { slug: None, details };
    let project = create_project(&service.store, &service.call(), customer, new).await?;
    Ok((StatusCode::CREATED, shown(&project)))
}

#[derive(Deserialize)]
struct Typed {
    code: String,
}

/// Activates a project, exactly once. Whoever missed the answer asks again, and is answered the same.
async fn activate<S: Store>(
    State(service): State<Service<S>>,
    Path((tenant, project)): Path<(TenantId, ProjectId)>,
    Json(body): Json<Typed>,
) -> Answer {
    let code = PlainCode::parse(&body.code).map_err(|invalid| No::Refused(Refusal::Malformed(invalid)))?;
    let request = ActivateProject { tenant, project, with: ActivateWith::Code(code.into()), guesses: None };
    let active = activate_project(&service.store, &service.call(), service.hasher(), &request).await?;
    Ok((StatusCode::OK, shown(&active)))
}

/// What [`activate`] would answer, for those who are asked "why doesn't my code work?". It takes nothing.
async fn check<S: Store>(
    State(service): State<Service<S>>,
    Path((tenant, project)): Path<(TenantId, ProjectId)>,
    Json(body): Json<Typed>,
) -> Answer {
    let request = CheckCode { text: &body.code, tenant: Some(tenant), project: Some(project) };
    let checked = check_code(&service.store, service.call().now, service.hasher(), request).await?;
    let answer = match checked.verdict {
        Ok(Usable::Now) => json!({ "usable": true, "reason": null, "why": "it activates the project" }),
        Ok(Usable::Again) => json!({ "usable": true, "reason": null, "why": "it activated the project before" }),
        Err(refusal) => json!({ "usable": false, "reason": refusal.reason(), "why": refusal.to_string() }),
    };
    Ok((StatusCode::OK, Json(answer)))
}

/// Takes a code back, for good.
async fn revoke<S: Store>(State(service): State<Service<S>>, Path(code): Path<CodeId>) -> Result<StatusCode, No> {
    revoke_code(&service.store, &service.call(), code).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(project: &Project) -> Json<Value> {
    Json(json!({ "id": project.id, "status": project.status.as_str(), "started_at": project.started_at }))
}
