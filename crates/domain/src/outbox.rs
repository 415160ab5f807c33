//! Messages to the outside, written in the transaction that causes them and sent after it.

use std::fmt;

use crate::{Cause, Id, InvalidValue, KeyId, Timestamp, id::Kind};

/// A message to the outside that waits to be sent, or was.
///
/// It is written in the transaction that causes it, and sent after it. While a sender works on one, it holds a *lease* on it:
/// until that runs out, no other claim gets the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct OutboxMessage {
    /// Its identifier; a mail's Message-ID is made of it, so that a second sending can be told from a second message.
    pub id: MessageId,
    /// What kind of message: `mail.otp`.
    pub topic: String,
    /// What it says and to whom, sealed.
    pub payload: SealedPayload,
    /// Not to be sent before.
    pub available_at: Timestamp,
    /// Not to be sent from then on: what it carries has expired.
    pub not_after: Option<Timestamp>,
    /// How often it was claimed, ever: it only grows, and so tells a claim from a later one.
    pub attempts: u32,
    /// How many of the attempts were before it was last put back by hand, and don't count any more.
    pub forgiven: u32,
    /// What caused it.
    pub cause: Cause,
    /// When it was made.
    pub created_at: Timestamp,
}

impl OutboxMessage {
    /// How often it was claimed since it was made, or last put back by hand.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.attempts.saturating_sub(self.forgiven)
    }
}

/// A message's identifier.
pub type MessageId = Id<OutboxMessage>;

impl Kind for OutboxMessage {
    const PREFIX: &'static str = "msg";
}

/// A message of the outbox as it is shown: never what it says, nor to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its identifier.
    pub id: MessageId,
    /// What kind of message.
    pub topic: String,
    /// Where it stands.
    pub state: MessageState,
    /// How often it was tried since it was made, or last put back by hand.
    pub tries: u32,
    /// Why the last try failed; `None` where none did, and once it is sent.
    pub last_error: Option<FailureNote>,
    /// While it waits: when it is tried next, or, while it is being tried, when another would take over.
    pub available_at: Timestamp,
    /// Of no use from then on.
    pub not_after: Option<Timestamp>,
    /// Whether the store still has what it says. It is wiped once it can't be of use any more.
    pub holds_payload: bool,
    /// When it was sent, dropped or given up.
    pub settled_at: Option<Timestamp>,
    /// What caused it.
    pub cause: Cause,
    /// When it was made.
    pub created_at: Timestamp,
}

impl MessageRecord {
    /// Whether it can be put back by hand at `now`: it is dead, is still there, and is still of use.
    #[must_use]
    pub fn is_retryable(&self, now: Timestamp) -> bool {
        self.state == MessageState::Dead && self.holds_payload && self.not_after.is_none_or(|end| now < end)
    }
}

/// Where a message of the outbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum MessageState {
    /// To be sent.
    Waiting,
    /// Handed over.
    Sent,
    /// Not to be sent: expired, discarded by hand, or a decoy.
    Dropped,
    /// Refused for good, tried too often, or unreadable. It stays until somebody puts it back or discards it.
    Dead,
}

impl MessageState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Dropped, Self::Dead];

    /// The state as it is shown, and, once it is settled, stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dropped => "dropped",
            Self::Dead => "dead",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unknown = || InvalidValue::new("invalid_state", "must be one of waiting, sent, dropped, dead");
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(unknown)
    }
}

/// Why a message was not handed over, in a form that is fit to be kept and shown.
///
/// One line of at most [`MAX`](Self::MAX) characters, in which no e-mail address is left, no long number, and nothing that
/// could be a one-time password or an activation code, whoever wrote it. Some words that are neither go with them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct FailureNote(String);

impl FailureNote {
    /// The most characters.
    pub const MAX: usize = 200;
    /// So many digits in a row could be a one-time password.
    const SECRET_DIGITS: usize = 6;
    /// So many symbols in a row, with a digit among them, could be a password of the longer kind (13), or an activation code (16).
    const SECRET_SYMBOLS: usize = 13;

