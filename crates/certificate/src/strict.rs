//! JSON in which no object names a member twice: what two readers could take for two things is taken by neither.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor},
};

/// Reads JSON, and nothing behind it.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<NoMemberTwice>(json)?;
    serde_json::from_slice(json)
}

/// Any value, which is looked at and not kept.
struct NoMemberTwice;

impl<'de> Deserialize<'de> for NoMemberTwice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = NoMemberTwice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<NoMemberTwice, A::Error> {
        let mut names = HashSet::<String>::new();
        while let Some(name) = object.next_key()? {
            if !names.insert(name) {
                return Err(A::Error::custom("an object names a member twice"));
            }
            object.next_value::<NoMemberTwice>()?;
        }
        Ok(NoMemberTwice)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NoMemberTwice, A::Error> {
        while items.next_element::<NoMemberTwice>()?.is_some() {}
        Ok(NoMemberTwice)
    }

    fn visit_bool<E>(self, _: bool) -> Result<NoMemberTwice, E> {
        Ok(NoMemberTwice)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NoMemberTwice, E> {
        Ok(NoMemberTwice)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NoMemberTwice, E> {
        Ok(NoMemberTwice)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NoMemberTwice, E> {
        Ok(NoMemberTwice)
    }

    fn visit_str<E>(self, _: &str) -> Result<NoMemberTwice, E> {
        Ok(NoMemberTwice)
    }

    fn visit_unit<E>(self) -> Result<NoMemberTwice, E> {
        Ok(NoMemberTwice)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn no_member_is_named_twice_at_any_depth() {
        for json in [r#"{"a":1,"b":[{"a":null},{"a":"x"}],"c":{"a":-1.5,"b":true}}"#, "[]", " 7 "] {
            assert!(from_json::<Value>(json.as_bytes()).is_ok(), "{json}");
        }
        for json in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":[{"c":{"a":1,"a":2}}]}"#, "{} {}", "", r#"{"a":1"#] {
            assert!(from_json::<Value>(json.as_bytes()).is_err(), "{json}");
        }
        let deep = "[".repeat(100_000);
        assert!(from_json::<Value>(deep.as_bytes()).is_err(), "the depth is bounded");
    }
}
