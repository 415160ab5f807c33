//! What all pages have in common: their frame, the policy that they are sent with, and how times and states look.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use askama::{Template, filters::HtmlSafe};
use tenantry_auth::Caller;
use tenantry_domain::{
    CodeStatus, Id, Page, PageRequest, ProjectStatus, Scope, Scopes, SubscriptionState, Tenant, Timestamp, id::Kind, ports::Store,
};
use tracing::error;

use super::{assets, cookie::Door, form::Form};
use crate::{
    endpoints::Answer,
    extract::{Operator, TenantSession},
    paging::page_request,
    problem::Problem,
    state::AppState,
};

/// What a page is sent with: it uses this server's own files and nothing else, and has neither script nor style in itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page's frame.
pub(super) struct Shell {
    /// What the portal is called.
    pub brand: String,
    /// Whose console.
    pub door: Door,
    /// Who is signed in.
    pub who: Option<Who>,
    /// Where the reader is, as an address of the list of pages.
    pub here: &'static str,
    /// What was done by what led here.
    pub done: Option<&'static str>,
}

/// Who is signed in.
pub(super) struct Who {
    pub name: String,
    pages: Vec<PageGroup>,
    /// The tenant's own look.
    pub look: Option<Look>,
}

/// How a tenant wants its console to look.
pub(super) struct Look {
    /// Where its colours are, where it has some.
    pub style: Option<String>,
    /// Its logo, where it has one whose address a policy can name.
    pub logo: Option<String>,
}

/// Pages that belong together, in the list beside each page.
pub(super) struct PageGroup {
    pub name: &'static str,
    pub pages: Vec<(&'static str, &'static str)>,
}

/// A page: its address, what it is called, and the scope that it asks for.
type AdminPage = (&'static str, &'static str, Option<Scope>);

/// The operators' pages.
const ADMIN: &[(&str, &[AdminPage])] = &[
    (
        "",
        &[
            ("/admin", "Dashboard", Some(Scope::StatsRead)),
            ("/admin/tenants", "Tenants", Some(Scope::TenantsRead)),
            ("/admin/plans", "Plans", Some(Scope::PlansRead)),
            ("/admin/codes", "Codes", Some(Scope::CodesRead)),
            ("/admin/projects", "Projects", Some(Scope::ProjectsRead)),
        ],
    ),
    (
        "Watch",
        &[("/admin/events", "Audit trail", Some(Scope::AuditRead)), ("/admin/messages", "Messages", Some(Scope::MessagesRead))],
    ),
    (
        "Access",
        &[
            ("/admin/operators", "Operators", Some(Scope::OperatorsRead)),
            ("/admin/api-keys", "API keys", Some(Scope::ApiKeysRead)),
            ("/admin/webhooks", "Webhooks", Some(Scope::WebhooksRead)),
            ("/admin/account", "Your account", None),
        ],
    ),
];

/// A tenant's pages.
const TENANT: &[(&str, &str)] = &[
    ("/tenant", "Projects"),
    ("/tenant/codes", "Codes"),
    ("/tenant/events", "History"),
    ("/tenant/webhooks", "Webhooks"),
    ("/tenant/profile", "Profile"),
    ("/tenant/sessions", "Sessions"),
];

impl Who {
    /// An operator, with the pages that its scopes open.
    pub fn operator(name: impl Into<String>, scopes: Scopes) -> Self {
        let open = |&(address, label, scope): &AdminPage| scope.is_none_or(|scope| scopes.has(scope)).then_some((address, label));
        let groups = ADMIN.iter().map(|&(name, pages)| PageGroup { name, pages: pages.iter().filter_map(open).collect() });
        Self { name: name.into(), pages: groups.filter(|group| !group.pages.is_empty()).collect(), look: None }
    }

    /// A tenant.
    pub fn tenant(tenant: &Tenant) -> Self {
        let branding = &tenant.branding;
        let style =
            branding.primary_color.as_ref().map(|color| format!("/tenant/colors/{}.css", color.as_str().trim_start_matches('#')));
        let logo = branding.logo_url.as_ref().map(|url| url.as_str().to_owned()).filter(|url| nameable(url));
        Self {
            name: tenant.name.as_str().to_owned(),
            pages: vec![PageGroup { name: "", pages: TENANT.to_vec() }],
            look: Some(Look { style, logo }),
        }
    }
}

/// Whether a policy can name an address: it has none of the characters that end a source in it.
fn nameable(url: &str) -> bool {
    url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'\'' | b'"' | b'*' | b'?' | b'#'))
}

