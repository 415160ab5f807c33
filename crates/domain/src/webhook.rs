//! Webhooks: where events are sent, which ones, and what became of each.

use std::fmt;

use crate::{
    Cause, FailureNote, Id, InvalidValue, Line, MessageId, MessageState, SealedPayload, TenantId, Timestamp, Version, id::Kind,
};

/// A webhook: an address that events are sent to, and which events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// Whose it is, and so what it hears of.
    pub owner: WebhookOwner,
    /// Where events are sent.
    pub url: WebhookUrl,
    /// What it is for.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub description: Option<WebhookDescription>,
    /// Which events.
    pub events: EventTypes,
    /// The secret that messages are signed with, sealed.
    pub secret: SealedPayload,
    /// The secret before it, which messages are signed with too, until then, exclusive.
    pub former_secret: Option<(SealedPayload, Timestamp)>,
    /// Since when no message was taken, where the last one wasn't.
    pub failing_since: Option<Timestamp>,
    /// Since when nothing is sent, and why.
    pub disabled: Option<(Timestamp, DisabledReason)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed, by hand or by being disabled.
    pub updated_at: Timestamp,
}

impl Webhook {
    /// The most webhooks of one owner. It bounds what one event can cause.
    pub const MOST: usize = 10;

    /// The version that an edit can be made conditional on.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version::of(self.updated_at)
    }
}

/// A webhook's identifier.
pub type WebhookId = Id<Webhook>;

impl Kind for Webhook {
    const PREFIX: &'static str = "whk";
}

/// What a webhook is for: 1 to 200 characters.
pub type WebhookDescription = Line<200>;

/// Whose a webhook is, and so what it hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum WebhookOwner {
    /// The operators': it hears of all tenants.
    Operators,
    /// A tenant's: it hears of that tenant alone.
    Tenant(TenantId),
}

impl WebhookOwner {
    /// The tenant, where it is one's.
    #[must_use]
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Operators => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }

    /// The reverse of [`tenant`](Self::tenant).
    #[must_use]
    pub fn of(tenant: Option<TenantId>) -> Self {
        tenant.map_or(Self::Operators, Self::Tenant)
    }
}

/// Why nothing is sent to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum DisabledReason {
    /// Its owner said so.
    ByOwner,
    /// It answered 410: nobody is there any more, and nobody will be.
    Gone,
    /// It took no message for days.
    Failing,
}

impl DisabledReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::ByOwner, Self::Gone, Self::Failing];

    /// The reason as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByOwner => "by_owner",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_reason`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unknown = || InvalidValue::new("invalid_reason", "must be one of by_owner, gone, failing");
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(unknown)
    }
}

/// The address of a webhook, by http or https. Where it leads is decided when it is called.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// The most characters.
    pub const MAX: usize = 2048;

    /// Checks scheme, host and characters; the rest is kept as it is. There is room for neither user nor fragment.
    ///
    /// # Errors
    /// `invalid_url`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || {
            let detail =
                "must be an address such as `https://example.com/hooks`, of at most 2,048 characters, without user and fragment";
            InvalidValue::new("invalid_url", detail)
        };
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(invalid)?;
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let printable =
            text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'\'' | b'`' | b'#'));
        let host_characters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        let named = host.bytes().any(|b| b.is_ascii_alphanumeric()) && host.bytes().all(host_characters);
        if text.len() > Self::MAX || !printable || !named {
            return Err(invalid());
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes an address as a store wrote it.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is called by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Debug for WebhookUrl {
    /// Without path and query, which often hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin: Vec<_> = self.0.splitn(4, '/').take(3).collect();
        write!(f, "WebhookUrl({})", origin.join("/"))
    }
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// What happened, as a webhook hears of it. Programs rely on the words: one never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EventType {
            $($(#[$doc])* $variant,)*
        }

        impl EventType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The type as it is stored, shown and sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// What the outbox calls messages of this type.
            #[must_use]
            pub const fn topic(self) -> &'static str {
                match self { $(Self::$variant => concat!("webhook.", $word)),* }
            }
        }
    };
}

event_types! {
    /// A tenant was made.
    TenantCreated = "tenant.created";
    /// A tenant was suspended.
    TenantSuspended = "tenant.suspended";
    /// Codes were issued to a tenant, or taken in from elsewhere.
    CodesIssued = "codes.issued";
    /// A code was revoked, or all of a batch.
    CodeRevoked = "code.revoked";
    /// A project was made.
    ProjectCreated = "project.created";
    /// A project was activated with a code.
    ProjectActivated = "project.activated";
    /// A project was paused.
    ProjectPaused = "project.paused";
    /// A project was resumed.
    ProjectResumed = "project.resumed";
    /// A project was completed.
    ProjectCompleted = "project.completed";
    /// An activation was undone.
    ActivationReturned = "activation.returned";
    /// An activation brought the month to 80 or to 100 percent of its quota.
    QuotaThreshold = "quota.threshold";
}

