//! Issuing codes: some, which are shown once, or many, as a file that is sent while they are written.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    CodeOrder, Context, InvalidValue, LONGEST_TTL, MAX_CODES, Scope, Tenant, TenantId, generate_codes, ports::Store,
};

use super::{
    reveal::{Asked, Codes, Next, RevealPage, Texts, Told},
    tenant::find,
};
use crate::{
    console::{
        form::Form,
        form_body::FormBody,
        view::{Shell, admin_shell, page},
    },
    endpoints::{
        Answer, State,
        admin::{
            bulk_issue,
            codes::{IssueJson, MOST},
        },
    },
    errors::ErrorCode,
    extract::Operator,
    long_work::LongWork,
    once::Keyed,
    operation::{Operation, get, post},
    problem::{Fields, Problem},
};

const HERE: &str = "/admin/tenants";

/// The longest life of codes that expire, as the form asks for it.
const LONGEST_DAYS: i64 = LONGEST_TTL.whole_days();

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/tenants/{id}/codes/new", web::to(new::<S>)).scope(Scope::CodesWrite),
        post("/admin/tenants/{id}/codes/new", web::to(issue::<S>)).scope(Scope::CodesWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/codes_new.html")]
struct IssuePage<'a> {
    shell: &'a Shell,
    form: Form,
    id: TenantId,
    name: String,
    slug: String,
}

async fn new<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, asked: Form) -> Answer {
    let tenant = find(&state, *id).await?;
    answer(&state, &who, StatusCode::OK, &tenant, asked.anew())
}

fn answer<S: Store>(state: &State<S>, who: &Operator<S>, status: StatusCode, tenant: &Tenant, form: Form) -> Answer {
    let form = form.or("count", 10).or("label", "").or("ttl_days", "").or("max_uses", 1).keyed(state.entropy.as_ref());
    let shell = admin_shell(state, who, HERE, &Form::default());
    let (name, slug) = (tenant.name.to_string(), tenant.slug.to_string());
    page(&shell, status, &IssuePage { shell: &shell, form, id: tenant.id, name, slug })
}

/// The order that a form makes, of at most so many codes.
fn order(form: &Form, most: u32) -> Result<CodeOrder, Problem> {
    let days = |days: i64| {
        let out =
            || InvalidValue::new("out_of_range", format!("must be 1 to {LONGEST_DAYS}, or empty for codes that don't expire"));
        Some(days).filter(|days| (1..=LONGEST_DAYS).contains(days)).ok_or_else(out)
    };
    let mut fields = Fields::default();
    let count = fields.take("/count", form.whole("count"));
    let ttl = fields.take_optional("/ttl_days", form.optional("ttl_days").map(|_| form.whole("ttl_days").and_then(days)));
    let max_uses = fields.take_optional("/max_uses", form.optional("max_uses").map(|_| form.whole("max_uses")));
    let readable = count.is_some() && ttl.is_some() && max_uses.is_some();
    let sent = IssueJson {
        count: count.unwrap_or(1),
        label: form.optional("label").map(str::to_owned),
        ttl_seconds: ttl.flatten().map(|days| days * 86_400),
        max_uses: max_uses.flatten(),
    };
    match sent.parse(most, "; a CSV file can have more") {
        Ok(order) if readable => Ok(order),
        Ok(_) => Err(fields.into_problem()),
        Err(problem) => {
            fields.join(problem);
            Err(fields.into_problem())
        }
    }
}

/// Issues codes, and shows them this once: on a page, or in a file.
async fn issue<S: Store>(
    state: State<S>,
    who: Operator<S>,
    id: Path<TenantId>,
    request: HttpRequest,
    mut body: FormBody,
    long: LongWork,
) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let (keyed, asked, tenant) = (Keyed::of_form(&request, &form)?, Asked::of(&form), find(&state, *id).await?);
    let for_file = asked.is_for_file();
    let issued = async {
        if form.value("as") == "csv" {
            let (order, place) = (order(&form, MAX_CODES)?, long.begin()?);
            return bulk_issue::stream(state.clone(), who.clone(), *id, order, (keyed, sent), place).await;
        }
        let order = order(&form, MOST)?;
        let issue = async |store: &S, cx: &Context<'_>| {
            asked.issues()?;
            let codes = Codes::of(generate_codes(store, cx, state.keys.as_ref(), *id, order).await?);
            if codes.are_many() {
                return Ok(codes.as_file(&format!("{HERE}/{id}")));
            }
            reveal(&state, &who, &tenant, codes.into())
        };
        let answer = keyed.answer_once(&asked.bytes(), &state, who.context(&state), issue).await?;
        match asked.told(request.path(), answer).await? {
            Told::AsItIs(answer) => Ok(answer),
            Told::Many { texts, .. } => reveal(&state, &who, &tenant, texts),
        }
    };
    match issued.await {
        Ok(answer) => Ok(answer),
        Err(problem) if for_file => Err(problem),
        Err(problem) if problem.code == ErrorCode::Conflict => {
            let told = "these codes were issued, and their file was sent: look among your downloads. Send this again to issue as many more";
            answer(&state, &who, problem.code.status(), &tenant, form.anew().refused(Problem::new(ErrorCode::Conflict, told)))
        }
        Err(problem) => answer(&state, &who, problem.code.status(), &tenant, form.refused(problem)),
    }
}

fn reveal<S: Store>(state: &State<S>, who: &Operator<S>, tenant: &Tenant, texts: Texts) -> Answer {
    let shell = admin_shell(state, who, HERE, &Form::default());
    let address = format!("{HERE}/{}", tenant.id);
    let shown = RevealPage {
        shell: &shell,
        title: if texts.count == 1 { "1 code is issued".to_owned() } else { format!("{} codes are issued", texts.grouped) },
        trail: Next::new(tenant.slug.as_str(), &address),
        failed: None,
        texts: Some(texts),
        sign_in: None,
        next: Next::new("To the tenant's codes", format!("{address}/codes")),
    };
    page(&shell, StatusCode::OK, &shown)
}