impl Shell {
    /// The frame of a page for nobody in particular.
    pub fn plain<S>(state: &AppState<S>, door: Door) -> Self {
        Self { brand: state.console.brand.clone(), door, who: None, here: "", done: None }
    }

    /// Whether it is the operators'.
    pub fn is_admin(&self) -> bool {
        self.door == Door::Admin
    }

    /// The frame of somebody's page.
    pub fn of<S>(state: &AppState<S>, door: Door, who: Who, here: &'static str) -> Self {
        Self { who: Some(who), here, ..Self::plain(state, door) }
    }

    /// The same, with the word for what was just done. A word that isn't known says nothing.
    pub fn after(mut self, done: Option<&str>) -> Self {
        self.done = done.and_then(|word| DONE.iter().find(|(known, _)| *known == word)).map(|&(_, says)| says);
        self
    }

    pub fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }

    pub fn groups(&self) -> &[PageGroup] {
        self.who.as_ref().map_or(&[], |who| &who.pages)
    }

    pub fn logo(&self) -> Option<&str> {
        self.who.as_ref()?.look.as_ref()?.logo.as_deref()
    }

    pub fn colors(&self) -> Option<&str> {
        self.who.as_ref()?.look.as_ref()?.style.as_deref()
    }

    fn policy(&self) -> Cow<'static, str> {
        match self.logo() {
            Some(logo) => POLICY.replacen("img-src 'self'", &format!("img-src 'self' {logo}"), 1).into(),
            None => POLICY.into(),
        }
    }
}

/// The frame of an operator's page.
pub(super) fn admin_shell<S: Store>(state: &AppState<S>, who: &Operator<S>, here: &'static str, asked: &Form) -> Shell {
    let name = match who.caller() {
        Caller::Operator(signed_in) => signed_in.account.name.as_str().to_owned(),
        Caller::ApiKey(key) => key.name.as_str().to_owned(),
        Caller::ConfiguredKey { name } => name.clone(),
    };
    Shell::of(state, Door::Admin, Who::operator(name, who.scopes()), here).after(asked.optional("done"))
}

/// The frame of a tenant's page.
pub(super) fn tenant_shell<S: Store>(state: &AppState<S>, who: &TenantSession<S>, here: &'static str, asked: &Form) -> Shell {
    Shell::of(state, Door::Tenant, Who::tenant(&who.tenant), here).after(asked.optional("done"))
}

/// What a page says of what led to it, by the word that stands in its address as `done`.
const DONE: &[(&str, &str)] = &[
    ("signed-out", "You are signed out."),
    ("created", "Created."),
    ("saved", "Saved."),
    ("deleted", "Deleted."),
    ("archived", "Archived. No tenant is put on it any more."),
    ("restored", "Restored."),
    ("suspended", "Suspended. Its sessions have ended."),
    ("resumed", "Resumed."),
    ("revoked", "Revoked."),
    ("moved", "Its end is moved."),
    ("assigned", "Assigned."),
    ("returned", "Returned: the project is pending again, and its code has its use back."),
    ("activated", "Activated."),
    ("paused", "Paused."),
    ("completed", "Completed."),
    ("retried", "It is tried again at once."),
    ("discarded", "Discarded."),
    ("nothing", "There was nothing to change."),
    ("invited", "Made. It can sign in with its address now."),
    ("enabled", "Enabled."),
    ("disabled", "Disabled."),
    ("ended", "Signed out."),
    ("tested", "A test message is on its way."),
];

/// A page, answered.
pub(super) fn page(shell: &Shell, status: StatusCode, template: &impl Template) -> Answer {
    let html = template.render().map_err(|failure| {
        error!(error = %failure, "a page can't be written");
        Problem::internal()
    })?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, shell.policy().as_ref()))
        .body(html))
}

/// Sends the reader on, after something was done.
pub(super) fn see_other(address: impl AsRef<str>) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address.as_ref())).finish()
}

/// A moment: in UTC, until the reader's browser shows it in its own zone.
pub(super) struct Moment(pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0.to_string();
        let (day, rest) = exact.split_once('T').unwrap_or((&exact, ""));
        let minute = rest.get(..5).unwrap_or(rest);
        write!(f, "<time datetime=\"{exact}\">{day} {minute} UTC</time>")
    }
}

impl HtmlSafe for Moment {}