    /// Takes what is known of a failure, and leaves out what must not be kept.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
        let shown: Vec<_> = words.into_iter().map(|word| if Self::is_secret(word) { "***" } else { word }).collect();
        let kept: String = shown.join(" ").chars().take(Self::MAX).collect();
        Self(kept.trim_end().to_owned())
    }

    /// Takes a note as a store wrote it.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The note.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_secret(word: &str) -> bool {
        word.contains('@')
            || word.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= Self::SECRET_DIGITS)
            || word.split(|c: char| !is_symbol(c) && !is_hyphen(c)).any(Self::could_be_a_code)
    }

    /// Whether symbols and hyphens hold a secret: by their number, or grouped as one is shown (`XXXXX-XXXX-XXXX`, `XXXX-XXXX-XXXX-XXXX`).
    fn could_be_a_code(run: &str) -> bool {
        let groups: Vec<usize> = run.split(is_hyphen).map(str::len).collect();
        let long = groups.iter().sum::<usize>() >= Self::SECRET_SYMBOLS && run.contains(|c: char| c.is_ascii_digit());
        long || groups.windows(3).any(|shape| shape == [5, 4, 4]) || groups.windows(4).any(|shape| shape == [4; 4])
    }
}

/// A letter or digit of a password or a code, as people may type it: all but U.
const fn is_symbol(c: char) -> bool {
    c.is_ascii_alphanumeric() && !matches!(c, 'U' | 'u')
}

const fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

impl fmt::Display for FailureNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Encrypted bytes, and the name of the key that they can be opened with.
///
/// A dump of a store reads nothing of it. `tenantry-auth`'s key ring seals and opens.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct SealedPayload {
    /// The key.
    pub key_id: KeyId,
    /// Nonce, cipher text, tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPayload({}, {} bytes)", self.key_id, self.bytes.len())
    }
}

/// How a claimed message of the outbox ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was handed over. Its payload is wiped.
    Sent,
    /// It will be tried again at this time.
    Retry {
        /// When it will be tried again.
        at: Timestamp,
        /// Why this try failed.
        why: FailureNote,
    },
    /// It is not to be sent: expired, or a decoy. Its payload is wiped.
    Dropped,
    /// It will not be sent by itself: refused for good, tried too often, or unreadable. Its payload stays, so that it can be put back by
    /// hand, until the message is of no use any more.
    Dead {
        /// Why it was given up.
        why: FailureNote,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_note_has_no_address_and_no_password_in_it() {
        let said = "550 5.1.1 <ops@acme.example>:\r\n Recipient \"ops@acme.example\" rejected, code=042137; try mx.example:2525";
        let note = FailureNote::new(said);
        assert_eq!(note.as_str(), "550 5.1.1 *** Recipient *** rejected, *** try mx.example:2525");
        assert_eq!(FailureNote::new(&"ä".repeat(1_000)).as_str().chars().count(), FailureNote::MAX);
        assert_eq!(FailureNote::new(" \n\t ").as_str(), "");
    }

    #[test]
    fn a_note_has_no_password_of_the_longer_kind_and_no_code_in_it() {
        for secret in [
            "7K2MQ-9XWD-03FR",
            "7k2mq9xwd03fr",
            "ABCDE-FGHJ-KMNP",
            "12RY-S55W-4MZR-KP2J",
            "12rys55w4mzrkp2j",
            "ABCD–EFGH–JKMN–PQRS",
        ] {
            for around in [("", ""), ("code=", ","), ("<b>", "</b>"), ("\"", "\".")] {
                let note = FailureNote::new(&format!("554 refused: {}{secret}{} is in it", around.0, around.1));
                assert_eq!(note.as_str(), "554 refused: *** is in it", "{secret} {around:?}");
            }
        }
        let harmless = "451 4.7.1 Greylisting-in-action, try again: mx-12.eu.example (local-policy-restriction) 4bXyZ12345z";
        assert_eq!(FailureNote::new(harmless).as_str(), harmless);
    }

    proptest! {
        #[test]
        fn whatever_is_said_a_note_is_one_line_without_addresses(text in "(\\PC|@|[0-9]|\n|\r){0,300}") {
            let note = FailureNote::new(&text);
            prop_assert!(!note.as_str().contains('@') && !note.as_str().contains(char::is_control));
            let digits = note.as_str().split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            prop_assert!(digits.is_none_or(|digits| digits < 6));
            prop_assert_eq!(FailureNote::new(note.as_str()), note.clone());
        }
    }

    #[test]
    fn states_survive_being_shown() {
        assert!(MessageState::ALL.into_iter().all(|state| MessageState::parse(state.as_str()) == Ok(state)));
        assert_eq!(MessageState::parse("lost").unwrap_err().code, "invalid_state");
    }
}
