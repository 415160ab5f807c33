//! The key ring: the secrets that make a stolen database useless.

use std::{fmt, net::IpAddr};

use data_encoding::BASE64URL_NOPAD;
use tenantry_domain::{
    BucketKey, ChallengeId, CodeDigest, CodeHasher, CodeText, Entropy, Fingerprint, IdempotencyKey, InvalidValue, KeyId,
    KeyedCodeDigest, LegacyCode, OtpAccount, OtpMac, OtpPurpose, PlainCode, TenantId, TokenDigest,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    PlainOtp, PlainToken, TokenKind,
    certificates::CertificateKey,
    legacy::{LegacyDigest, LegacyScheme},
    seal::Sealed,
};

/// Keys by which codes, tokens and one-time passwords are digested, messages sealed, and certificates signed.
///
/// Its text form is a line a key, `kid:key`, the newest first, the key being 32 bytes in base64url without padding; empty lines and lines
/// that start with `#` are passed over. A key behind a `+` waits: it verifies and doesn't sign yet, so that every server can know it
/// before the first one signs by it. The first key that doesn't wait signs, all verify. From each key, others are derived for each use, so
/// that a digest made for one use says nothing in another.
#[derive(Clone)]
pub struct KeyRing {
    /// In the order of the text; never empty.
    keys: Vec<RingKey>,
    /// The place of the one that signs.
    signing: usize,
    /// What is known of an older portal's codes.
    legacy: LegacyScheme,
}

/// One key, and what is derived from it.
#[derive(Clone)]
struct RingKey {
    id: KeyId,
    derived: DerivedKeys,
    certificates: CertificateKey,
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct DerivedKeys {
    codes: [u8; 32],
    legacy_codes: [u8; 32],
    tokens: [u8; 32],
    otps: [u8; 32],
    seal: [u8; 32],
    buckets: [u8; 32],
    requests: [u8; 32],
    answers: [u8; 32],
    webhooks: [u8; 32],
    certificates: [u8; 32],
}

impl DerivedKeys {
    const fn seal(&self, what: Sealed) -> &[u8; 32] {
        match what {
            Sealed::Message => &self.seal,
            Sealed::Answer => &self.answers,
            Sealed::WebhookSecret => &self.webhooks,
        }
    }
}

/// Why a key ring can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key in it.
    #[error("the key ring has no key: add a line `kid:key` with 32 random bytes in base64url")]
    Empty,
    /// All its keys wait.
    #[error("no key of the key ring signs: take the `+` off one")]
    NoneSigns,
    /// A line is no key.
    #[error("line {line} of the key ring is not `kid:key`: {reason}")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it; never the line itself.
        reason: String,
    },
    /// A key isn't random.
    #[error("line {line} of the key ring has a key that anyone could guess: use 32 random bytes")]
    Guessable {
        /// Which line, from 1.
        line: usize,
    },
    /// Two keys have the same name.
    #[error("line {line} of the key ring repeats a key id")]
    Repeated {
        /// Which line, from 1.
        line: usize,
    },
}

