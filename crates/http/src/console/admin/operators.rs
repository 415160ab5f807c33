//! Operators: who runs the portal.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    Email, NewOperator, Operator as OperatorRecord, OperatorChange, OperatorId, OperatorName, Role, Scope, change_operator,
    create_operator, delete_operator,
    ports::{OperatorReads as _, Store},
};

use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        view::{Moment, Pager, Shell, admin_shell, asked_page, page, see_other},
    },
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Operator,
    once::Keyed,
    operation::{Operation, get, post},
    problem::{Fields, Problem},
};

const HERE: &str = "/admin/operators";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/operators", web::to(list::<S>)).scope(Scope::OperatorsRead),
        get("/admin/operators/new", web::to(new::<S>)).scope(Scope::OperatorsWrite),
        post("/admin/operators/new", web::to(create::<S>)).scope(Scope::OperatorsWrite),
        get("/admin/operators/{id}", web::to(show::<S>)).scope(Scope::OperatorsRead),
        post("/admin/operators/{id}", web::to(save::<S>)).scope(Scope::OperatorsWrite),
        post("/admin/operators/{id}/delete", web::to(delete::<S>)).scope(Scope::OperatorsWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/operators.html")]
struct OperatorsPage<'a> {
    shell: &'a Shell,
    may_write: bool,
    operators: Vec<Row>,
    pager: Pager,
}

struct Row {
    id: OperatorId,
    name: String,
    email: String,
    role: &'static str,
    /// Whether it is the one that asks.
    you: bool,
    created_at: Moment,
    updated_at: Moment,
}

impl Row {
    fn new(operator: &OperatorRecord, me: Option<OperatorId>) -> Self {
        Self {
            id: operator.id,
            name: operator.name.to_string(),
            email: operator.email.as_str().to_owned(),
            role: operator.role.as_str(),
            you: me == Some(operator.id),
            created_at: Moment(operator.created_at),
            updated_at: Moment(operator.updated_at),
        }
    }
}

#[derive(Template)]
#[template(path = "console/admin/operator_new.html")]
struct NewOperatorPage<'a> {
    shell: &'a Shell,
    form: Form,
}

#[derive(Template)]
#[template(path = "console/admin/operator.html")]
struct OperatorPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    may_audit: bool,
    operator: Row,
}

/// The roles, and what they are for.
fn roles() -> Vec<Choice> {
    let says = |role: Role| match role {
        Role::Owner => "Owner: everything, other operators and API keys too",
        Role::Manager => "Manager: tenants, codes, projects and messages",
        Role::Viewer => "Viewer: looks, and changes nothing",
    };
    Role::ALL.into_iter().rev().map(|role| Choice::new(role.as_str(), says(role))).collect()
}

impl NewOperatorPage<'_> {
    fn roles() -> Vec<Choice> {
        roles()
    }
}

impl OperatorPage<'_> {
    fn roles() -> Vec<Choice> {
        roles()
    }
}

/// The operator who asks; none where an API key does.
pub(super) fn me<S: Store>(who: &Operator<S>) -> Option<OperatorId> {
    who.signed_in().ok().map(|signed_in| signed_in.account.id)
}

/// All operators, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let operators = state.store.reader().operators_page(asked_page(&asked)?).await?;
    let shell = admin_shell(&state, &who, HERE, &asked);
    let pager = Pager::new(HERE, &asked, &[], &operators, |operator| operator.id);
    let may_write = who.scopes().has(Scope::OperatorsWrite);
    let operators = operators.items.iter().map(|operator| Row::new(operator, me(&who))).collect();
    page(&shell, StatusCode::OK, &OperatorsPage { shell: &shell, may_write, operators, pager })
}

async fn new<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let shell = admin_shell(&state, &who, HERE, &asked);
    let form = Form::default().with("role", Role::Viewer.as_str()).keyed(state.entropy.as_ref());
    page(&shell, StatusCode::OK, &NewOperatorPage { shell: &shell, form })
}

