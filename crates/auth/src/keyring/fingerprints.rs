//! Which keys a ring has, said so that it gives none of them away: what a database knows its ring by.

use tenantry_domain::{KeyFingerprint, KeyId};

use super::{KeyRing, RingKey, derived::keyed};

impl KeyRing {
    /// The name and the fingerprint of every key, newest first: for [`admit_key_ring`](tenantry_domain::admit_key_ring), which sees at the start
    /// of a service that the ring is the one that the store's digests were made with.
    ///
    /// A fingerprint is a keyed hash over a fixed text, by a key that is derived for this alone: it tells keys apart, and says nothing of them. It
    /// doesn't depend on the key's name.
    ///
    /// # Example
    ///
    /// ```
    /// # use tenantry_auth::*;
    /// # use tenantry_domain::{memory::MemoryStore, *};
    /// # futures_executor::block_on(async {
    /// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
    /// let line = || -> Result<_, InvalidValue> { Ok(KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy)) };
    /// let (ours, anothers) = (KeyRing::parse(&line()?)?, KeyRing::parse(&line()?)?);
    ///
    /// admit_key_ring(&store, &cx, &ours.fingerprints()).await?; // the first that comes is the store's
    /// admit_key_ring(&store, &cx, &ours.fingerprints()).await?;
    /// let refused = admit_key_ring(&store, &cx, &anothers.fingerprints()).await;
    /// assert!(matches!(refused, Err(AdmitKeyRingError::Foreign(_))));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn fingerprints(&self) -> Vec<(KeyId, KeyFingerprint)> {
        self.keys.iter().map(|key| (key.id.clone(), key.fingerprint())).collect()
    }
}

impl RingKey {
    fn fingerprint(&self) -> KeyFingerprint {
        KeyFingerprint::from_bytes(keyed(&self.derived.fingerprints, [b"v1".as_slice(), b"which key this is"]))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::line, *};

    fn fingerprints(text: &str) -> Vec<(String, KeyFingerprint)> {
        KeyRing::parse(text).unwrap().fingerprints().into_iter().map(|(id, key)| (id.to_string(), key)).collect()
    }

    #[test]
    fn a_fingerprint_is_the_keys_whatever_it_is_called_and_wherever_it_stands() {
        let alone = fingerprints(&line("k1", 1));
        let rotated = fingerprints(&format!("+{}{}", line("k2", 2), line("k1", 1)));
        assert_eq!(rotated.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["k2", "k1"], "those that wait too");
        assert_eq!(rotated[1], alone[0]);
        assert_ne!(rotated[0].1, alone[0].1);
        assert_eq!(fingerprints(&line("main", 1))[0].1, KeyFingerprint::from_bytes(*alone[0].1.as_bytes()));
        assert_ne!(fingerprints(&line("k1", 2))[0].1, alone[0].1);
    }

    /// Databases hold it: were it to change, every server would refuse its own ring.
    #[test]
    fn a_fingerprint_stays_what_it_is() {
        let root = [
            7, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
        ];
        let text = format!("k1:{}", data_encoding::BASE64URL_NOPAD.encode(&root));
        let key = blake3::derive_key("tenantry 2026 v1 key fingerprints", &root);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&2_u64.to_le_bytes()).update(b"v1").update(&17_u64.to_le_bytes()).update(b"which key this is");
        assert_eq!(fingerprints(&text)[0].1.as_bytes(), hasher.finalize().as_bytes());
    }
}