impl KeyRing {
    /// Reads the text form.
    ///
    /// # Errors
    /// See [`KeyRingError`]. None shows a key.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<RingKey> = Vec::new();
        let mut signing = None;
        for (index, content) in text.lines().enumerate() {
            let (line, content) = (index + 1, content.trim());
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let (waits, content) = content.strip_prefix(Self::WAITS).map_or((false, content), |rest| (true, rest));
            let key = RingKey::parse(content, line)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(KeyRingError::Repeated { line });
            }
            if !waits && signing.is_none() {
                signing = Some(keys.len());
            }
            keys.push(key);
        }
        match signing {
            Some(signing) => Ok(Self { keys, signing, legacy: LegacyScheme::Unused }),
            None if keys.is_empty() => Err(KeyRingError::Empty),
            None => Err(KeyRingError::NoneSigns),
        }
    }

    /// What stands before a key that waits.
    pub const WAITS: char = '+';

    /// The text form of a new key, to be written into a key ring's file.
    #[must_use]
    pub fn generate_line(id: &KeyId, entropy: &dyn Entropy) -> Zeroizing<String> {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut());
        Zeroizing::new(format!("{id}:{}\n", BASE64URL_NOPAD.encode(key.as_ref())))
    }

    /// The same keys, with what is known of an older portal's codes.
    #[must_use]
    pub fn with_legacy(self, legacy: LegacyScheme) -> Self {
        Self { legacy, ..self }
    }

    /// What is stored of an older portal's code that is taken over, by the signing key: a keyed digest of what the older portal kept, so that
    /// its pepper alone is of no use to who has the database.
    #[must_use]
    pub fn adopted_digest(&self, kept: LegacyDigest) -> KeyedCodeDigest {
        KeyedCodeDigest { digest: self.signing().legacy_digest(kept), key_id: self.signing().id.for_legacy() }
    }

    /// Everything that could be stored of an older portal's code by any of the keys, the signing one's first.
    #[must_use]
    pub fn adopted_candidates(&self, kept: LegacyDigest) -> Vec<CodeDigest> {
        self.by_use().map(|key| key.legacy_digest(kept)).collect()
    }

    /// The name of the key that signs.
    #[must_use]
    pub fn signing_key_id(&self) -> &KeyId {
        &self.signing().id
    }

    /// The names of all keys, newest first.
    pub fn key_ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().map(|key| &key.id)
    }

    /// The name of the key that is to sign next: the oldest of those that wait above the one that signs.
    #[must_use]
    pub fn waiting_key_id(&self) -> Option<&KeyId> {
        self.keys.get(self.signing.checked_sub(1)?).map(|key| &key.id)
    }

    /// Whether it has a key of this name.
    #[must_use]
    pub fn has(&self, id: &KeyId) -> bool {
        self.key(id).is_some()
    }

    #[expect(clippy::indexing_slicing, reason = "the place was found while the keys were read")]
    fn signing(&self) -> &RingKey {
        &self.keys[self.signing]
    }

    /// The key that signs, then the others.
    fn by_use(&self) -> impl Iterator<Item = &RingKey> {
        let others = self.keys.iter().enumerate().filter(|(place, _)| *place != self.signing).map(|(_, key)| key);
        std::iter::once(self.signing()).chain(others)
    }

    fn key(&self, id: &KeyId) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.id == *id)
    }

    pub(crate) fn sealing_key(&self, what: Sealed) -> (&KeyId, &[u8; 32]) {
        (&self.signing().id, self.signing().derived.seal(what))
    }

    pub(crate) fn opening_key(&self, what: Sealed, id: &KeyId) -> Option<&[u8; 32]> {
        self.key(id).map(|key| key.derived.seal(what))
    }

    /// The seed by which certificates are signed, and the public half of its key.
    pub(crate) fn certificate_signing_key(&self) -> (&[u8; 32], &CertificateKey) {
        (&self.signing().derived.certificates, &self.signing().certificates)
    }

    /// The public keys that certificates are verified by: of every key, those that wait too, so that each is known before it signs. The
    /// signing key's comes first.
    pub fn certificate_keys(&self) -> impl Iterator<Item = &CertificateKey> {
        self.by_use().map(|key| &key.certificates)
    }

    /// The digest of a new token, by the signing key.
    #[must_use]
    pub fn token_digest<K: TokenKind>(&self, token: &PlainToken<K>) -> TokenDigest {
        self.signing().token_digest(token)
    }

    /// The digests of a presented token by every key, the signing key's first.
    #[must_use]
    pub(crate) fn token_candidates<K: TokenKind>(&self, token: &PlainToken<K>) -> Vec<TokenDigest> {
        self.by_use().map(|key| key.token_digest(token)).collect()
    }

    /// The digest by the signing key of a token that is stored as `stored`; `None` if that is it.
    #[must_use]
    pub(crate) fn rekeyed<K: TokenKind>(&self, token: &PlainToken<K>, stored: TokenDigest) -> Option<TokenDigest> {
        Some(self.token_digest(token)).filter(|digest| *digest != stored)
    }

    /// The digest of a new one-time password, bound to what it is for, and the key that made it.
    #[must_use]
    pub fn otp_mac(
        &self,
        purpose: OtpPurpose,
        account: Option<OtpAccount>,
        challenge: ChallengeId,
        otp: &PlainOtp,
    ) -> (OtpMac, KeyId) {
        (self.signing().otp_mac(purpose, account, challenge, otp), self.signing().id.clone())
    }

    /// The digest that a presented one-time password must have, by the key that made the challenge's; `None` for an unknown key.
    #[must_use]
    pub(crate) fn otp_mac_by(
        &self,
        key: &KeyId,
        purpose: OtpPurpose,
        account: Option<OtpAccount>,
        challenge: ChallengeId,
        otp: &PlainOtp,
    ) -> Option<OtpMac> {
        Some(self.key(key)?.otp_mac(purpose, account, challenge, otp))
    }

    /// The bucket of an account's requests for one-time passwords, by what it signs in with in the one form that all spellings have in
    /// common. It hangs on the oldest key alone, so that rotation empties none.
    #[must_use]
    pub(crate) fn account_bucket(&self, purpose: OtpPurpose, name: &str) -> BucketKey {
        self.bucket(&["otp account", purpose.as_str(), name])
    }

    /// The bucket of an address's requests for one-time passwords: an IPv4 address, or an IPv6 network of 64 bits, which is what one
    /// customer is given.
    #[must_use]
    pub fn address_bucket(&self, address: IpAddr) -> BucketKey {
        let subject = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        self.bucket(&["otp address", &subject])
    }

    /// The bucket of all one-time passwords together.
    #[must_use]
    pub(crate) fn global_bucket(&self) -> BucketKey {
        self.bucket(&["otp global"])
    }

    /// The bucket of a tenant's returned activations.
    #[must_use]
    pub fn returns_bucket(&self, tenant: TenantId) -> BucketKey {
        self.bucket(&["returns", &tenant.to_string()])
    }

    /// The bucket of the texts that a tenant presents and that are none of its codes.
    #[must_use]
    pub fn guesses_bucket(&self, tenant: TenantId) -> BucketKey {
        self.bucket(&["guesses", &tenant.to_string()])
    }

    fn bucket(&self, parts: &[&str]) -> BucketKey {
        BucketKey::from_bytes(keyed(&self.oldest().derived.buckets, parts.iter().map(|part| part.as_bytes())))
    }

    /// The digest of a request's idempotency key and of who sends it: its kind, and which one. It hangs on the oldest key alone, so that a
    /// request is known again after a rotation.
    #[must_use]
    pub fn idempotency_key(&self, sender: [&str; 2], key: &str) -> IdempotencyKey {
        let [kind, name] = sender;
        let parts = ["key", kind, name, key].map(str::as_bytes);
        IdempotencyKey::from_bytes(keyed(&self.oldest().derived.requests, parts))
    }

    /// The digest of all that a request asks for. It hangs on the oldest key too.
    #[must_use]
    pub fn fingerprint<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Fingerprint {
        let parts = std::iter::once(b"fingerprint".as_slice()).chain(parts);
        Fingerprint::from_bytes(keyed(&self.oldest().derived.requests, parts))
    }

    fn oldest(&self) -> &RingKey {
        self.keys.last().unwrap_or_else(|| self.signing())
    }
}

