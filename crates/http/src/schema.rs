//! Schemas of the values that the domain's types write: the domain knows no OpenAPI, so a field names one of these as its `value_type`.

use std::borrow::Cow;

use tenantry_domain::id::Kind;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, RefOr, SchemaFormat,
        schema::{Schema, SchemaType, Type},
    },
};

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}

macro_rules! named {
    ($name:ident, $schema:expr) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

macro_rules! ids {
    ($($name:ident: $kind:ty;)*) => {$(
        #[doc = concat!("`", stringify!($name), "`: the prefix of its kind, and 32 hexadecimal digits.")]
        pub(crate) struct $name;

        named!($name, {
            let prefix = <$kind as Kind>::PREFIX;
            text()
                .pattern(Some(format!("^{prefix}_[0-9a-f]{{32}}$")))
                .examples([format!("{prefix}_018bcfe568007000800000000000000a")])
        });
    )*};
}

ids! {
    PlanId: tenantry_domain::Plan;
    TenantId: tenantry_domain::Tenant;
    CodeId: tenantry_domain::Code;
    BatchId: tenantry_domain::Batch;
    ProjectId: tenantry_domain::Project;
    SessionId: tenantry_domain::Session;
    ChallengeId: tenantry_domain::OtpChallenge;
    EventId: tenantry_domain::AuditEvent;
    OperatorId: tenantry_domain::Operator;
    OperatorSessionId: tenantry_domain::OperatorSession;
    ApiKeyId: tenantry_domain::ApiKey;
    MessageId: tenantry_domain::OutboxMessage;
    WebhookId: tenantry_domain::Webhook;
}

/// A trace's identifier, by W3C's Trace Context.
pub(crate) struct TraceId;

named!(TraceId, text().pattern(Some("^[0-9a-f]{32}$")).examples(["4bf92f3577b34da6a3ce929d0e0e4736"]));

/// A moment, in UTC, by RFC 3339.
pub(crate) struct Moment;

named!(
    Moment,
    text()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("A moment in UTC, by RFC 3339, with up to six digits of a second."))
        .examples(["2026-11-25T09:30:00Z"])
);

/// A day, in UTC.
pub(crate) struct Day;

named!(
    Day,
    text()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
        .description(Some("A day in UTC, by RFC 3339."))
        .examples(["2026-11-25"])
);

/// Which kind of actor.
pub(crate) struct ActorKind;

named!(ActorKind, text().enum_values(Some(tenantry_domain::Actor::KINDS)));

/// How an action came out.
pub(crate) struct Outcome;

named!(Outcome, text().enum_values(Some(["success", "failure"])));

/// A tenant's or a project's short name.
pub(crate) struct Slug;

named!(
    Slug,
    text()
        .min_length(Some(1))
        .max_length(Some(tenantry_domain::Slug::MAX))
        .pattern(Some("^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"))
        .description(Some("Letters, digits and hyphens, none of these at either end; kept in lower case."))
        .examples(["acme"])
);

/// An activation code's text.
pub(crate) struct CodeText;

named!(
    CodeText,
    text()
        .description(Some(
            "16 symbols of Crockford's base32, the last of which checks the others. Case, blanks and hyphens are forgiven, and O for 0, I and L for 1."
        ))
        .examples(["12RY-S55W-4MZR-KP2J"])
);

/// A bootstrap link's token.
pub(crate) struct BootstrapToken;

named!(
    BootstrapToken,
    text()
        .pattern(Some("^tnb_[A-Za-z0-9_-]{48}$"))
        .description(Some("The token of a one-time link, as the server or `tenantry-server bootstrap-link` printed it."))
        .examples(["tnb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACUwA7G"])
);

/// A key by which a request may be sent again.
pub(crate) struct IdempotencyKey;

named!(
    IdempotencyKey,
    text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$")).examples(["b5a5f7f0-6f0e-4e0c-9d5f-3a3a2f1d7c11"])
);

/// A file of codes.
pub(crate) struct CodesCsv;

named!(
    CodesCsv,
    text()
        .description(Some("CSV by RFC 4180, in UTF-8, whose first line names the columns."))
        .examples(["code,label,max_uses,expires_at\r\n12RY-S55W-4MZR-KP2J,Spring campaign,1,2030-01-31T12:00:00Z\r\n"])
);

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $all:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        named!($name, text().enum_values(Some($all.iter().map(|word| word.as_str()))));
    )*};
}

words! {
    /// How a project stands.
    ProjectStatus: tenantry_domain::ProjectStatus::ALL;
    /// What a code is at the moment.
    CodeStatus: tenantry_domain::CodeStatus::ALL;
    /// Where an issue of codes stands: under way, whole, or ended before its time.
    BatchState: tenantry_domain::BatchState::ALL;
    /// Where codes come from: made here, or brought from elsewhere.
    BatchSource: tenantry_domain::BatchSource::ALL;
    /// What happened.
    Action: tenantry_domain::Action::ALL;
    /// How a subscription stands.
    SubscriptionState: tenantry_domain::SubscriptionState::ALL;
    /// What an operator is for: `owner` does everything, `manager` looks after tenants, codes and projects, `viewer` looks.
    Role: tenantry_domain::Role::ALL;
    /// One thing that an operator's call may do.
    Scope: tenantry_domain::Scope::ALL;
    /// Where a message stands: to be sent, handed over, not to be sent (expired, discarded or a decoy), or not to be sent by itself.
    MessageState: tenantry_domain::MessageState::ALL;
    /// What a webhook hears of.
    EventType: tenantry_domain::EventType::ALL;
    /// Why nothing is sent to a webhook: its owner said so, it answered 410, or it took nothing for five days.
    DisabledReason: tenantry_domain::DisabledReason::ALL;
    /// What a bootstrap link is for.
    BootstrapPurpose: tenantry_domain::BootstrapPurpose::ALL;
}
