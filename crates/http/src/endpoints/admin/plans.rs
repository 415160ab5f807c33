//! Plans.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Plan, PlanId, PlanName, Quota, Scope, Timestamp, create_plan,
    ports::{PlanReads as _, Store},
};
use utoipa::ToSchema;

use crate::{
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Operator,
    once::KeyedBody,
    operation::{Operation, get, post},
    paging::{List, PageQuery, page_request},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/plans", web::to(list::<S>))
            .scope(Scope::PlansRead)
            .says("List plans", "All plans, newest first.")
            .query::<PageQuery>()
            .answers::<List<PlanJson>>(StatusCode::OK),
        post("/api/admin/plans", web::to(create::<S>))
            .scope(Scope::PlansWrite)
            .says("Make a plan", "Its quota is how many activations a tenant on it has each calendar month (UTC).")
            .body::<NewPlanJson>()
            .answers::<PlanJson>(StatusCode::CREATED)
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
        get("/api/admin/plans/{id}", web::to(read::<S>))
            .scope(Scope::PlansRead)
            .says("Read a plan", "Archived plans too.")
            .id::<schema::PlanId>()
            .answers::<PlanJson>(StatusCode::OK),
    ]
}

/// A plan to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPlan)]
#[serde(deny_unknown_fields)]
struct NewPlanJson {
    /// What it is called, unlike every other plan.
    #[schema(min_length = 1, max_length = 100, example = "Basic")]
    name: String,
    /// Activations a calendar month (UTC).
    #[schema(minimum = 1, maximum = 1_000_000, example = 100)]
    monthly_run_quota: i64,
}

/// A plan.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
struct PlanJson {
    #[schema(value_type = schema::PlanId)]
    id: PlanId,
    /// What it is called.
    #[schema(value_type = String, example = "Basic")]
    name: PlanName,
    /// Activations a calendar month (UTC).
    #[schema(example = 100)]
    monthly_run_quota: u32,
    /// Since when it takes no new tenants.
    #[schema(value_type = Option<schema::Moment>)]
    archived_at: Option<Timestamp>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

impl From<Plan> for PlanJson {
    fn from(plan: Plan) -> Self {
        Self {
            id: plan.id,
            name: plan.name,
            monthly_run_quota: plan.monthly_run_quota.get(),
            archived_at: plan.archived_at,
            created_at: plan.created_at,
            updated_at: plan.updated_at,
        }
    }
}

/// All plans.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().plans_page(page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |plan| plan.id, PlanJson::from)))
}

/// Makes a plan.
pub(crate) async fn create<S: Store>(state: State<S>, who: Operator<S>, mut body: KeyedBody) -> Answer {
    let new = body.read::<NewPlanJson>().await?;
    let mut fields = Fields::default();
    let name = fields.take("/name", PlanName::parse(&new.name));
    let quota = fields.take("/monthly_run_quota", Quota::new(new.monthly_run_quota));
    let (Some(name), Some(quota)) = (name, quota) else { return Err(fields.into_problem()) };
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let plan = create_plan(store, cx, name, quota).await?;
        let location = format!("/api/admin/plans/{}", plan.id);
        Ok(HttpResponse::Created().insert_header(("location", location)).json(PlanJson::from(plan)))
    })
    .await
}

/// One plan.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<PlanId>) -> Answer {
    let plan = state.store.reader().plan(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(PlanJson::from(plan)))
}
