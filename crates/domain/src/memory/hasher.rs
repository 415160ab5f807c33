use crate::{CodeDigest, CodeHasher, KeyId, KeyedCodeDigest, PlainCode};

/// A [`CodeHasher`] for tests and examples alone: its "digest" is the code's own text, without a key, so whoever reads the store
/// can use its codes.
///
/// In production, use the key ring of `tenantry-auth`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainHasher;

impl PlainHasher {
    /// The key id that its digests are stored with.
    pub const KEY_ID: &str = "plain";
}

impl CodeHasher for PlainHasher {
    fn digest(&self, code: &PlainCode) -> KeyedCodeDigest {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(code.reveal().bytes()).for_each(|(byte, symbol)| *byte = symbol);
        KeyedCodeDigest { digest: CodeDigest::from_bytes(bytes), key_id: KeyId::from_stored(Self::KEY_ID.to_owned()) }
    }

    fn candidates(&self, code: &PlainCode) -> Vec<CodeDigest> {
        vec![self.digest(code).digest]
    }
}
