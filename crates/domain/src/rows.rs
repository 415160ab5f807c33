//! How stores that keep rows as documents write the values that have a text: as that text, for whoever looks into the store.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{EventTypes, Scopes, TraceId, WebhookUrl};

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
