//! What must be the same before and after a rotation: the buckets of limits, and the digests by which a request is known again. They hang on
//! the oldest key alone.

use std::net::IpAddr;

use tenantry_domain::{BucketKey, Fingerprint, IdempotencyKey, OtpPurpose, TenantId};

use super::{KeyRing, RingKey, derived::keyed};

impl KeyRing {
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

    /// The bucket of a tenant's returned activations: for [`ReturnLimits::bucket`](tenantry_domain::ReturnLimits::bucket).
    #[must_use]
    pub fn returns_bucket(&self, tenant: TenantId) -> BucketKey {
        self.bucket(&["returns", &tenant.to_string()])
    }

    /// The bucket of the texts that a tenant presents and that are none of its codes: for
    /// [`ActivateProject::guesses`](tenantry_domain::ActivateProject::guesses).
    ///
    /// # Example
    ///
    /// ```
    /// # use tenantry_auth::*;
    /// # use tenantry_domain::*;
    /// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
    /// # let tenant = Id::generate(SystemClock.now(), &SystemEntropy);
    /// let guesses = Limit { bucket: keys.guesses_bucket(tenant), rate: AuthPolicy::default().guesses_per_tenant };
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn guesses_bucket(&self, tenant: TenantId) -> BucketKey {
        self.bucket(&["guesses", &tenant.to_string()])
    }

    fn bucket(&self, parts: &[&str]) -> BucketKey {
        BucketKey::from_bytes(keyed(&self.oldest().derived.buckets, parts.iter().map(|part| part.as_bytes())))
    }

    /// The digest of a request's idempotency key and of who sends it: its kind, and which one.
    ///
    /// It hangs on the oldest key alone, so that a request is known again after a rotation.
    ///
    /// # Example
    /// What an [`Attempt`](tenantry_domain::Attempt) asks for:
    ///
    /// ```
    /// # use tenantry_auth::*;
    /// # use tenantry_domain::*;
    /// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
    /// let request = KeyedRequest {
    ///     claim: Id::generate(SystemClock.now(), &SystemEntropy),
    ///     key: keys.idempotency_key(["tenant", "ten_01a2.."], "the-clients-own-key"),
    ///     fingerprint: keys.fingerprint([b"POST".as_slice(), b"/projects", br#"{"client_name":"Globex"}"#]),
    ///     patience: time::Duration::seconds(30),
    /// };
    /// let sealed = keys.seal_answer(request.key, request.fingerprint, b"201 Created", &SystemEntropy);
    /// assert_eq!(*keys.open_answer(request.key, request.fingerprint, &sealed)?, b"201 Created");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
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

#[cfg(test)]
mod tests {
    use super::{super::tests::line, *};

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
}
