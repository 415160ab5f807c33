//! One project of a tenant: what it is, what can be done with it now, and its activation.

use std::cell::Cell;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, ContentDisposition, DispositionParam, DispositionType},
    },
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    ActivateProject, ActivateWith, CodeHasher as _, Limit, Project, ProjectChange, ProjectId, ProjectStatus, ReturnLimits,
    Transition, activate_project, change_project, delete_project,
    ports::{ProjectReads as _, Store},
    return_own_activation, transition_project,
};

use super::projects::details;
use crate::{
    console::{
        form::Form,
        form_body::FormBody,
        view::{Moment, Shell, Tag, page, see_other, tenant_shell},
    },
    endpoints::{Answer, State, tenant::certificate::certify},
    extract::TenantSession,
    observer::{Occasion, answered_again, told_as_a_page},
    once::Keyed,
    operation::{Operation, get, post},
    problem::{Fields, Problem},
};

const HERE: &str = "/tenant";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/tenant/projects/{id}", web::to(show::<S>)).tenant(),
        post("/tenant/projects/{id}", web::to(save::<S>)).tenant(),
        get("/tenant/projects/{id}/certificate", web::to(certificate::<S>)).tenant(),
        post("/tenant/projects/{id}/activate", web::to(activate::<S>)).tenant().counted(Occasion::Activation),
        post("/tenant/projects/{id}/pause", web::to(pause::<S>)).tenant(),
        post("/tenant/projects/{id}/resume", web::to(resume::<S>)).tenant(),
        post("/tenant/projects/{id}/complete", web::to(complete::<S>)).tenant(),
        post("/tenant/projects/{id}/return", web::to(give_back::<S>)).tenant(),
        post("/tenant/projects/{id}/delete", web::to(delete::<S>)).tenant(),
    ]
}

#[derive(Template)]
#[template(path = "console/tenant/project.html")]
struct ProjectPage<'a> {
    shell: &'a Shell,
    form: Form,
    id: ProjectId,
    slug: String,
    client_name: String,
    status: ProjectStatus,
    code: Option<String>,
    started_at: Option<Moment>,
    completed_at: Option<Moment>,
    created_at: Moment,
}

impl ProjectPage<'_> {
    fn tag(&self) -> Tag {
        Tag::project(self.status)
    }

    fn is(&self, word: &str) -> bool {
        self.status.as_str() == word
    }
}

async fn show<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, asked: Form) -> Answer {
    let project = find(&state, &who, *id).await?;
    answer(&state, &who, &asked, StatusCode::OK, &project, Form::default())
}

async fn save<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let saved = async {
        let mut fields = Fields::default();
        let change: ProjectChange = details(&form, &mut fields).ok_or_else(|| fields.into_problem())?.into();
        state
            .again(async || {
                change_project(&state.store, &who.context(&state), who.id(), *id, change.clone(), &form.expected()).await
            })
            .await
    };
    match saved.await {
        Ok(_) => Ok(done(*id, "saved")),
        Err(problem) => refused(&state, &who, *id, form, problem).await,
    }
}

/// Activates with the code that was typed, or with the next that is available.
async fn activate<S: Store>(
    state: State<S>,
    who: TenantSession<S>,
    id: Path<ProjectId>,
    request: HttpRequest,
    mut body: FormBody,
) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let was_active = Cell::new(false);
    let activated = async {
        let with = if form.ticked("next_available") {
            ActivateWith::NextAvailable
        } else {
            let code = state.keys.read(form.value("code"));
            ActivateWith::Code(code.map_err(Problem::code_malformed)?)
        };
        let guesses = Limit { bucket: state.keys.guesses_bucket(who.id()), rate: state.policy.guesses_per_tenant };
        let activation = ActivateProject { tenant: who.id(), project: *id, with, guesses: Some(guesses) };
        keyed
            .harmless()
            .answer_once(&sent, &state, who.context(&state), async |store, cx| {
                let project = activate_project(store, cx, state.keys.as_ref(), &activation).await?;
                was_active.set(project.started_at != Some(cx.now));
                Ok(done(*id, "activated"))
            })
            .await
    };
    match activated.await {
        Ok(answer) => Ok(if was_active.get() { answered_again(answer) } else { answer }),
        Err(problem) => {
            let told = (problem.code, problem.failure);
            let answer = refused(&state, &who, *id, form, problem.beside("/code")).await;
            answer.map(|response| told_as_a_page(response, told))
        }
    }
}

