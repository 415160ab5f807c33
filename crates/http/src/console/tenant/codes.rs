//! A tenant's codes: never their texts.

use actix_web::web;
use askama::Template;
use tenantry_domain::{
    Code, CodeStatus, Timestamp,
    ports::{CodeReads as _, Store},
};

use crate::{
    console::{
        form::{Choice, Form},
        list::{choices, found},
        view::{Moment, Pager, Shell, Tag, asked_page, page, tenant_shell},
    },
    endpoints::{Answer, State, tenant::codes::code_filter},
    extract::TenantSession,
    operation::{Operation, get},
    problem::Problem,
};

const HERE: &str = "/tenant/codes";

const FILTERS: &[&str] = &["status", "label", "hint"];

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![get("/tenant/codes", web::to(list::<S>)).tenant()]
}

#[derive(Template)]
#[template(path = "console/tenant/codes.html")]
struct CodesPage<'a> {
    shell: &'a Shell,
    form: Form,
    codes: Vec<Row>,
    pager: Pager,
}

struct Row {
    hint: String,
    label: String,
    status: Tag,
    use_count: u32,
    max_uses: u32,
    expires_at: Option<Moment>,
    used_at: Option<Moment>,
    created_at: Moment,
}

impl Row {
    fn new(code: Code, now: Timestamp) -> Self {
        Self {
            status: Tag::code(code.status(now)),
            hint: code.hint,
            label: code.label.map(|label| label.to_string()).unwrap_or_default(),
            use_count: code.use_count,
            max_uses: code.max_uses,
            expires_at: code.expires_at.map(Moment),
            used_at: code.used_at.map(Moment),
            created_at: Moment(code.created_at),
        }
    }
}

impl CodesPage<'_> {
    fn statuses(&self) -> Vec<Choice> {
        let words = CodeStatus::ALL.into_iter().rev().map(|status| Choice::word(status.as_str()));
        choices("All", words, self.form.value("status"))
    }

    fn is_filtered(&self) -> bool {
        FILTERS.iter().any(|name| self.form.optional(name).is_some())
    }
}

/// The tenant's codes, newest first.
async fn list<S: Store>(state: State<S>, who: TenantSession<S>, asked: Form) -> Answer {
    let (now, asked_page) = (state.clock.now(), asked_page(&asked)?);
    let codes = async {
        let filter = code_filter(asked.optional("status"), asked.optional("label"), asked.optional("hint"))?;
        Ok::<_, Problem>(state.store.reader().codes_page(who.id(), &filter, now, asked_page).await?)
    };
    let codes = codes.await;
    let (status, form, codes) = found(asked, codes)?;
    let shell = tenant_shell(&state, &who, HERE, &form);
    let pager = Pager::new(HERE, &form, FILTERS, &codes, |code| code.id);
    let codes = codes.items.into_iter().map(|code| Row::new(code, now)).collect();
    page(&shell, status, &CodesPage { shell: &shell, form, codes, pager })
}
