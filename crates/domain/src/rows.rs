//! How stores that keep rows as documents write the values that have a text: as that text, for whoever looks into the store. What is read
//! was checked when it was written, by the rules of that time; rules that became stricter make no row unreadable.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{DomainName, Email, EventTypes, HexColor, HttpsUrl, Line, Prose, Scopes, Slug, TraceId, WebhookUrl};

macro_rules! by_text {
    ($($name:ty: $write:expr, $read:expr;)+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&Self) -> Cow<'_, str> = $write;
                serializer.serialize_str(&write(self))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read: fn(Cow<'_, str>) -> Result<Self, crate::InvalidValue> = $read;
                read(<Cow<'de, str>>::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    )+};
}

by_text! {
    EventTypes: |types| types.to_string().into(), |text| Ok(Self::from_stored(&text));
    Scopes: |scopes| scopes.to_string().into(), |text| Ok(Self::from_stored(&text));
    TraceId: |id| id.to_string().into(), |text| Self::parse(&text);
    WebhookUrl: |url| url.as_str().into(), |text| Ok(Self::from_stored(text.into_owned()));
}

/// A text that a row has.
pub(crate) trait Kept: Sized {
    fn kept(text: String) -> Self;
}

macro_rules! kept {
    ($($name:ty $(, const $max:ident)?;)+) => {$(
        impl$(<const $max: usize>)? Kept for $name {
            fn kept(text: String) -> Self {
                Self::from_stored(text)
            }
        }
    )+};
}

kept! {
    DomainName;
    Email;
    HexColor;
    HttpsUrl;
    Line<MAX>, const MAX;
    Prose<MAX>, const MAX;
    Slug;
}

/// Reads a text of a row as it was written; from a request, the same type checks it.
pub(crate) fn text<'de, D: Deserializer<'de>, T: Kept>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer).map(T::kept)
}

/// [`text`], where there may be none.
pub(crate) fn some_text<'de, D: Deserializer<'de>, T: Kept>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(T::kept))
}

#[cfg(test)]
mod tests {
    use crate::{Email, Id, Project, ProjectDetails, ProjectStatus, SeededEntropy, Slug, Timestamp, text::Line};

    /// Names that today's rules refuse are read as they are, from a row; and refused, from a request.
    #[test]
    fn what_was_kept_by_older_rules_stays_readable() {
        let details = ProjectDetails {
            client_name: Line::from_stored(" Globex\u{7}".to_owned()),
            description: None,
            objectives: None,
            priority: Some(Line::from_stored("p".repeat(41))),
        };
        let project = Project {
            id: Id::generate(Timestamp::MIN, &SeededEntropy::new(1)),
            tenant_id: None,
            slug: Slug::from_stored("Old_Site".to_owned()),
            details,
            status: ProjectStatus::Pending,
            activation_code_id: None,
            started_at: None,
            completed_at: None,
            created_by: None,
            created_at: Timestamp::MIN,
            updated_at: Timestamp::MIN,
        };
        let kept = serde_json::to_string(&project).unwrap();
        assert_eq!(serde_json::from_str::<Project>(&kept).unwrap(), project);
        assert!(serde_json::from_str::<Slug>(r#""Old_Site""#).is_err());
        assert!(serde_json::from_str::<Email>(r#""nobody""#).is_err());
    }
}
