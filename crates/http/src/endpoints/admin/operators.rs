//! Operators.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Email, NewOperator, OperatorChange, OperatorId, OperatorName, Role, Scope, Timestamp, change_operator, create_operator,
    delete_operator,
    ports::{OperatorReads as _, Store},
};
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Operator,
    once::KeyedBody,
    operation::{Operation, delete, get, patch, post},
    paging::{List, PageQuery, page_request},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/operators", web::to(list::<S>))
            .scope(Scope::OperatorsRead)
            .says("List operators", "All operators, newest first.")
            .query::<PageQuery>()
            .answers::<List<OperatorJson>>(StatusCode::OK),
        post("/api/admin/operators", web::to(create::<S>))
            .scope(Scope::OperatorsWrite)
            .says(
                "Make an operator",
                "It signs in with its address from then on. A role that may do more than the caller is refused.",
            )
            .body::<NewOperatorJson>()
            .answers::<OperatorJson>(StatusCode::CREATED)
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
        get("/api/admin/operators/{id}", web::to(read::<S>))
            .scope(Scope::OperatorsRead)
            .says("Read an operator", "One operator.")
            .id::<schema::OperatorId>()
            .answers::<OperatorJson>(StatusCode::OK),
        patch("/api/admin/operators/{id}", web::to(change::<S>))
            .scope(Scope::OperatorsWrite)
            .says(
                "Change an operator",
                "Its name or its role, which holds from its next request on. The last owner can't be demoted, and who may do more than \
                the caller can't be changed.",
            )
            .id::<schema::OperatorId>()
            .body::<ChangeJson>()
            .answers::<OperatorJson>(StatusCode::OK)
            .refuses(&[ErrorCode::Conflict]),
        delete("/api/admin/operators/{id}", web::to(remove::<S>))
            .scope(Scope::OperatorsWrite)
            .says(
                "Remove an operator",
                "Its sessions end at once; the API keys that it made go on. The last owner can't be removed, nor who may do more than the \
                caller.",
            )
            .id::<schema::OperatorId>()
            .answers_nothing()
            .refuses(&[ErrorCode::Conflict]),
    ]
}

/// An operator to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewOperator)]
#[serde(deny_unknown_fields)]
struct NewOperatorJson {
    /// What it is called.
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    name: String,
    /// What it signs in with, and where its one-time passwords go; unlike every other operator's, in any case.
    #[schema(max_length = 254, example = "ada@portal.example")]
    email: String,
    #[schema(value_type = schema::Role)]
    role: String,
}

/// A change: what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeOperator)]
#[serde(deny_unknown_fields)]
struct ChangeJson {
    /// What it is called.
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    name: Option<String>,
    #[schema(value_type = Option<schema::Role>)]
    role: Option<String>,
}

/// An operator.
#[derive(Serialize, ToSchema)]
#[schema(as = Operator)]
pub(crate) struct OperatorJson {
    #[schema(value_type = schema::OperatorId)]
    id: OperatorId,
    /// What it is called.
    #[schema(value_type = String, example = "Ada Lovelace")]
    name: OperatorName,
    /// What it signs in with.
    #[schema(value_type = String, example = "ada@portal.example")]
    email: Email,
    #[schema(value_type = schema::Role)]
    role: &'static str,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

impl From<tenantry_domain::Operator> for OperatorJson {
    fn from(operator: tenantry_domain::Operator) -> Self {
        Self {
            id: operator.id,
            name: operator.name,
            email: operator.email,
            role: operator.role.as_str(),
            created_at: operator.created_at,
            updated_at: operator.updated_at,
        }
    }
}

impl NewOperatorJson {
    fn parse(&self) -> Result<NewOperator, Problem> {
        let mut fields = Fields::default();
        let name = fields.take("/name", OperatorName::parse(&self.name));
        let email = fields.take("/email", Email::parse(&self.email));
        let role = fields.take("/role", Role::parse(&self.role));
        match (name, email, role) {
            (Some(name), Some(email), Some(role)) => Ok(NewOperator { name, email, role }),
            _ => Err(fields.into_problem()),
        }
    }
}

impl ChangeJson {
    fn parse(&self) -> Result<OperatorChange, Problem> {
        let mut fields = Fields::default();
        let name = fields.take_optional("/name", self.name.as_deref().map(OperatorName::parse));
        let role = fields.take_optional("/role", self.role.as_deref().map(Role::parse));
        match (name, role) {
            (Some(name), Some(role)) => Ok(OperatorChange { name, role }),
            _ => Err(fields.into_problem()),
        }
    }
}

/// All operators.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().operators_page(page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |operator| operator.id, OperatorJson::from)))
}

/// Makes an operator.
pub(crate) async fn create<S: Store>(state: State<S>, who: Operator<S>, mut body: KeyedBody) -> Answer {
    let new = body.read::<NewOperatorJson>().await?.parse()?;
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let operator = create_operator(store, cx, who.scopes(), new).await?;
        let location = format!("/api/admin/operators/{}", operator.id);
        Ok(HttpResponse::Created().insert_header(("location", location)).json(OperatorJson::from(operator)))
    })
    .await
}

/// One operator.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<OperatorId>) -> Answer {
    let operator = state.store.reader().operator(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(OperatorJson::from(operator)))
}

/// Changes an operator's name or role.
pub(crate) async fn change<S: Store>(state: State<S>, who: Operator<S>, id: Path<OperatorId>, body: JsonBody) -> Answer {
    let change = body.read::<ChangeJson>().await?.parse()?;
    let operator = state
        .again(async || change_operator(&state.store, &who.context(&state), who.scopes(), *id, change.clone()).await)
        .await?;
    Ok(HttpResponse::Ok().json(OperatorJson::from(operator)))
}

/// Removes an operator and ends its sessions.
pub(crate) async fn remove<S: Store>(state: State<S>, who: Operator<S>, id: Path<OperatorId>) -> Answer {
    state.again(async || delete_operator(&state.store, &who.context(&state), who.scopes(), *id).await).await?;
    Ok(HttpResponse::NoContent().finish())
}
