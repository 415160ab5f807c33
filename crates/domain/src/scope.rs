//! What an operator, or an API key of its, may do.

use std::{fmt, str::FromStr};

use crate::InvalidValue;

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// One thing that an operator's call may do. Every route of the operators' API asks for exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Scope {
            $($(#[$doc])* $variant,)*
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The scope as it is stored and shown: `codes:write`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

scopes! {
    /// See plans.
    PlansRead = "plans:read";
    /// Make, change, archive and delete plans.
    PlansWrite = "plans:write";
    /// See tenants and their subscriptions.
    TenantsRead = "tenants:read";
    /// Make, change, suspend and delete tenants; change their subscriptions.
    TenantsWrite = "tenants:write";
    /// See codes, never their texts.
    CodesRead = "codes:read";
    /// Issue, import, revoke and reissue codes.
    CodesWrite = "codes:write";
    /// See everybody's projects.
    ProjectsRead = "projects:read";
    /// Assign projects, and return what activated them.
    ProjectsWrite = "projects:write";
    /// Read the audit trail.
    AuditRead = "audit:read";
    /// Read the figures of the dashboard.
    StatsRead = "stats:read";
    /// See operators.
    OperatorsRead = "operators:read";
    /// Invite, change and remove operators.
    OperatorsWrite = "operators:write";
    /// See API keys, never their texts.
    ApiKeysRead = "api_keys:read";
    /// Make and revoke API keys.
    ApiKeysWrite = "api_keys:write";
    /// See the messages that wait, were sent, or could not be; never what they say.
    MessagesRead = "messages:read";
    /// Try messages again that could not be sent, and discard them.
    MessagesWrite = "messages:write";
    /// See the operators' webhooks and what was sent to them; never their secrets.
    WebhooksRead = "webhooks:read";
    /// Make, change, test and delete the operators' webhooks.
    WebhooksWrite = "webhooks:write";
}

impl Scope {
    /// Whether it only looks.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(
            self,
            Self::PlansRead
                | Self::TenantsRead
                | Self::CodesRead
                | Self::ProjectsRead
                | Self::AuditRead
                | Self::StatsRead
                | Self::OperatorsRead
                | Self::ApiKeysRead
                | Self::MessagesRead
                | Self::WebhooksRead
        )
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            let all: Vec<_> = Self::ALL.iter().map(|scope| scope.as_str()).collect();
            InvalidValue::new("invalid_scope", format!("must be one of {}", all.join(", ")))
        };
        Self::ALL.iter().copied().find(|scope| scope.as_str() == text).ok_or_else(unknown)
    }
}

/// A set of scopes.
///
/// # Example
///
/// ```
/// use tenantry_domain::{Role, Scope, Scopes};
///
/// let manager = Role::Manager.scopes();
/// assert!(manager.has(Scope::CodesWrite) && !manager.has(Scope::ApiKeysRead));
///
/// let wanted: Scopes = [Scope::CodesRead, Scope::CodesWrite].into_iter().collect();
/// assert!(manager.include(wanted));
/// assert_eq!(wanted.to_string(), "codes:read codes:write");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u32);

impl Scopes {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.iter().copied().collect()
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether all of `others` are among them: nobody hands on what it doesn't have.
    #[must_use]
    pub const fn include(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those that are not among `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |&scope| self.has(scope))
    }

    /// Reads words with blanks between them, as [`Display`](fmt::Display) writes them. A word that only a newer version knows is passed
    /// over: it lets this one do nothing.
    #[must_use]
    pub fn from_stored(words: &str) -> Self {
        words.split(' ').filter_map(|word| word.parse().ok()).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

/// What an operator is for, and so what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Role {
    /// Everything, other operators and API keys included.
    Owner,
    /// Tenants, codes, projects and messages; looks at the rest, but for operators, API keys and webhooks.
    Manager,
    /// Looks at everything but operators, API keys and webhooks.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Manager, Self::Viewer];

    /// What it may do.
    #[must_use]
    pub fn scopes(self) -> Scopes {
        let administers = |scope: &Scope| {
            // A webhook's address often is its secret.
            matches!(
                scope,
                Scope::OperatorsRead
                    | Scope::OperatorsWrite
                    | Scope::ApiKeysRead
                    | Scope::ApiKeysWrite
                    | Scope::WebhooksRead
                    | Scope::WebhooksWrite
            )
        };
        let manages = |scope: &Scope| {
            matches!(scope, Scope::TenantsWrite | Scope::CodesWrite | Scope::ProjectsWrite | Scope::MessagesWrite)
        };
        let all = Scope::ALL.iter().copied();
        match self {
            Self::Owner => all.collect(),
            Self::Manager => all.filter(|scope| (scope.is_read() && !administers(scope)) || manages(scope)).collect(),
            Self::Viewer => all.filter(|scope| scope.is_read() && !administers(scope)).collect(),
        }
    }

    /// The role as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Viewer => "viewer",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_role`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unknown = || InvalidValue::new("invalid_role", "must be one of owner, manager, viewer");
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_being_stored() {
        for &scope in Scope::ALL {
            assert_eq!(scope.as_str().parse::<Scope>(), Ok(scope));
            let alone = Scopes::from_iter([scope]);
            assert_eq!(Scopes::from_stored(&alone.to_string()), alone);
            assert!(Scopes::all().include(alone) && !Scopes::NONE.has(scope));
        }
        assert_eq!(Scopes::from_stored(&Scopes::all().to_string()), Scopes::all());
        assert_eq!(Scopes::from_stored("plans:read moon:write"), Scopes::from_iter([Scope::PlansRead]));
        assert_eq!(Scopes::from_stored(""), Scopes::NONE);
        let all_but_one = Scopes::all().without(Scopes::from_iter([Scope::CodesRead]));
        assert!(!all_but_one.has(Scope::CodesRead) && all_but_one.iter().count() == Scope::ALL.len() - 1);
    }

    #[test]
    fn roles_nest_and_only_owners_administer() {
        let [owner, manager, viewer] = Role::ALL.map(Role::scopes);
        assert!(owner.include(manager) && manager.include(viewer) && owner != manager && manager != viewer);
        assert!(viewer.iter().all(Scope::is_read));
        assert!(!manager.has(Scope::OperatorsRead) && !manager.has(Scope::ApiKeysRead) && !manager.has(Scope::PlansWrite));
        assert!(manager.has(Scope::CodesWrite) && viewer.has(Scope::AuditRead));
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.as_str()) == Ok(role)));
    }
}
