//! Events of the audit trail in words, as pages of both doors show them, and the filters that these have.

use actix_web::http::StatusCode;
use tenantry_domain::{
    Action, ActorFilter, ApiKeyId, AuditEvent, AuditFilter, InvalidValue, OperatorId, Page, TenantId, Timestamp,
    ports::{ActorNames, AuditReads as _, Store},
};
use time::{Date, Duration, format_description::BorrowedFormatItem, macros::format_description};

use super::{
    cookie::Door,
    form::{Choice, Form},
    list::{choices, found},
    view::{Moment, asked_page, short},
};
use crate::{
    endpoints::{
        State,
        events::{Asked, EventJson},
    },
    problem::Problem,
};

/// The filters, as fields of a form and in addresses.
pub(super) const FILTERS: &[&str] = &["tenant", "actor", "action", "outcome", "target", "request_id", "from", "to", "zone"];

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The farthest that a zone is from UTC, in minutes.
const FARTHEST: i64 = 14 * 60;

/// An event in a list.
pub(super) struct EventRow {
    pub id: String,
    pub at: Moment,
    pub who: String,
    /// The page of who acted, where it has one, and its identifier.
    pub who_page: Option<(String, String)>,
    /// The actor, as a filter takes it, and the query that asks for it.
    pub actor: Option<(String, String)>,
    pub session: Option<String>,
    pub what: String,
    pub failed: bool,
    pub action: String,
    pub target: Option<Thing>,
    pub tenant: Option<Thing>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub details: Vec<(String, String)>,
}

/// What has an identifier.
pub(super) struct Thing {
    pub id: String,
    /// What it is called; `None` where nobody says.
    pub name: Option<String>,
    /// Enough of its identifier to tell it from its neighbours.
    pub short: String,
    /// Its page, where it has one.
    pub page: Option<String>,
}

impl Thing {
    /// What a door shows of it.
    pub fn new(id: String, door: Door) -> Self {
        Self { name: None, short: short(&id), page: page_of(door, &id), id }
    }
}

/// What this identifier's operator or API key is called.
fn name_of(names: &ActorNames, id: &str) -> Option<String> {
    let operator = || names.operators.get(&id.parse().ok()?).map(ToString::to_string);
    operator().or_else(|| names.api_keys.get(&id.parse().ok()?).map(ToString::to_string))
}

/// The page that what has this identifier has.
fn page_of(door: Door, id: &str) -> Option<String> {
    let (prefix, _) = id.split_once('_')?;
    let list = match (door, prefix) {
        (Door::Tenant, "prj") => "/tenant/projects",
        (Door::Tenant, "whk") => "/tenant/webhooks",
        (Door::Admin, "ten") => "/admin/tenants",
        (Door::Admin, "code") => "/admin/codes",
        (Door::Admin, "prj") => "/admin/projects",
        (Door::Admin, "bat") => "/admin/batches",
        (Door::Admin, "pln") => "/admin/plans",
        (Door::Admin, "opr") => "/admin/operators",
        (Door::Admin, "key") => "/admin/api-keys",
        (Door::Admin, "msg") => "/admin/messages",
        (Door::Admin, "whk") => "/admin/webhooks",
        _ => return None,
    };
    Some(format!("{list}/{id}"))
}

impl EventRow {
    /// The event as `me`, by its own identifier, reads it, with what its reader may know of who acts.
    pub fn new(event: EventJson, door: Door, me: Option<&str>, names: &ActorNames) -> Self {
        let actor = &event.actor;
        let name = actor.id.as_deref().and_then(|id| name_of(names, id));
        let who_page = actor.id.as_ref().filter(|_| name.is_some()).and_then(|id| Some((page_of(door, id)?, id.clone())));
        let who = match (actor.kind, &actor.id) {
            (_, Some(id)) if Some(id.as_str()) == me => "you".to_owned(),
            ("anonymous", _) => "not signed in".to_owned(),
            ("system", _) => "the server".to_owned(),
            ("operator" | "api_key", Some(id)) => name.unwrap_or_else(|| unnamed(actor.kind, id)),
            (kind, _) => kind.replace("api_key", "API key"),
        };
        let named = actor.id.as_ref().filter(|_| door == Door::Admin);
        // A tenant's webhooks have no page for operators.
        let elsewhere = |thing: &Thing| door == Door::Admin && thing.id.starts_with("whk_") && event.tenant_id.is_some();
        let target = event.target.map(|id| {
            let mut thing = Thing { name: name_of(names, &id), ..Thing::new(id, door) };
            thing.page = thing.page.take().filter(|_| !elsewhere(&thing));
            thing
        });
        Self {
            id: event.id.to_string(),
            at: Moment(event.at),
            who,
            who_page,
            actor: named.map(|id| asking(format!("{}:{id}", actor.kind))),
            session: event.actor.session_id,
            what: in_words(&event.action),
            failed: event.outcome == Some("failure"),
            action: event.action,
            target,
            tenant: event.tenant_id.map(|id| Thing::new(id.to_string(), door)),
            address: event.client_ip,
            request_id: event.request_id,
            details: event.details.into_iter().map(|(name, value)| (name.replace('_', " "), value)).collect(),
        }
    }
}

/// Who acted and is gone, or whose name the reader may not see. A key that the server was configured with has a name and no more.
fn unnamed(kind: &str, id: &str) -> String {
    let known = if id.parse::<OperatorId>().is_ok() || id.parse::<ApiKeyId>().is_ok() { short(id) } else { id.to_owned() };
    format!("{} {known}", kind.replace("api_key", "API key"))
}

fn asking(actor: String) -> (String, String) {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("actor", &actor).finish();
    (actor, query)
}