impl CodeHasher for KeyRing {
    fn digest(&self, code: &PlainCode) -> KeyedCodeDigest {
        KeyedCodeDigest { digest: self.signing().code_digest(code), key_id: self.signing().id.clone() }
    }

    fn candidates(&self, code: &PlainCode) -> Vec<CodeDigest> {
        self.by_use().map(|key| key.code_digest(code)).collect()
    }

    fn read(&self, text: &str) -> Result<CodeText, InvalidValue> {
        match self.legacy {
            LegacyScheme::Unused => PlainCode::parse(text).map(CodeText::from),
            LegacyScheme::WithoutPepper | LegacyScheme::Peppered(_) => CodeText::parse_either(text),
        }
    }

    fn legacy_digest(&self, code: &LegacyCode) -> Option<KeyedCodeDigest> {
        self.legacy.digest(code).map(|kept| self.adopted_digest(kept))
    }

    fn legacy_candidates(&self, code: &LegacyCode) -> Vec<CodeDigest> {
        let kept = self.legacy.digest(code);
        kept.iter().flat_map(|kept| self.adopted_candidates(*kept)).collect()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}

impl RingKey {
    fn parse(content: &str, line: usize) -> Result<Self, KeyRingError> {
        let malformed = |reason: &str| KeyRingError::Malformed { line, reason: reason.to_owned() };
        let (id, key) = content.split_once(':').ok_or_else(|| malformed("there is no `:`"))?;
        let id = KeyId::parse(id.trim()).map_err(|InvalidValue { detail, .. }| malformed(&detail))?;
        let decoded = BASE64URL_NOPAD.decode(key.trim().trim_end_matches('=').as_bytes());
        let bytes = Zeroizing::new(decoded.map_err(|_| malformed("the key is not base64url"))?);
        let root: Zeroizing<[u8; 32]> = Zeroizing::new(
            bytes.as_slice().try_into().map_err(|_| malformed("the key must have 32 bytes, no more and no less"))?,
        );
        // A key typed by hand repeats itself; 32 random bytes with fewer than 16 different values are never met by chance.
        let mut distinct = root.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 16 {
            return Err(KeyRingError::Guessable { line });
        }
        let derived = DerivedKeys::new(&root);
        let certificates = CertificateKey::of(&derived.certificates);
        Ok(Self { id, derived, certificates })
    }