impl EventType {
    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_event`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unknown = || {
            let all: Vec<_> = Self::ALL.iter().map(|event| event.as_str()).collect();
            InvalidValue::new("invalid_event", format!("must be one of {}", all.join(", ")))
        };
        Self::ALL.iter().copied().find(|event| event.as_str() == text).ok_or_else(unknown)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of event types, as a webhook asks for them.
///
/// # Example
///
/// ```
/// use tenantry_domain::{EventType, EventTypes};
///
/// let wanted: EventTypes = [EventType::ProjectActivated, EventType::QuotaThreshold].into_iter().collect();
/// assert!(wanted.has(EventType::QuotaThreshold) && !wanted.has(EventType::CodeRevoked));
/// assert_eq!(wanted.to_string(), "project.activated quota.threshold");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EventTypes(u32);

impl EventTypes {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Whether `event` is among them.
    #[must_use]
    pub const fn has(self, event: EventType) -> bool {
        self.0 & event.bit() != 0
    }

    /// The types, in the order of [`EventType::ALL`].
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        EventType::ALL.iter().copied().filter(move |&event| self.has(event))
    }

    /// Reads what [`Display`](fmt::Display) wrote; types that only a newer version knows are passed over.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        text.split_ascii_whitespace().filter_map(|word| EventType::parse(word).ok()).collect()
    }
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(events: I) -> Self {
        Self(events.into_iter().fold(0, |bits, event| bits | event.bit()))
    }
}

impl fmt::Display for EventTypes {
    /// The words with a blank between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(EventType::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

impl fmt::Debug for EventTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventTypes({self})")
    }
}

/// A message to a webhook, as its sender claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookMessage {
    /// Its identifier: the `webhook-id` that the receiver knows a repeat by.
    pub id: MessageId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// What is sent: JSON.
    pub body: Vec<u8>,
    /// How often it was claimed, ever: it only grows, and so tells a claim from a later one.
    pub attempts: u32,
    /// How often it was tried since it was made, or last put back by hand.
    pub tries: u32,
    /// What caused it.
    pub cause: Cause,
}

/// One call of a webhook: when, how long, and what was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct WebhookCall {
    /// When it was made.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// The status that was answered; `None` where nothing was.
    pub response_code: Option<u16>,
}

/// What became of a message to a webhook: an entry of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The message.
    pub id: MessageId,
    /// What kind of message: an event's topic, or `webhook.test`.
    pub topic: String,
    /// Where it stands.
    pub state: MessageState,
    /// How often it was tried since it was made, or last sent again by hand.
    pub tries: u32,
    /// The last call; `None` before the first.
    pub last_call: Option<WebhookCall>,
    /// Why the last try failed; `None` where none did, and once it is taken.
    pub last_error: Option<FailureNote>,
    /// While it waits: when it is tried next, or, while it is being tried, when another would take over.
    pub available_at: Timestamp,
    /// When it was taken or given up.
    pub settled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn event_types_survive_being_stored() {
        for &event in EventType::ALL {
            assert_eq!(EventType::parse(event.as_str()), Ok(event));
            let alone = EventTypes::from_iter([event]);
            assert_eq!(EventTypes::from_stored(&alone.to_string()), alone);
        }
        let all: EventTypes = EventType::ALL.iter().copied().collect();
        assert_eq!(EventTypes::from_stored(&all.to_string()), all);
        assert_eq!(EventTypes::from_stored("moon.risen project.paused"), EventTypes::from_iter([EventType::ProjectPaused]));
        assert!(DisabledReason::ALL.into_iter().all(|reason| DisabledReason::parse(reason.as_str()) == Ok(reason)));
    }

    #[test]
    fn an_address_is_one_of_http_without_user_and_fragment() {
        for good in ["https://example.com", "https://example.com:8443/hooks?key=1", "http://127.0.0.1:9000/", "http://[::1]:80/x"]
        {
            assert_eq!(WebhookUrl::parse(good).unwrap().as_str(), good);
        }
        let long = format!("https://example.com/{}", "x".repeat(2048));
        for bad in [
            "",
            "ftp://example.com",
            "https://",
            "https:///x",
            "https://user:pass@example.com/",
            "https://example.com/#x",
            "https://example.com/ x",
            "https://example.com/\r\nHost: x",
            "https://ex\u{e4}mple.com",
            "HTTPS://example.com",
            &long,
        ] {
            assert!(WebhookUrl::parse(bad).is_err(), "{bad}");
        }
        let url = WebhookUrl::parse("https://example.com/services/secret?token=1").unwrap();
        assert_eq!(format!("{url:?}"), "WebhookUrl(https://example.com)");
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in "(https://)?\\PC*") {
            if let Ok(url) = WebhookUrl::parse(&text) {
                let _ = format!("{url:?}");
            }
        }
    }
}