/// An action in words. Most are read as they are written; a newer version's are too.
pub(super) fn in_words(action: &str) -> String {
    let known = match action {
        "otp.requested" => "sign-in code asked for",
        "otp.refused" => "sign-in code refused",
        "sign_in.succeeded" => "signed in",
        "sign_in.failed" => "sign-in failed",
        "sign_in.budget_spent" => "too many failed sign-ins",
        "session.revoked" => "session ended",
        "sessions.revoked" => "signed out everywhere",
        "codes.issue_failed" => "issuing codes failed",
        "codes.issue_started" => "issuing codes began",
        "codes.issue_cancelled" => "issuing codes was broken off",
        "code.expiry_changed" => "expiry of a code changed",
        "operator.bootstrapped" => "first operator made",
        "access.forbidden" => "access refused",
        other => return sentence(&other.replace("api_key", "API key").replace(['.', '_'], " ")),
    };
    sentence(known)
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Every kind of thing that actions are of, as a filter takes it.
pub(super) fn resources(asked: &str) -> Vec<Choice> {
    let mut resources: Vec<&str> =
        Action::ALL.iter().filter_map(|action| action.as_str().split_once('.')).map(|(of, _)| of).collect();
    resources.sort_unstable();
    resources.dedup();
    let known = resources
        .into_iter()
        .map(|of| Choice::new(format!("{of}."), sentence(&of.replace("api_key", "API key").replace('_', " "))));
    choices("Everything", known, asked)
}

/// How things came out.
pub(super) fn outcomes(asked: &str) -> Vec<Choice> {
    choices("Either way", [Choice::new("success", "Done"), Choice::new("failure", "Refused")], asked)
}

/// The filter that a form asks for; `which` reads the actor.
pub(super) fn filter(asked: &Form, which: fn(&str) -> Result<ActorFilter, InvalidValue>) -> Result<AuditFilter, Problem> {
    let from = moment(asked, "from", 0)?;
    let to = moment(asked, "to", 1)?;
    let asked = Asked {
        actor: asked.optional("actor"),
        action: asked.optional("action"),
        outcome: asked.optional("outcome"),
        target: asked.optional("target"),
        request_id: asked.optional("request_id"),
        from: from.as_deref(),
        to: to.as_deref(),
    };
    asked.parse(which)
}

/// When the day that a field names begins, or the day so many days later, in the reader's zone. A moment is taken as it is.
fn moment(asked: &Form, field: &str, later: i64) -> Result<Option<String>, Problem> {
    let Some(text) = asked.optional(field) else { return Ok(None) };
    if text.contains('T') {
        return Ok(Some(text.to_owned()));
    }
    let invalid = |_| Problem::field(format!("?{field}"), InvalidValue::new("invalid_day", "must be a day such as 2026-03-01"));
    let day = Date::parse(text, DAY).map_err(invalid)?;
    let east = asked.whole("zone").unwrap_or(0).clamp(-FARTHEST, FARTHEST);
    let start = Timestamp::new(day.midnight().assume_utc()) + Duration::days(later) - Duration::minutes(east);
    Ok(Some(start.to_string()))
}

/// The page of events that a form asks for, and what the form has to say of it.
pub(super) async fn find<S: Store>(
    state: &State<S>,
    tenant: Result<Option<TenantId>, Problem>,
    asked: Form,
    which: fn(&str) -> Result<ActorFilter, InvalidValue>,
) -> Result<(StatusCode, Form, Page<AuditEvent>), Problem> {
    let wanted = asked_page(&asked)?;
    let events = async {
        let (tenant, filter) = (tenant?, filter(&asked, which)?);
        Ok(state.store.reader().audit_page(tenant, &filter, wanted).await?)
    };
    let events = events.await;
    found(asked, events)
}

/// The address of the file with all events that a form asks for.
pub(super) fn file_address(here: &str, asked: &Form) -> String {
    let set = asked.kept(FILTERS).into_iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(set).finish();
    if query.is_empty() { format!("{here}/csv") } else { format!("{here}/csv?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_as_words() {
        assert_eq!(in_words("project.activated"), "Project activated");
        assert_eq!(in_words("api_key.used"), "API key used");
        assert_eq!(in_words("bootstrap_link.created"), "Bootstrap link created");
        assert_eq!(in_words("sign_in.failed"), "Sign-in failed");
        for action in Action::ALL {
            assert!(!in_words(action.as_str()).contains(['_', '.']), "{}", action.as_str());
        }
    }

    #[test]
    fn a_day_is_the_readers() {
        let form = Form::parse(b"from=2026-03-01&to=2026-03-01&zone=120");
        let asked = filter(&form, ActorFilter::parse).unwrap();
        let shown = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string()).unwrap_or_default();
        assert_eq!(shown(asked.from), "2026-02-28T22:00:00Z");
        assert_eq!(shown(asked.to), "2026-03-01T22:00:00Z");
        let asked = filter(&Form::parse(b"from=2026-03-01&zone=-9999999"), ActorFilter::parse).unwrap();
        assert_eq!(shown(asked.from), "2026-03-01T14:00:00Z");
        let exact = filter(&Form::parse(b"from=2026-03-01T05:00:00Z"), ActorFilter::parse).unwrap();
        assert_eq!(shown(exact.from), "2026-03-01T05:00:00Z");
        for bad in ["from=2026-02-30", "to=yesterday", "to=T", "actor=moon", "action=x"] {
            assert!(filter(&Form::parse(bad.as_bytes()), ActorFilter::parse).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_has_the_filters_of_its_page() {
        assert_eq!(file_address("/tenant/events", &Form::default()), "/tenant/events/csv");
        let asked = Form::parse(b"action=project.&cursor=x&done=y");
        assert_eq!(file_address("/tenant/events", &asked), "/tenant/events/csv?action=project.");
    }
}