    fn code_digest(&self, code: &PlainCode) -> CodeDigest {
        CodeDigest::from_bytes(keyed(&self.derived.codes, [code.reveal().as_bytes()]))
    }

    fn legacy_digest(&self, kept: LegacyDigest) -> CodeDigest {
        CodeDigest::from_bytes(keyed(&self.derived.legacy_codes, [kept.as_bytes().as_slice()]))
    }

    fn token_digest<K: TokenKind>(&self, token: &PlainToken<K>) -> TokenDigest {
        TokenDigest::from_bytes(keyed(&self.derived.tokens, [token.reveal().as_bytes()]))
    }

    fn otp_mac(&self, purpose: OtpPurpose, account: Option<OtpAccount>, challenge: ChallengeId, otp: &PlainOtp) -> OtpMac {
        // A tenant's is bare, as it was when there were no operators: passwords that are on their way stay good.
        let account = match account {
            None => vec![0; 16],
            Some(OtpAccount::Tenant(id)) => id.uuid().into_bytes().to_vec(),
            Some(OtpAccount::Operator(id)) => [b"operator", id.uuid().as_bytes().as_slice()].concat(),
        };
        let challenge = challenge.uuid().into_bytes();
        let parts: [&[u8]; 5] = [b"v1", purpose.as_str().as_bytes(), &account, &challenge, otp.as_bytes()];
        OtpMac::from_bytes(keyed(&self.derived.otps, parts))
    }
}

impl DerivedKeys {
    fn new(root: &[u8; 32]) -> Self {
        Self {
            codes: blake3::derive_key("tenantry 2026 v1 activation code digests", root),
            legacy_codes: blake3::derive_key("tenantry 2026 v1 legacy activation code digests", root),
            tokens: blake3::derive_key("tenantry 2026 v1 token digests", root),
            otps: blake3::derive_key("tenantry 2026 v1 one-time password digests", root),
            seal: blake3::derive_key("tenantry 2026 v1 sealed messages", root),
            buckets: blake3::derive_key("tenantry 2026 v1 rate limit buckets", root),
            requests: blake3::derive_key("tenantry 2026 v1 idempotent requests", root),
            answers: blake3::derive_key("tenantry 2026 v1 sealed answers", root),
            webhooks: blake3::derive_key("tenantry 2026 v1 sealed webhook secrets", root),
            certificates: blake3::derive_key("tenantry 2026 v1 certificate signing keys", root),
        }
    }
}

/// Keyed BLAKE3 over the parts, each with its length before it, so that no two lists of parts run together.
fn keyed<'a>(key: &[u8; 32], parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{Id, SeededEntropy, Tenant};

    use super::*;
    use crate::SessionToken;

    fn line(id: &str, seed: u64) -> String {
        KeyRing::generate_line(&KeyId::parse(id).unwrap(), &SeededEntropy::new(seed)).to_string()
    }

