//! Which events of the audit trail.

use crate::{Action, Actor, ApiKeyName, AuditEvent, InvalidValue, OperatorId, Outcome, SessionId, TenantId, Timestamp};

/// Which events of the audit trail a list has: those that meet all conditions that are given.
///
/// # Example
/// What happened to a tenant's codes since a moment, newest first:
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// let filter = AuditFilter { action: Some(ActionFilter::parse("codes.")?), from: Some(cx.now), ..AuditFilter::default() };
/// let request = PageRequest { limit: PageLimit::default(), after: None, count: false };
/// let page = store.reader().audit_page(Some(tenant), &filter, request).await?;
/// assert_eq!(page.items[0].action, Action::CodesIssued.as_str());
/// assert_eq!(page.items[0].details["count"], "2");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Who acted.
    pub actor: Option<ActorFilter>,
    /// What happened.
    pub action: Option<ActionFilter>,
    /// To what, as shown identifiers: `prj_...`.
    pub target: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// From this moment on, inclusive.
    pub from: Option<Timestamp>,
    /// Until this moment, exclusive.
    pub to: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether an event keeps all conditions.
    #[must_use]
    pub fn keeps(&self, event: &AuditEvent) -> bool {
        self.actor.as_ref().is_none_or(|filter| filter.keeps(&event.actor))
            && self.action.as_ref().is_none_or(|filter| filter.words().any(|word| word == event.action))
            && self.target.as_ref().is_none_or(|target| event.target.as_ref() == Some(target))
            && self.request_id.as_ref().is_none_or(|request| event.request_id.as_ref() == Some(request))
            && self.from.is_none_or(|from| from <= event.at)
            && self.to.is_none_or(|to| event.at < to)
    }
}

/// A condition of an [`AuditFilter`]: who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorFilter {
    /// All of a kind, as [`Actor::kind`] names it.
    Kind(&'static str),
    /// A tenant, in whatever session.
    Tenant(TenantId),
    /// A tenant in one of its sessions.
    Session(SessionId),
    /// An operator, in whatever session.
    Operator(OperatorId),
    /// An API key, by what [`Actor::ApiKey`] holds.
    ApiKey(String),
}

impl ActorFilter {
    /// Reads a kind, or a kind and which one: `operator`, `tenant:ten_...` (or one of its sessions, `tenant:ses_...`),
    /// `operator:opr_...`, `api_key:key_...`.
    ///
    /// # Errors
    /// `invalid_actor`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || {
            let kinds = Actor::KINDS.join(", ");
            let detail = format!(
                "must be one of {kinds}, or one of them by its id: `tenant:ten_..`, `tenant:ses_..`, `operator:opr_..`, `api_key:..`"
            );
            InvalidValue::new("invalid_actor", detail)
        };
        match text.split_once(':') {
            None => Actor::KINDS.into_iter().find(|kind| *kind == text).map(Self::Kind).ok_or_else(invalid),
            Some(("tenant", id)) => {
                id.parse().map(Self::Tenant).or_else(|_| id.parse().map(Self::Session)).map_err(|_| invalid())
            }
            Some(("operator", id)) => id.parse().map(Self::Operator).map_err(|_| invalid()),
            Some(("api_key", id)) => ApiKeyName::parse(id).map(|id| Self::ApiKey(id.as_str().to_owned())).map_err(|_| invalid()),
            Some(_) => Err(invalid()),
        }
    }

    /// Whether an actor is one of them.
    #[must_use]
    pub fn keeps(&self, actor: &Actor) -> bool {
        match (self, actor) {
            (Self::Kind(kind), actor) => *kind == actor.kind(),
            (Self::Tenant(wanted), Actor::Tenant { tenant, .. }) => wanted == tenant,
            (Self::Session(wanted), Actor::Tenant { session, .. }) => wanted == session,
            (Self::Operator(wanted), Actor::Operator { operator, .. }) => wanted == operator,
            (Self::ApiKey(wanted), Actor::ApiKey(id)) => wanted == id,
            _ => false,
        }
    }
}

/// A condition of an [`AuditFilter`]: what happened. One or several [`Action`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionFilter(Vec<Action>);

impl ActionFilter {
    /// Reads an action's word, or a resource with its dot, which stands for all of its actions: `project.activated`, `project.`.
    ///
    /// # Errors
    /// `invalid_action`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let all_of = text.ends_with('.');
        let meant = |action: &Action| action.as_str() == text || (all_of && action.as_str().starts_with(text));
        let actions: Vec<_> = Action::ALL.iter().copied().filter(meant).collect();
        let invalid = || {
            InvalidValue::new(
                "invalid_action",
                "must be an action, as `project.activated`, or a resource with its dot, as `project.`",
            )
        };
        if actions.is_empty() { Err(invalid()) } else { Ok(Self(actions)) }
    }

    /// All actions that come out like this.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        Self(Action::ALL.iter().copied().filter(|action| action.outcome() == outcome).collect())
    }

    /// Those of these that come out like this; maybe none.
    #[must_use]
    pub fn and(mut self, outcome: Outcome) -> Self {
        self.0.retain(|action| action.outcome() == outcome);
        self
    }

    /// The actions' words.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|action| action.as_str())
    }
}

impl From<Action> for ActionFilter {
    fn from(action: Action) -> Self {
        Self(vec![action])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<&'static str> {
        ActionFilter::parse(text).map(|filter| filter.words().collect()).unwrap_or_default()
    }

    #[test]
    fn an_action_or_all_of_a_resource_are_meant_and_no_other_prefix() {
        assert_eq!(words("tenant.resumed"), ["tenant.resumed"]);
        assert!(words("plan.").contains(&"plan.created") && words("plan.").iter().all(|word| word.starts_with("plan.")));
        for text in ["", ".", "plan", "plan.c", "plan.created.", "moon.", "Plan."] {
            assert_eq!(words(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn every_action_came_out_one_way() {
        let of = |outcome| ActionFilter::of(outcome).words().count();
        assert_eq!(of(Outcome::Success) + of(Outcome::Failure), Action::ALL.len());
        let failures = ActionFilter::parse("sign_in.").map(|filter| filter.and(Outcome::Failure));
        assert_eq!(failures.unwrap().words().collect::<Vec<_>>(), ["sign_in.failed", "sign_in.budget_spent"]);
    }

    #[test]
    fn an_actor_is_a_kind_or_one_of_a_kind() {
        for kind in Actor::KINDS {
            assert_eq!(ActorFilter::parse(kind), Ok(ActorFilter::Kind(kind)));
        }
        assert_eq!(ActorFilter::parse("api_key:ci:1"), Ok(ActorFilter::ApiKey("ci:1".to_owned())));
        let tenant = "ten_018bcfe568007000800000000000000a";
        assert_eq!(ActorFilter::parse(&format!("tenant:{tenant}")), Ok(ActorFilter::Tenant(tenant.parse().unwrap())));
        let operator = "opr_018bcfe568007000800000000000000a";
        assert_eq!(ActorFilter::parse(&format!("operator:{operator}")), Ok(ActorFilter::Operator(operator.parse().unwrap())));
        for text in ["", "moon", "tenant:", "tenant:opr_018bcfe568007000800000000000000a", "api_key:", "anonymous:x", "system:x"]
        {
            assert!(ActorFilter::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parsers(text in "\\PC*") {
            let _ = (ActorFilter::parse(&text), ActionFilter::parse(&text));
        }
    }
}