/// The certificate as a file.
async fn certificate<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    match certify(&state, who.id(), *id).await {
        Ok(issued) => {
            let file = DispositionParam::Filename(format!("{}.jwt", *id));
            let attached = ContentDisposition { disposition: DispositionType::Attachment, parameters: vec![file] };
            let answer = (header::CONTENT_TYPE, "application/jwt");
            Ok(HttpResponse::Ok().insert_header(attached).insert_header(answer).body(issued.signed.certificate))
        }
        Err(failure) => refused(&state, &who, *id, Form::default(), failure.into()).await,
    }
}

async fn pause<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    transition(&state, &who, *id, Transition::Pause, "paused").await
}

async fn resume<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    transition(&state, &who, *id, Transition::Resume, "resumed").await
}

async fn complete<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    transition(&state, &who, *id, Transition::Complete, "completed").await
}

async fn transition<S: Store>(
    state: &State<S>,
    who: &TenantSession<S>,
    id: ProjectId,
    transition: Transition,
    word: &str,
) -> Answer {
    match state.again(async || transition_project(&state.store, &who.context(state), who.id(), id, transition).await).await {
        Ok(_) => Ok(done(id, word)),
        Err(failure) => refused(state, who, id, Form::default(), failure).await,
    }
}

async fn give_back<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    let (policy, bucket) = (&state.policy, state.keys.returns_bucket(who.id()));
    let limits = ReturnLimits { grace: policy.return_grace, bucket, rate: policy.returns_per_tenant };
    match state.again(async || return_own_activation(&state.store, &who.context(&state), who.id(), *id, &limits).await).await {
        Ok(_) => Ok(done(*id, "returned")),
        Err(failure) => refused(&state, &who, *id, Form::default(), failure).await,
    }
}

/// Deletes the project whose name was typed to say that it is meant.
async fn delete<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let deleted = async {
        let project = find(&state, &who, *id).await?;
        form.confirms("confirm", project.slug.as_str())?;
        state.again(async || delete_project(&state.store, &who.context(&state), who.id(), *id, &form.expected()).await).await
    };
    match deleted.await {
        Ok(()) => Ok(see_other("/tenant?done=deleted")),
        Err(problem) => refused(&state, &who, *id, form, problem).await,
    }
}

fn done(id: ProjectId, word: &str) -> HttpResponse {
    see_other(format!("/tenant/projects/{id}?done={word}"))
}

async fn find<S: Store>(state: &State<S>, who: &TenantSession<S>, id: ProjectId) -> Result<Project, Problem> {
    state.store.reader().project(who.id(), id).await?.ok_or_else(Problem::not_found)
}

/// The project's page again, with what was sent and why it was refused. What another form of the page holds is as it is stored.
async fn refused<S: Store>(state: &State<S>, who: &TenantSession<S>, id: ProjectId, form: Form, problem: Problem) -> Answer {
    let (project, status) = (find(state, who, id).await?, problem.code.status());
    answer(state, who, &Form::default(), status, &project, form.refused(problem))
}

fn answer<S: Store>(
    state: &State<S>,
    who: &TenantSession<S>,
    asked: &Form,
    status: StatusCode,
    project: &Project,
    form: Form,
) -> Answer {
    let details = &project.details;
    let text = |value: Option<String>| value.unwrap_or_default();
    let form = form
        .or("client_name", &details.client_name)
        .or("description", text(details.description.as_ref().map(ToString::to_string)))
        .or("objectives", text(details.objectives.as_ref().map(ToString::to_string)))
        .or("priority", text(details.priority.as_ref().map(ToString::to_string)))
        .or("version", project.version())
        .keyed(state.entropy.as_ref());
    let shell = tenant_shell(state, who, HERE, asked);
    let shown = ProjectPage {
        shell: &shell,
        form,
        id: project.id,
        slug: project.slug.to_string(),
        client_name: details.client_name.to_string(),
        status: project.status,
        code: project.activation_code_id.map(|code| code.to_string()),
        started_at: project.started_at.map(Moment),
        completed_at: project.completed_at.map(Moment),
        created_at: Moment(project.created_at),
    };
    page(&shell, status, &shown)
}