/// An identifier without its middle.
pub(super) fn short(id: &str) -> String {
    match (id.split_once('_'), id.len().checked_sub(6).and_then(|end| id.get(end..))) {
        (Some((prefix, _)), Some(end)) => format!("{prefix}_…{end}"),
        _ => id.to_owned(),
    }
}

/// A state as a word with a colour.
pub(super) struct Tag {
    word: &'static str,
    tone: &'static str,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"tag {}\">{}</span>", self.tone, self.word)
    }
}

impl HtmlSafe for Tag {}

impl Tag {
    /// A word; `tone` is `good`, `warn`, `bad` or nothing.
    pub const fn new(word: &'static str, tone: &'static str) -> Self {
        Self { word, tone }
    }

    /// Where a project stands.
    pub fn project(status: ProjectStatus) -> Self {
        let tone = match status {
            ProjectStatus::Active => "good",
            ProjectStatus::Paused => "warn",
            ProjectStatus::Pending | ProjectStatus::Completed => "",
        };
        Self::new(status.as_str(), tone)
    }

    /// What can be said of a code now.
    pub fn code(status: CodeStatus) -> Self {
        let tone = match status {
            CodeStatus::Active => "good",
            CodeStatus::Revoked => "bad",
            CodeStatus::Expired => "warn",
            CodeStatus::Exhausted => "",
        };
        Self::new(status.as_str(), tone)
    }

    /// How a subscription stands.
    pub fn subscription(state: SubscriptionState) -> Self {
        let (word, tone) = match state {
            SubscriptionState::Active => ("active", "good"),
            SubscriptionState::Trialing => ("trialing", "good"),
            SubscriptionState::PastDue => ("past due", "warn"),
            SubscriptionState::Unpaid => ("unpaid", "bad"),
            SubscriptionState::Canceled => ("canceled", "bad"),
            SubscriptionState::Suspended => ("suspended", "bad"),
        };
        Self::new(word, tone)
    }
}

/// Where the pages of a list lead.
pub(super) struct Pager {
    /// The next page's address; `None` on the last one.
    pub next: Option<String>,
    /// The first page's address; `None` there.
    pub first: Option<String>,
}

/// The page of a list that an address asks for.
pub(super) fn asked_page<K: Kind>(asked: &Form) -> Result<PageRequest<K>, Problem> {
    page_request(None, asked.optional("cursor"), None)
}

impl Pager {
    /// The pager of a page of the list at `address`, which keeps the filters that have these names.
    pub fn new<I, K: Kind>(address: &str, asked: &Form, filters: &[&str], page: &Page<I>, id: impl Fn(&I) -> Id<K>) -> Self {
        let next = page.items.last().filter(|_| page.has_more).map(|last| id(last).to_string());
        Self::between(address, &asked.kept(filters), asked.optional("cursor"), next.as_deref())
    }

    fn between(address: &str, filters: &[(&str, &str)], cursor: Option<&str>, next: Option<&str>) -> Self {
        let link = |cursor: Option<&str>| {
            let set = filters.iter().copied().filter(|(_, value)| !value.is_empty());
            let pairs = set.chain(cursor.map(|cursor| ("cursor", cursor)));
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") }
        };
        Self { next: next.map(|next| link(Some(next))), first: cursor.map(|_| link(None)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_whose_address_would_change_the_policy_is_not_shown() {
        assert!(nameable("https://cdn.example/logo.png"));
        for bad in [
            "https://x.example/a;script-src *",
            "https://x.example/a,b",
            "https://*.example/a",
            "https://x.example/a b",
            "https://x/'",
        ] {
            assert!(!nameable(bad), "{bad}");
        }
    }

    #[test]
    fn a_pager_keeps_the_filters() {
        let pager = Pager::between("/admin/codes", &[("search", "a&b"), ("status", "")], Some("x"), Some("y"));
        assert_eq!(pager.next.as_deref(), Some("/admin/codes?search=a%26b&cursor=y"));
        assert_eq!(pager.first.as_deref(), Some("/admin/codes?search=a%26b"));
    }

    #[test]
    fn a_moment_is_exact_and_readable() {
        let shown = Moment(Timestamp::from_unix_micros(1_700_000_000_123_456).unwrap()).to_string();
        assert_eq!(shown, "<time datetime=\"2023-11-14T22:13:20.123456Z\">2023-11-14 22:13 UTC</time>");
    }

    #[test]
    fn an_identifier_is_told_by_its_end() {
        assert_eq!(short("prj_018bcfe568007000800000000000000a"), "prj_…00000a");
        assert_eq!(short("x"), "x");
    }
}
