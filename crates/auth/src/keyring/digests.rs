//! Digests of codes, tokens and one-time passwords: made by the key that signs, found by every key.

use tenantry_domain::{
    ChallengeId, CodeDigest, CodeHasher, CodeText, InvalidValue, KeyId, KeyedCodeDigest, LegacyCode, OtpAccount, OtpMac,
    OtpPurpose, PlainCode, TokenDigest,
};

use super::{KeyRing, RingKey, derived::keyed};
use crate::{
    PlainOtp, PlainToken, TokenKind,
    legacy::{LegacyDigest, LegacyScheme},
};

impl KeyRing {
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
    ///
    /// [`request_otp`](crate::request_otp) stores it, and [`verify_otp`](crate::verify_otp) compares: you need it only for a
    /// sign-in of your own.
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

impl RingKey {
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

#[cfg(test)]
mod tests {
    use tenantry_domain::{Id, SeededEntropy, Tenant};

    use super::{super::tests::line, *};

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
}
