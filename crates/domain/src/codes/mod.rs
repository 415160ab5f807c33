//! Activation codes: their text, their digests, and the record that stands for one in a store.

mod digest;
mod record;
mod text;

pub use digest::{CodeDigest, CodeHasher, KeyId, KeyedCodeDigest};
pub use record::{Batch, BatchId, Code, CodeId, CodeStatus, NewCode};
pub use text::PlainCode;
