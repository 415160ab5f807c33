//! Everybody's codes.

use actix_web::web;
use askama::Template;
use tenantry_domain::{
    Code, CodeId, CodeStatus, Scope, TenantId, Timestamp,
    ports::{CodeFilter, CodeReads as _, Store},
};

use super::lookup::{Owner, named_tenant, owners};
use crate::{
    console::{
        form::{Choice, Form},
        list::{choices, found},
        view::{Moment, Pager, Shell, Tag, admin_shell, asked_page, page},
    },
    endpoints::{Answer, State, tenant::codes::code_filter},
    extract::Operator,
    operation::{Operation, get},
    problem::Problem,
};

const HERE: &str = "/admin/codes";
const FILTERS: [&str; 5] = ["tenant", "status", "label", "hint", "batch"];

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![get("/admin/codes", web::to(list::<S>)).scope(Scope::CodesRead)]
}

#[derive(Template)]
#[template(path = "console/admin/codes.html")]
struct CodesPage<'a> {
    shell: &'a Shell,
    tab: &'static str,
    form: Form,
    /// Where the list is to be had as a file.
    export: Option<String>,
    codes: Vec<Row>,
    pager: Pager,
}

/// A code in a list.
pub(super) struct Row {
    pub id: CodeId,
    pub hint: String,
    pub owner: Option<Owner>,
    pub label: String,
    pub status: Tag,
    pub uses: String,
    pub expires_at: Option<Moment>,
    pub created_at: Moment,
}

impl Row {
    /// The code as it is at the moment; `owner`: in a list of everybody's.
    pub fn of(code: Code, now: Timestamp, owner: Option<Owner>) -> Self {
        Self {
            id: code.id,
            status: Tag::code(code.status(now)),
            hint: code.hint,
            owner,
            label: code.label.map(|label| label.to_string()).unwrap_or_default(),
            uses: format!("{} of {}", code.use_count, code.max_uses),
            expires_at: code.expires_at.map(Moment),
            created_at: Moment(code.created_at),
        }
    }
}

/// How a code can stand, for a filter.
pub(super) fn statuses(asked: &str) -> Vec<Choice> {
    choices("All", CodeStatus::ALL.into_iter().rev().map(|status| Choice::word(status.as_str())), asked)
}

impl CodesPage<'_> {
    fn statuses(&self) -> Vec<Choice> {
        statuses(self.form.value("status"))
    }

    fn is_filtered(&self) -> bool {
        FILTERS.iter().any(|name| self.form.optional(name).is_some())
    }
}

/// The tenant and the codes that are asked for.
async fn wanted<S: Store>(state: &State<S>, asked: &Form) -> Result<(Option<TenantId>, CodeFilter), Problem> {
    let batch = asked.optional("batch").map(str::parse).transpose().map_err(|invalid| Problem::field("?batch", invalid))?;
    let filter = code_filter(asked.optional("status"), asked.optional("label"), asked.optional("hint"))?;
    Ok((named_tenant(state, asked, "tenant").await?, CodeFilter { batch, ..filter }))
}

/// The codes that are asked for, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let now = state.clock.now();
    let request = asked_page(&asked)?;
    let codes = async {
        let (tenant, filter) = wanted(&state, &asked).await?;
        Ok((tenant, state.store.reader().codes_of_anyone_page(tenant, &filter, now, request).await?))
    };
    let codes = codes.await;
    let export = codes.as_ref().ok().map(|(tenant, _)| export(&asked, *tenant));
    let (status, form, codes) = found(asked, codes.map(|(_, codes)| codes))?;
    let owners = owners(&state, &who, codes.items.iter().map(|code| code.tenant_id)).await?;
    let shell = admin_shell(&state, &who, HERE, &form);
    let pager = Pager::new(HERE, &form, &FILTERS, &codes, |code| code.id);
    let row = |code: Code| {
        let owner = owners.get(&code.tenant_id).cloned();
        Row::of(code, now, owner)
    };
    let codes = codes.items.into_iter().map(row).collect();
    page(&shell, status, &CodesPage { shell: &shell, tab: "codes", form, export, codes, pager })
}

/// Where the codes that are asked for are to be had as a file.
fn export(asked: &Form, tenant: Option<TenantId>) -> String {
    let tenant = tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let filters = asked.kept(&["status", "label", "hint", "batch"]);
    let set = filters.into_iter().chain([("tenant", tenant.as_str())]).filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(set).finish();
    format!("/api/admin/codes/export?{query}")
}
