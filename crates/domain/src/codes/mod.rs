//! Activation codes: their text, their digests, the record that stands for one in a store, and the batches that they come in.

mod batch;
mod digest;
mod hint;
mod legacy;
mod record;
mod text;

pub use batch::{Batch, BatchId, BatchSource, BatchState};
pub use digest::{CodeDigest, CodeHasher, KeyId, KeyedCodeDigest};
pub use hint::CodeHint;
pub use legacy::{CodeText, LegacyCode};
pub use record::{Code, CodeId, CodeStatus, NewCode, NewCodeText};
pub use text::PlainCode;
