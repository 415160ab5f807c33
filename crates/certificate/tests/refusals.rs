//! What a verifier refuses, and why: each refusal by itself, and whatever is changed in a certificate.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_certificate::{
    Certificate, Keys, KeysError, MAX_KEYS, MAX_LENGTH, MAX_SET_LENGTH, Refusal, TYPE, Verifier,
    issue::{Statement, key_set, sign},
};

const ISSUER: &str = "https://portal.example.com";
const ISSUED: u64 = 1_795_600_000;
const EXPIRES: u64 = ISSUED + 3600;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// For a portal with two keys, `a` and `b`.
fn verifier() -> Verifier {
    let [a, b] = [key(1), key(2)].map(|key| key.verifying_key().to_bytes());
    Verifier::new(Keys::from_jwks(&key_set([("a", &a), ("b", &b)])).unwrap(), ISSUER)
}

const STATEMENT: Statement<'_> = Statement {
    issuer: ISSUER,
    project_id: "prj_1",
    tenant_id: "ten_1",
    tenant_slug: "acme",
    activation_code_id: "code_1",
    activated_at: ISSUED - 500,
    issued_at: ISSUED,
    expires_at: EXPIRES,
};

fn certificate() -> String {
    sign("a", &STATEMENT, |input| key(1).sign(input).to_bytes())
}

/// Any two texts in the place of header and claims, rightly signed by key `a`.
fn signed(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
    format!("{input}.{}", BASE64URL_NOPAD.encode(&key(1).sign(input.as_bytes()).to_bytes()))
}

/// The text of one of a certificate's parts.
fn part(number: usize) -> String {
    let text = certificate();
    let part = text.split('.').nth(number).unwrap();
    String::from_utf8(BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// A certificate with another value of a claim, or without it.
fn with_claim(name: &str, value: Option<Value>) -> String {
    let mut claims: Value = serde_json::from_str(&part(1)).unwrap();
    let object = claims.as_object_mut().unwrap();
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    signed(&part(0), &claims.to_string())
}

fn verify(text: &str) -> Result<Certificate, Refusal> {
    verifier().verify(text, at(ISSUED + 10))
}

fn is_malformed(text: &str) -> bool {
    matches!(verify(text), Err(Refusal::Malformed(_)))
}

#[test]
fn a_certificate_says_what_was_stated() {
    let read = verify(&certificate()).unwrap();
    let expected = Certificate {
        key_id: "a".to_owned(),
        issuer: ISSUER.to_owned(),
        project_id: "prj_1".to_owned(),
        tenant_id: "ten_1".to_owned(),
        tenant_slug: "acme".to_owned(),
        activation_code_id: "code_1".to_owned(),
        activated_at: at(ISSUED - 500),
        issued_at: at(ISSUED),
        expires_at: at(EXPIRES),
    };
    assert_eq!(read, expected);
    let with_more = with_claim("plan", Some(json!({ "name": "Gold" })));
    assert_eq!(verify(&with_more), Ok(expected), "a later version may say more");
}

#[test]
fn every_bit_that_flips_is_noticed() {
    let text = certificate();
    let mut refused = 0;
    for place in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            // What is no UTF-8 can't even be asked about.
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(verify(&changed).is_err(), "bit {bit} of byte {place}: {changed}");
            refused += 1;
        }
    }
    assert!(refused > text.len() * 6, "{refused}");
    // And every bit of what the parts stand for, written as it is to be.
    let parts: Vec<Vec<u8>> = text.split('.').map(|part| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).collect();
    for which in 0..3 {
        for bit in 0..parts[which].len() * 8 {
            let mut changed = parts.clone();
            changed[which][bit / 8] ^= 1 << (bit % 8);
            let changed: Vec<_> = changed.iter().map(|part| BASE64URL_NOPAD.encode(part)).collect();
            assert!(verify(&changed.join(".")).is_err(), "bit {bit} of part {which}");
        }
    }
}

#[test]
fn who_signed_it_and_by_which_name_must_agree() {
    let by = |name: &str, seed: u8| verify(&sign(name, &STATEMENT, |input| key(seed).sign(input).to_bytes()));
    assert!(by("a", 1).is_ok() && by("b", 2).is_ok());
    assert_eq!(by("a", 2), Err(Refusal::BadSignature), "another key of the set");
    assert_eq!(by("b", 1), Err(Refusal::BadSignature));
    assert_eq!(by("a", 3), Err(Refusal::BadSignature), "a key of nobody's");
    assert_eq!(by("c", 1), Err(Refusal::UnknownKey { key_id: "c".to_owned() }));
    assert_eq!(by("", 1), Err(Refusal::UnknownKey { key_id: String::new() }));
    assert!(is_malformed(&signed(&json!({ "alg": "EdDSA", "typ": TYPE }).to_string(), &part(1))), "no name");
    let cut = certificate();
    let (input, _) = cut.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{input}.{}", BASE64URL_NOPAD.encode(&[0; 64]))), Err(Refusal::BadSignature));
    assert!(is_malformed(&format!("{input}.")) && is_malformed(input), "no signature");
}

