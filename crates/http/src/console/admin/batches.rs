//! Batches: the codes of one issue as one thing, which can be revoked whole.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    Batch, BatchId, BatchSource, BatchState, Label, Scope,
    ports::{BatchFilter, BatchReads as _, Store},
    revoke_batch,
};

use super::{
    dashboard::grouped,
    lookup::{Owner, named_tenant, owner, owners},
};
use crate::{
    console::{
        form::Form,
        form_body::FormBody,
        list::found,
        view::{Moment, Pager, Shell, Tag, admin_shell, asked_page, page, see_other},
    },
    endpoints::{Answer, State},
    extract::Operator,
    long_work::LongWork,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/codes";
const LIST: &str = "/admin/batches";
const FILTERS: [&str; 2] = ["tenant", "label"];

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/batches", web::to(list::<S>)).scope(Scope::CodesRead),
        get("/admin/batches/{id}", web::to(show::<S>)).scope(Scope::CodesRead),
        post("/admin/batches/{id}/revoke", web::to(revoke::<S>)).scope(Scope::CodesWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/batches.html")]
struct BatchesPage<'a> {
    shell: &'a Shell,
    tab: &'static str,
    form: Form,
    batches: Vec<Row>,
    pager: Pager,
}

impl BatchesPage<'_> {
    fn is_filtered(&self) -> bool {
        FILTERS.iter().any(|name| self.form.optional(name).is_some())
    }
}

#[derive(Template)]
#[template(path = "console/admin/batch.html")]
struct BatchPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    batch: Row,
    /// Codes by their status.
    counts: [(&'static str, &'static str, String); 4],
    max_uses: Option<u32>,
    expires_at: Option<Moment>,
    source: &'static str,
    /// The form that issues as many more, where these were issued.
    anew: Option<String>,
}

struct Row {
    id: BatchId,
    owner: Option<Owner>,
    label: String,
    ordered: String,
    issued: String,
    tag: Tag,
    created_at: Moment,
}

impl Row {
    fn of(batch: &Batch, owner: Option<Owner>) -> Self {
        let tone = match batch.state {
            BatchState::Complete => "good",
            BatchState::Issuing => "warn",
            BatchState::Cancelled => "bad",
        };
        Self {
            id: batch.id,
            owner,
            label: batch.label.as_ref().map(ToString::to_string).unwrap_or_default(),
            ordered: grouped(batch.ordered.into()),
            issued: grouped(batch.issued.into()),
            tag: Tag::new(batch.state.as_str(), tone),
            created_at: Moment(batch.created_at),
        }
    }
}

async fn wanted<S: Store>(state: &State<S>, asked: &Form) -> Result<BatchFilter, Problem> {
    let label = asked.optional("label").map(Label::parse).transpose().map_err(|invalid| Problem::field("?label", invalid))?;
    Ok(BatchFilter { tenant: named_tenant(state, asked, "tenant").await?, label })
}

/// The batches that are asked for, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let request = asked_page(&asked)?;
    let batches = async {
        let filter = wanted(&state, &asked).await?;
        Ok::<_, Problem>(state.store.reader().batches_of_anyone_page(&filter, request).await?)
    };
    let batches = batches.await;
    let (status, form, batches) = found(asked, batches)?;
    let owners = owners(&state, &who, batches.items.iter().map(|batch| batch.tenant_id)).await?;
    let shell = admin_shell(&state, &who, HERE, &form);
    let pager = Pager::new(LIST, &form, &FILTERS, &batches, |batch| batch.id);
    let batches = batches.items.iter().map(|batch| Row::of(batch, owners.get(&batch.tenant_id).cloned())).collect();
    page(&shell, status, &BatchesPage { shell: &shell, tab: "batches", form, batches, pager })
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<BatchId>, asked: Form) -> Answer {
    answer(&state, &who, *id, &asked, StatusCode::OK, Form::default()).await
}

/// Revokes all codes of the batch whose number was typed to say that it is meant.
async fn revoke<S: Store>(state: State<S>, who: Operator<S>, id: Path<BatchId>, body: FormBody, long: LongWork) -> Answer {
    let form = body.read().await?;
    let revoked = async {
        let batch = find(&state, *id).await?;
        form.confirms("confirm", &batch.issued.to_string())?;
        let _place = long.begin()?;
        state.again(async || revoke_batch(&state.store, &who.context(&state), *id).await).await
    };
    match revoked.await {
        Ok(_) => Ok(see_other(format!("{LIST}/{id}?done=revoked"))),
        Err(problem) => {
            let status = problem.code.status();
            answer(&state, &who, *id, &Form::default(), status, form.refused(problem)).await
        }
    }
}

async fn find<S: Store>(state: &State<S>, id: BatchId) -> Result<Batch, Problem> {
    state.store.reader().batch_of_anyone(id).await?.ok_or_else(Problem::not_found)
}

async fn answer<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    id: BatchId,
    asked: &Form,
    status: StatusCode,
    form: Form,
) -> Answer {
    let batch = find(state, id).await?;
    let counts = state.store.reader().count_batch_codes(batch.tenant_id, id, state.clock.now()).await?;
    let [revoked, expired, exhausted, active] = counts.map(grouped);
    let shell = admin_shell(state, who, HERE, asked);
    let shown = BatchPage {
        shell: &shell,
        form: form.or("confirm", ""),
        may_write: who.scopes().has(Scope::CodesWrite),
        batch: Row::of(&batch, Some(owner(state, who, batch.tenant_id).await?)),
        counts: [
            ("Available", "active", active),
            ("Used", "exhausted", exhausted),
            ("Expired", "expired", expired),
            ("Revoked", "revoked", revoked),
        ],
        max_uses: batch.max_uses,
        expires_at: batch.expires_at.map(Moment),
        source: batch.source.as_str(),
        anew: (batch.source == BatchSource::Issued).then(|| anew(&batch)),
    };
    page(&shell, status, &shown)
}

/// The address of the form that issues codes like these.
fn anew(batch: &Batch) -> String {
    let label = batch.label.as_ref().map(ToString::to_string).unwrap_or_default();
    let pairs = [("count", batch.ordered.to_string()), ("label", label), ("max_uses", batch.max_uses.unwrap_or(1).to_string())];
    let set = pairs.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(set).finish();
    format!("/admin/tenants/{}/codes/new?{query}", batch.tenant_id)
}