    #[test]
    fn the_first_key_signs_and_all_verify() {
        let old = KeyRing::parse(&line("k1", 1)).unwrap();
        let rotated = KeyRing::parse(&format!("# rotated\n{}\n{}", line("k2", 2), line("k1", 1))).unwrap();
        let code = PlainCode::generate(&SeededEntropy::new(9));
        let token = SessionToken::generate(&SeededEntropy::new(9));
        assert_eq!(rotated.signing_key_id().as_str(), "k2");
        assert_ne!(rotated.digest(&code), old.digest(&code));
        assert!(rotated.candidates(&code).contains(&old.digest(&code).digest));
        assert!(rotated.token_candidates(&token).contains(&old.token_digest(&token)));
        assert_eq!(rotated.account_bucket(OtpPurpose::TenantSignIn, "a"), old.account_bucket(OtpPurpose::TenantSignIn, "a"));
    }

    /// What one server makes, every other one finds, at each moment of a rotation.
    #[test]
    fn a_key_that_waits_verifies_and_changes_nothing_that_is_made() {
        let old = KeyRing::parse(&line("k1", 1)).unwrap();
        let waiting = KeyRing::parse(&format!("+{}{}", line("k2", 2), line("k1", 1))).unwrap();
        let promoted = KeyRing::parse(&format!("{}{}", line("k2", 2), line("k1", 1))).unwrap();
        let token = SessionToken::generate(&SeededEntropy::new(9));
        assert_eq!((old.waiting_key_id(), promoted.waiting_key_id()), (None, None));
        assert_eq!(waiting.waiting_key_id().unwrap().as_str(), "k2");
        assert_eq!((waiting.signing_key_id().as_str(), promoted.signing_key_id().as_str()), ("k1", "k2"));
        assert_eq!(waiting.token_digest(&token), old.token_digest(&token));
        assert_eq!(waiting.token_candidates(&token)[0], old.token_digest(&token), "the signing key's comes first");
        for (maker, finder) in [(&old, &waiting), (&waiting, &old), (&waiting, &promoted), (&promoted, &waiting)] {
            assert!(finder.token_candidates(&token).contains(&maker.token_digest(&token)));
        }
        for ring in [&waiting, &promoted] {
            assert_eq!(ring.idempotency_key(["tenant", "a"], "k"), old.idempotency_key(["tenant", "a"], "k"));
            assert_eq!(ring.account_bucket(OtpPurpose::TenantSignIn, "a"), old.account_bucket(OtpPurpose::TenantSignIn, "a"));
        }
        assert_eq!(KeyRing::parse(&format!("+{}", line("k2", 2))).unwrap_err(), KeyRingError::NoneSigns);
        assert_eq!(KeyRing::parse("").unwrap_err(), KeyRingError::Empty);
    }

    #[test]
    fn an_otp_is_bound_to_its_purpose_and_account_and_challenge_and_key() {
        const PURPOSES: [OtpPurpose; 2] = [OtpPurpose::TenantSignIn, OtpPurpose::OperatorSignIn];
        let ring = KeyRing::parse(&line("k1", 1)).unwrap();
        let entropy = SeededEntropy::new(5);
        let now = tenantry_domain::Timestamp::MIN;
        // A tenant and an operator with one and the same number, which a writer to the database could bring about, are two accounts.
        let (one, two) = (Id::<Tenant>::generate(now, &entropy).uuid(), Id::<Tenant>::generate(now, &entropy).uuid());
        let tenants = [one, two].map(|uuid| Some(OtpAccount::Tenant(Id::from_uuid(uuid))));
        let operators = [one, two].map(|uuid| Some(OtpAccount::Operator(Id::from_uuid(uuid))));
        let accounts = [tenants.as_slice(), &operators, &[None]].concat();
        let challenges = [Id::generate(now, &entropy), Id::generate(now, &entropy)];
        let otp = PlainOtp::six_digits(&entropy);
        let mut bindings = Vec::new();
        for purpose in PURPOSES {
            for &account in &accounts {
                bindings.extend(challenges.map(|challenge| (purpose, account, challenge)));
            }
        }
        for &(purpose, account, challenge) in &bindings {
            let (mac, key) = ring.otp_mac(purpose, account, challenge, &otp);
            for &(other_purpose, other_account, other_challenge) in &bindings {
                let same = (other_purpose, other_account, other_challenge) == (purpose, account, challenge);
                let opened = ring.otp_mac_by(&key, other_purpose, other_account, other_challenge, &otp) == Some(mac);
                assert_eq!(opened, same, "{purpose:?} {account:?} {challenge}");
            }
            assert_eq!(ring.otp_mac_by(&KeyId::parse("k9").unwrap(), purpose, account, challenge, &otp), None);
        }
    }

