//! The codes that one call issued or took in, as one thing that an operator can look at and revoke.

use crate::{Actor, Id, InvalidValue, Label, Tenant, Timestamp, id::Kind, ports::CodeIssue};

/// A batch: the codes that one call issued or took in. That call is the batch's *issue*.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Batch {
    /// Its identifier, which each of its codes has.
    pub id: BatchId,
    /// Whom its codes were issued to.
    pub tenant_id: Id<Tenant>,
    /// What the codes are for.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub label: Option<Label>,
    /// How many projects each code can activate; `None` where every code has its own number.
    pub max_uses: Option<u32>,
    /// Until when the codes are valid, exclusive; `None` for ever, or where every code has its own end.
    pub expires_at: Option<Timestamp>,
    /// How many codes were asked for.
    pub ordered: u32,
    /// How many there are: as many as it has rows, whatever became of the call.
    pub issued: u32,
    /// Where the issue stands.
    pub state: BatchState,
    /// Where the codes come from.
    pub source: BatchSource,
    /// Who made it, for people to read; `None` for what was issued before this was noted.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

/// A batch's identifier.
pub type BatchId = Id<Batch>;

impl Kind for Batch {
    const PREFIX: &'static str = "bat";
}

impl Batch {
    /// What its codes have in common.
    #[must_use]
    pub const fn issue(&self) -> CodeIssue {
        CodeIssue { tenant_id: self.tenant_id, batch_id: self.id, created_at: self.created_at }
    }

    /// An actor as a batch names its maker: `api_key ops`, `system`.
    #[must_use]
    pub fn made_by(actor: &Actor) -> String {
        match actor.name() {
            Some(name) => format!("{} {name}", actor.kind()),
            None => actor.kind().to_owned(),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $code:literal: $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The reverse of [`as_str`](Self::as_str).
            ///
            /// # Errors
            #[doc = concat!("`", $code, "`.")]
            pub fn parse(text: &str) -> Result<Self, InvalidValue> {
                let unknown = || InvalidValue::new($code, format!("must be one of {}", [$($word),+].join(", ")));
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(unknown)
            }
        }
    };
}

words! {
    /// Where an issue stands.
    BatchState, "invalid_state":
    /// Codes are being written; or were, when the server that wrote them ended without a word.
    Issuing = "issuing",
    /// All that were asked for were written.
    Complete = "complete",
    /// It ended before its time, and holds what was written by then.
    Cancelled = "cancelled",
}

words! {
    /// Where codes come from.
    BatchSource, "invalid_source":
    /// Made here.
    Issued = "issued",
    /// Brought from elsewhere.
    Imported = "imported",
}