/// The same key signs another kind of text: right in all but its type.
#[test]
fn a_text_of_another_type_is_no_certificate() {
    for typ in [json!("JWT"), json!("tenantry-session+jwt"), json!("TENANTRY-ACTIVATION+JWT"), json!(null)] {
        let header = json!({ "alg": "EdDSA", "kid": "a", "typ": typ }).to_string();
        assert_eq!(verify(&signed(&header, &part(1))), Err(Refusal::WrongType), "{header}");
    }
    assert_eq!(verify(&signed(r#"{"alg":"EdDSA","kid":"a"}"#, &part(1))), Err(Refusal::WrongType));
}

/// Asked to verify by no algorithm, or by the public key as the secret of another one, it doesn't.
#[test]
fn there_is_one_algorithm() {
    for alg in ["none", "None", "HS256", "ES256", "Ed25519", "eddsa", ""] {
        let header = json!({ "alg": alg, "kid": "a", "typ": TYPE }).to_string();
        assert_eq!(verify(&signed(&header, &part(1))), Err(Refusal::WrongAlgorithm), "{alg}");
        let (input, _) = signed(&header, &part(1)).rsplit_once('.').map(|(input, _)| (input.to_owned(), ())).unwrap();
        assert!(verify(&format!("{input}.")).is_err(), "{alg}, unsigned");
    }
    let header = json!({ "kid": "a", "typ": TYPE }).to_string();
    assert_eq!(verify(&signed(&header, &part(1))), Err(Refusal::WrongAlgorithm));
}

#[test]
fn it_holds_from_its_first_second_to_before_its_last_give_or_take_the_leeway() {
    let (text, exact) = (certificate(), verifier().leeway(Duration::ZERO));
    assert_eq!(exact.verify(&text, at(ISSUED) - Duration::from_nanos(1)), Err(Refusal::NotYet { from: at(ISSUED) }));
    assert!(exact.verify(&text, at(ISSUED)).is_ok());
    assert!(exact.verify(&text, at(EXPIRES) - Duration::from_nanos(1)).is_ok());
    assert_eq!(exact.verify(&text, at(EXPIRES)), Err(Refusal::Expired { at: at(EXPIRES) }));
    let usual = verifier();
    assert!(usual.verify(&text, at(ISSUED - 60)).is_ok());
    assert_eq!(usual.verify(&text, at(ISSUED - 61)), Err(Refusal::NotYet { from: at(ISSUED) }));
    assert!(usual.verify(&text, at(EXPIRES + 59)).is_ok());
    assert_eq!(usual.verify(&text, at(EXPIRES + 60)), Err(Refusal::Expired { at: at(EXPIRES) }));
    for moment in [UNIX_EPOCH, UNIX_EPOCH - Duration::from_secs(1 << 40), UNIX_EPOCH + Duration::from_secs(1 << 40)] {
        assert!(verifier().verify(&text, moment).is_err(), "{moment:?}");
    }
}

#[test]
fn another_portals_certificate_is_refused_by_its_name() {
    for issuer in ["https://other.example.com", "https://portal.example.com/", "HTTPS://portal.example.com", ""] {
        let text = sign("a", &Statement { issuer, ..STATEMENT }, |input| key(1).sign(input).to_bytes());
        assert_eq!(verify(&text), Err(Refusal::WrongIssuer { issuer: issuer.to_owned() }));
    }
}

/// All of these are rightly signed.
#[test]
fn what_is_no_certificate_although_a_key_signed_it_is_refused() {
    let names = ["activated_at", "activation_code_id", "exp", "iat", "iss", "nbf", "sub", "tenant_id", "tenant_slug"];
    for name in names {
        assert!(is_malformed(&with_claim(name, None)), "without {name}");
        assert!(is_malformed(&with_claim(name, Some(json!({})))), "{name}");
    }
    for (name, value) in [
        ("exp", json!(ISSUED)),
        ("exp", json!(f64::from(u32::MAX) + 0.5)),
        ("exp", json!("1795603600")),
        ("exp", json!(u64::MAX)),
        ("iat", json!(-1)),
        ("nbf", json!(ISSUED - 1)),
        ("activated_at", json!(ISSUED + 1)),
    ] {
        assert!(is_malformed(&with_claim(name, Some(value.clone()))), "{name}: {value}");
    }
    let (header, claims) = (part(0), part(1));
    let twice = |json: &str, member: &str| json.replacen('{', &format!("{{{member},"), 1);
    assert!(is_malformed(&signed(&header, &twice(&claims, r#""sub":"prj_2""#))));
    assert!(is_malformed(&signed(&header, &twice(&claims, r#""more":1,"more":2"#))));
    assert!(is_malformed(&signed(&twice(&header, r#""kid":"b""#), &claims)));
    for member in [r#""crit":["exp"]"#, r#""jwk":{}"#, r#""jku":"https://x""#, r#""b64":false"#] {
        assert!(is_malformed(&signed(&twice(&header, member), &claims)), "{member}");
    }
    for (header, claims) in
        [("", ""), (header.as_str(), "[]"), (&header, "{} {}"), (&header, "{"), ("[]", &claims), ("null", &claims)]
    {
        assert!(is_malformed(&signed(header, claims)), "{header} {claims}");
    }
    let long = with_claim("more", Some(json!("x".repeat(MAX_LENGTH))));
    assert!(is_malformed(&long) && verify(&with_claim("more", Some(json!("x".repeat(2000))))).is_ok());
}

#[test]
fn base64_has_one_spelling() {
    let text = certificate();
    for changed in [
        format!("{text}="),
        format!(" {text}"),
        format!("{text}\n"),
        text.replace('.', ".."),
        format!(".{text}"),
        format!("{text}."),
        text.replace('.', "=."),
    ] {
        assert!(verify(&changed).is_err(), "{changed}");
    }
    // The last symbol of a signature stands for two bits and four that are to be zero.
    let symbols = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let accepted = symbols.iter().filter(|&&last| verify(&format!("{}{}", &text[..text.len() - 1], char::from(last))).is_ok());
    assert_eq!(accepted.count(), 1);
}

#[test]
fn a_key_set_that_has_something_wrong_in_it_is_refused_whole() {
    let good: Value = serde_json::from_str(&key_set([("a", &key(1).verifying_key().to_bytes())])).unwrap();
    let with = |name: &str, value: Value| {
        let mut set = good.clone();
        set["keys"][0][name] = value;
        Keys::from_jwks(&set.to_string()).map(|keys| keys.key_ids().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(with("more", json!([1])), Ok(vec!["a".to_owned()]), "members that aren't known are passed over");
    for (name, value) in [("kty", json!("EC")), ("crv", json!("X25519")), ("use", json!("enc")), ("alg", json!("HS256"))] {
        assert_eq!(with(name, value), Err(KeysError::Empty), "a key for something else");
    }
    for (name, value) in [("x", json!("AAAA")), ("x", json!(null)), ("kid", json!(null)), ("kid", json!(""))] {
        assert!(matches!(with(name, value), Err(KeysError::UnusableKey(_))), "{name}");
    }
    // The neutral element, and an encoding that is no point.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut no_point = [0; 32];
    no_point[0] = 2;
    for bytes in [neutral, [0; 32], no_point] {
        assert!(matches!(with("x", json!(BASE64URL_NOPAD.encode(&bytes))), Err(KeysError::UnusableKey(_))), "{bytes:?}");
    }
    assert_eq!(with("d", json!("AAAA")), Err(KeysError::PrivateKey));
    let mut twice = good.clone();
    twice["keys"].as_array_mut().unwrap().push(good["keys"][0].clone());
    assert_eq!(Keys::from_jwks(&twice.to_string()).unwrap_err(), KeysError::Repeated("a".to_owned()));
    for json in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(Keys::from_jwks(json).unwrap_err(), KeysError::Malformed, "{json}");
    }
    assert_eq!(Keys::from_jwks(r#"{"keys":[]}"#).unwrap_err(), KeysError::Empty);
    let many = json!({ "keys": vec![json!({ "kty": "EC" }); MAX_KEYS + 1] }).to_string();
    assert_eq!(Keys::from_jwks(&many).unwrap_err(), KeysError::TooLarge);
    assert_eq!(Keys::from_jwks(&" ".repeat(MAX_SET_LENGTH + 1)).unwrap_err(), KeysError::TooLarge);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_is_a_certificate_or_makes_it_panic(text in any::<String>(), header in any::<String>(), claims in any::<String>()) {
        prop_assert!(verify(&text).is_err());
        prop_assert!(verify(&signed(&header, &claims)).is_err());
        prop_assert!(verify(&signed(&part(0), &claims)).is_err());
        prop_assert!(Keys::from_jwks(&text).is_err());
    }

    /// Pieces taken out, doubled or put in make no other certificate.
    #[test]
    fn nothing_near_a_certificate_is_one(place in 0..500_usize, length in 0..9_usize, piece in "[A-Za-z0-9._=-]{0,8}") {
        let text = certificate();
        let start = place % text.len();
        let end = (start + length).min(text.len());
        let changed = format!("{}{piece}{}", &text[..start], &text[end..]);
        prop_assert_eq!(verify(&changed).is_ok(), changed == text);
    }
}