    /// Attack 7, its second half: who has the database and not the key tries every password, keyed otherwise and not at all.
    #[test]
    fn without_the_key_a_million_guesses_find_no_password() {
        let entropy = SeededEntropy::new(5);
        let ring = KeyRing::parse(&line("k1", 1)).unwrap();
        let thief = KeyRing::parse(&line("k1", 2)).unwrap();
        let now = tenantry_domain::Timestamp::MIN;
        let (tenant, challenge) = (Some(OtpAccount::Tenant(Id::generate(now, &entropy))), Id::generate(now, &entropy));
        let (mac, key) = ring.otp_mac(OtpPurpose::TenantSignIn, tenant, challenge, &PlainOtp::six_digits(&entropy));
        let mut hits = 0;
        for number in 0..1_000_000 {
            let guess = PlainOtp::parse(&format!("{number:06}")).unwrap();
            let by = |ring: &KeyRing| ring.otp_mac_by(&key, OtpPurpose::TenantSignIn, tenant, challenge, &guess) == Some(mac);
            assert!(!by(&thief) && blake3::hash(guess.as_bytes()).as_bytes() != mac.as_bytes(), "{number}");
            hits += u32::from(by(&ring));
        }
        assert_eq!(hits, 1, "with the key, one of them is right");
    }

    #[test]
    fn a_request_is_known_again_by_who_sends_it_and_its_key_also_after_a_rotation() {
        let old = KeyRing::parse(&line("k1", 1)).unwrap();
        let rotated = KeyRing::parse(&format!("{}{}", line("k2", 2), line("k1", 1))).unwrap();
        let key = old.idempotency_key(["tenant", "ten_1"], "a");
        assert_eq!(rotated.idempotency_key(["tenant", "ten_1"], "a"), key);
        for (sender, text) in
            [(["tenant", "ten_2"], "a"), (["api_key", "ten_1"], "a"), (["tenant", "ten_1"], "b"), (["tenant", "ten"], "_1a")]
        {
            assert_ne!(old.idempotency_key(sender, text), key);
        }
        let asked = old.fingerprint([b"POST".as_slice(), b"/a", b"", b"{}"]);
        assert_eq!(rotated.fingerprint([b"POST".as_slice(), b"/a", b"", b"{}"]), asked);
        assert_ne!(old.fingerprint([b"POST".as_slice(), b"/a", b"{}", b""]), asked);
        assert_ne!(old.fingerprint([b"POST".as_slice(), b"/a{}"]), asked);
    }

    #[test]
    fn one_ipv6_network_is_one_bucket() {
        let ring = KeyRing::parse(&line("k1", 1)).unwrap();
        let bucket = |text: &str| ring.address_bucket(text.parse().unwrap());
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::9"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_eq!(bucket("::ffff:192.0.2.1"), bucket("192.0.2.1"));
    }

    #[test]
    fn bad_rings_are_refused_without_showing_them() {
        assert_eq!(KeyRing::parse("\n# nothing\n").unwrap_err(), KeyRingError::Empty);
        for text in ["k1", "k1:", "K1:abc", "k1:c2VjcmV0", "k1:!!"] {
            let error = KeyRing::parse(text).unwrap_err();
            assert!(matches!(error, KeyRingError::Malformed { line: 1, .. }), "{text}");
            assert!(!error.to_string().contains("c2VjcmV0"));
        }
        let zeros = format!("k1:{}", BASE64URL_NOPAD.encode(&[0; 32]));
        assert_eq!(KeyRing::parse(&zeros).unwrap_err(), KeyRingError::Guessable { line: 1 });
        let twice = format!("{}{}", line("k1", 1), line("k1", 2));
        assert_eq!(KeyRing::parse(&twice).unwrap_err(), KeyRingError::Repeated { line: 2 });
        assert_eq!(format!("{:?}", KeyRing::parse(&line("k1", 1)).unwrap()), "[KeyId(\"k1\")]");
    }
}
