//! Plans.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Plan, PlanChange, PlanId, PlanName, Quota, Scope, Timestamp, archive_plan, change_plan, create_plan, delete_plan,
    ports::{PlanFilter, PlanReads as _, Store},
    restore_plan,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::JsonBody,
    conditional::{IfMatch, IfNoneMatch, etag},
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Operator,
    once::KeyedBody,
    operation::{Operation, delete as delete_operation, get, patch, post},
    paging::{List, page_request, search_text},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/plans", web::to(list::<S>))
            .scope(Scope::PlansRead)
            .says("List plans", "All plans, newest first.")
            .query::<PlansQuery>()
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
            .answers::<PlanJson>(StatusCode::OK)
            .versioned(),
        patch("/api/admin/plans/{id}", web::to(change::<S>))
            .scope(Scope::PlansWrite)
            .says(
                "Change a plan",
                "What is absent stays as it is. A lower quota holds from the next activation on; what was activated stays so.",
            )
            .id::<schema::PlanId>()
            .body::<ChangePlanJson>()
            .answers::<PlanJson>(StatusCode::OK)
            .refuses(&[ErrorCode::Conflict])
            .conditional(),
        delete_operation("/api/admin/plans/{id}", web::to(delete::<S>))
            .scope(Scope::PlansWrite)
            .says("Delete a plan", "While a tenant is on it, it can be archived and not deleted.")
            .id::<schema::PlanId>()
            .answers_nothing()
            .refuses(&[ErrorCode::Conflict])
            .conditional(),
        post("/api/admin/plans/{id}/archive", web::to(archive::<S>))
            .scope(Scope::PlansWrite)
            .says("Archive a plan", "No tenant is put on it any more; those that are on it stay. Doing so again changes nothing.")
            .id::<schema::PlanId>()
            .answers::<PlanJson>(StatusCode::OK),
        post("/api/admin/plans/{id}/restore", web::to(restore::<S>))
            .scope(Scope::PlansWrite)
            .says("Restore a plan", "Tenants can be put on it again. Doing so again changes nothing.")
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

/// A change of a plan: what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangePlan)]
#[serde(deny_unknown_fields)]
struct ChangePlanJson {
    /// What it is called, unlike every other plan.
    #[schema(min_length = 1, max_length = 100, example = "Basic")]
    name: Option<String>,
    /// Activations a calendar month (UTC).
    #[schema(minimum = 1, maximum = 1_000_000, example = 100)]
    monthly_run_quota: Option<i64>,
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

impl ChangePlanJson {
    fn parse(&self) -> Result<PlanChange, Problem> {
        let mut fields = Fields::default();
        let name = fields.parse_optional("/name", self.name.as_ref(), PlanName::parse);
        let quota = fields.take_optional("/monthly_run_quota", self.monthly_run_quota.map(Quota::new));
        match (name, quota) {
            (Some(name), Some(monthly_run_quota)) => Ok(PlanChange { name, monthly_run_quota }),
            _ => Err(fields.into_problem()),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlansQuery {
    /// Those whose name contains this, in any case.
    #[param(max_length = 200)]
    search: Option<String>,
    /// Those that are archived, or aren't.
    archived: Option<bool>,
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    count: Option<bool>,
}

/// Plans.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<PlansQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let filter = PlanFilter { search: search_text(query.search.as_deref())?, archived: query.archived };
    let page = state.store.reader().plans_page(&filter, page).await?;
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
        let mut created = HttpResponse::Created();
        Ok(created.insert_header(("location", location)).insert_header(etag(plan.version())).json(PlanJson::from(plan)))
    })
    .await
}

/// One plan.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<PlanId>, seen: IfNoneMatch) -> Answer {
    let plan = state.store.reader().plan(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(seen.answer(plan.version(), PlanJson::from(plan)))
}

/// Changes the fields that are sent.
async fn change<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>, if_match: IfMatch, body: JsonBody) -> Answer {
    let expected = if_match.expected()?;
    let change = body.read::<ChangePlanJson>().await?.parse()?;
    let plan =
        state.again(async || change_plan(&state.store, &who.context(&state), *id, change.clone(), &expected).await).await?;
    Ok(HttpResponse::Ok().insert_header(etag(plan.version())).json(PlanJson::from(plan)))
}

/// Deletes a plan that nobody is on.
async fn delete<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>, if_match: IfMatch) -> Answer {
    let expected = if_match.expected()?;
    state.again(async || delete_plan(&state.store, &who.context(&state), *id, &expected).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a plan off the market.
async fn archive<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>) -> Answer {
    let plan = state.again(async || archive_plan(&state.store, &who.context(&state), *id).await).await?;
    Ok(HttpResponse::Ok().json(PlanJson::from(plan)))
}

/// Puts it back.
async fn restore<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>) -> Answer {
    let plan = state.again(async || restore_plan(&state.store, &who.context(&state), *id).await).await?;
    Ok(HttpResponse::Ok().json(PlanJson::from(plan)))
}