async fn create<S: Store>(state: State<S>, who: Operator<S>, request: HttpRequest, mut body: FormBody) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let created = async {
        let mut fields = Fields::default();
        let name = fields.take("/name", OperatorName::parse(form.value("name")));
        let email = fields.take("/email", Email::parse(form.value("email")));
        let role = fields.take("/role", Role::parse(form.value("role")));
        let (Some(name), Some(email), Some(role)) = (name, email, role) else { return Err(fields.into_problem()) };
        keyed
            .answer_once(&sent, &state, who.context(&state), async |store, cx| {
                let operator = create_operator(store, cx, who.scopes(), NewOperator { name, email, role }).await?;
                Ok(see_other(format!("{HERE}/{}?done=invited", operator.id)))
            })
            .await
    };
    match created.await {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let problem = conflict_beside(problem, "/email");
            let (shell, status) = (admin_shell(&state, &who, HERE, &Form::default()), problem.code.status());
            page(&shell, status, &NewOperatorPage { shell: &shell, form: form.refused(problem) })
        }
    }
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<OperatorId>, asked: Form) -> Answer {
    answer(&state, &who, *id, &asked, StatusCode::OK, Form::default()).await
}

async fn save<S: Store>(state: State<S>, who: Operator<S>, id: Path<OperatorId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let saved = async {
        let mut fields = Fields::default();
        let name = fields.take("/name", OperatorName::parse(form.value("name")));
        let role = fields.take("/role", Role::parse(form.value("role")));
        let (name @ Some(_), role @ Some(_)) = (name, role) else { return Err(fields.into_problem()) };
        let change = OperatorChange { name, role };
        state.again(async || change_operator(&state.store, &who.context(&state), who.scopes(), *id, change.clone()).await).await
    };
    match saved.await {
        Ok(_) => Ok(see_other(format!("{HERE}/{id}?done=saved"))),
        Err(problem) => refused(&state, &who, *id, form, conflict_beside(problem, "/role")).await,
    }
}

/// What stands in the way of a form, beside the field that it is about: an address that is taken, the role of the last owner.
fn conflict_beside(problem: Problem, field: &str) -> Problem {
    if problem.code == ErrorCode::Conflict { problem.beside(field) } else { problem }
}

/// Removes the operator whose address was typed to say that it is meant.
async fn delete<S: Store>(state: State<S>, who: Operator<S>, id: Path<OperatorId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let deleted = async {
        let operator = find(&state, *id).await?;
        form.confirms("confirm", operator.email.as_str())?;
        state.again(async || delete_operator(&state.store, &who.context(&state), who.scopes(), *id).await).await
    };
    match deleted.await {
        Ok(()) => Ok(see_other(format!("{HERE}?done=deleted"))),
        Err(problem) => refused(&state, &who, *id, form, problem.beside("/confirm")).await,
    }
}

/// The operator's page again, with what was sent and why it was refused.
async fn refused<S: Store>(state: &State<S>, who: &Operator<S>, id: OperatorId, form: Form, problem: Problem) -> Answer {
    let status = problem.code.status();
    answer(state, who, id, &Form::default(), status, form.refused(problem)).await
}

async fn find<S: Store>(state: &State<S>, id: OperatorId) -> Result<OperatorRecord, Problem> {
    state.store.reader().operator(id).await?.ok_or_else(Problem::not_found)
}

async fn answer<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    id: OperatorId,
    asked: &Form,
    status: StatusCode,
    form: Form,
) -> Answer {
    let operator = find(state, id).await?;
    let form = form.or("name", &operator.name).or("role", operator.role.as_str());
    let shell = admin_shell(state, who, HERE, asked);
    let shown = OperatorPage {
        shell: &shell,
        form,
        may_write: who.scopes().has(Scope::OperatorsWrite),
        may_audit: who.scopes().has(Scope::AuditRead),
        operator: Row::new(&operator, me(who)),
    };
    page(&shell, status, &shown)
}
