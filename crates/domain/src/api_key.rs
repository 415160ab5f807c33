//! API keys: by which programs do an operator's work.

use crate::{ApiKeyName, Id, OperatorId, Scopes, Timestamp, TokenDigest, id::Kind};

/// An API key as a store keeps it: without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct ApiKey {
    /// Its identifier, which is no secret.
    pub id: ApiKeyId,
    /// What it is for, in its maker's words.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub name: ApiKeyName,
    /// The keyed digest of its text, unique.
    pub token_digest: TokenDigest,
    /// What it may do.
    pub scopes: Scopes,
    /// Valid until then, exclusive; `None`: until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; written at most once a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The operator that made it, also once that is gone; `None`: another API key made it.
    pub created_by: Option<OperatorId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An API key's identifier.
pub type ApiKeyId = Id<ApiKey>;

impl Kind for ApiKey {
    const PREFIX: &'static str = "key";
}

impl ApiKey {
    /// Whether it still counts at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::Scope;

    #[test]
    fn a_key_lives_until_its_end_or_its_revocation() {
        let (made, end) = (Timestamp::MIN, Timestamp::MIN + Duration::HOUR);
        let key = ApiKey {
            id: Id::from_uuid(uuid::Uuid::from_u128(1)),
            name: ApiKeyName::parse("CI").unwrap(),
            token_digest: TokenDigest::from_bytes([1; 32]),
            scopes: Scopes::from_iter([Scope::CodesRead]),
            expires_at: Some(end),
            last_used_at: None,
            revoked_at: None,
            created_by: None,
            created_at: made,
        };
        assert!(key.is_live(end - Duration::MICROSECOND) && !key.is_live(end));
        assert!(ApiKey { expires_at: None, ..key.clone() }.is_live(Timestamp::MAX));
        assert!(!ApiKey { revoked_at: Some(made), ..key }.is_live(made));
    }
}
