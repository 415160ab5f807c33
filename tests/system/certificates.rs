//! Certificates of activation: what real servers issue is verified offline, by the project's own crate and by an outside library; whatever ends
//! an activation ends them; and keys rotate under them.

use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tenantry_certificate::{Certificate, Keys, Refusal, TYPE, Verifier};
use tenantry_tests::{Api, Server, on_both_databases, python};

const KEYS: &str = "/.well-known/tenantry-keys.json";

fn path(project: &str) -> String {
    format!("/api/tenant/projects/{project}/certificate")
}

async fn active_project(api: &Api, code: &str) -> String {
    let id = api.create_project("Globex").await["id"].as_str().unwrap().to_owned();
    api.activate(&id, &json!({ "code": code })).await.expect(200);
    id
}

async fn certificate(api: &Api, project: &str) -> String {
    api.get(&path(project)).await.expect(200).text_at("/certificate")
}

/// What somebody verifies by who has fetched the keys of this server now.
async fn verifier(server: &Server, issuer: &str) -> Verifier {
    Verifier::new(Keys::from_jwks(&server.api().get(KEYS).await.expect(200).text).unwrap(), issuer)
}

fn verify(verifier: &Verifier, certificate: &str) -> Result<Certificate, Refusal> {
    #[expect(clippy::disallowed_methods, reason = "real servers issue by the real time")]
    let now = SystemTime::now();
    verifier.verify(certificate, now)
}

/// What `PyJWT` says of each: its claims, or the name of its refusal.
async fn verified_outside(keys: &Value, issuer: &str, certificates: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asked.json");
    std::fs::write(&file, json!({ "keys": keys, "issuer": issuer, "certificates": certificates }).to_string()).unwrap();
    let mut command = python::tool("python", folder.path());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/verify_certificates.py")).arg(&file);
    let output = python::run(command).await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A certificate under another header, with its old signature.
fn under(header: &Value, certificate: &str) -> String {
    let (_, rest) = certificate.split_once('.').unwrap();
    format!("{}.{rest}", BASE64URL_NOPAD.encode(header.to_string().as_bytes()))
}

/// What a forger makes who hopes that the public key is taken for the secret of HMAC.
fn hs256(unsigned: &str, x: &str) -> String {
    let (input, _) = unsigned.rsplit_once('.').unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64URL_NOPAD.decode(x.as_bytes()).unwrap()).unwrap();
    mac.update(input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
}

on_both_databases! {
    async fn what_a_server_issues_is_accepted_by_others_and_nothing_else_is(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let id = active_project(&acme.api, &acme.codes[0]).await;
        let project = acme.api.get(&format!("/api/tenant/projects/{id}")).await.expect(200).body;
        let issued = acme.api.get(&path(&id)).await.expect(200);
        assert_eq!(issued.header("cache-control"), Some("no-store"));
        let text = issued.text_at("/certificate");

        let keys = server.api().get(KEYS).await.expect(200);
        assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
        let published = keys.body["keys"].as_array().unwrap();
        let members: Vec<_> = published[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((published.len(), members), (1, vec!["kid", "kty", "crv", "alg", "use", "x"]), "and nothing private");
        assert_eq!(published[0]["kid"], issued.body["key_id"]);

        let verifier = verifier(&server, server.url()).await;
        let read = verify(&verifier, &text).unwrap();
        assert_eq!((&read.project_id, read.tenant_id.as_str()), (&id, acme.tenant["id"].as_str().unwrap()));
        assert_eq!((read.tenant_slug.as_str(), Some(read.activation_code_id.as_str())), ("acme", project["activation_code_id"].as_str()));
        assert_eq!(read.expires_at.duration_since(read.issued_at).unwrap(), Duration::from_secs(86_400));
        assert!(read.activated_at <= read.issued_at);

        // An outside library reads the same, and refuses what this one refuses.
        let (kid, x) = (&published[0]["kid"], published[0]["x"].as_str().unwrap());
        let flipped = text.replacen(".eyJ", ".fyJ", 1);
        let [of_another_type, unsigned] =
            [json!({ "alg": "EdDSA", "kid": kid, "typ": "JWT" }), json!({ "alg": "none", "kid": kid, "typ": TYPE })].map(|header| under(&header, &text));
        let by_the_public_key = hs256(&under(&json!({ "alg": "HS256", "kid": kid, "typ": TYPE }), &text), x);
        let bare = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        let said = verified_outside(&keys.body, server.url(), &[&text, &flipped, &of_another_type, &unsigned, &by_the_public_key, &bare]).await;
        assert_eq!(said[0]["sub"], json!(id));
        assert_eq!((&said[0]["tenant_id"], &said[0]["activation_code_id"]), (&acme.tenant["id"], &project["activation_code_id"]));
        assert!(said[1..].iter().all(Value::is_string), "{said:?}");
        assert_eq!(verified_outside(&keys.body, "https://elsewhere.example", &[&text]).await, ["InvalidIssuerError"]);
        for changed in [&flipped, &of_another_type, &unsigned, &by_the_public_key, &bare] {
            assert!(verify(&verifier, changed).is_err(), "{changed}");
        }
        assert_eq!(verify(&verifier, &flipped), Err(Refusal::BadSignature));
        assert_eq!(verify(&verifier, &by_the_public_key), Err(Refusal::WrongAlgorithm));

        // Who isn't its tenant is told what is told of a project that isn't there.
        let other = world.tenant(&server, "other").await;
        let foreign = other.api.get(&path(&id)).await.expect_problem(404, "not_found");
        let missing = other.api.get(&path("prj_018bcfe568007000800000000000000a")).await.expect_problem(404, "not_found");
        assert_eq!((&foreign.body["title"], &foreign.body["detail"]), (&missing.body["title"], &missing.body["detail"]));
        server.api().get(&path(&id)).await.expect_problem(401, "unauthenticated");
        world.admin(&server).get(&path(&id)).await.expect_problem(401, "unauthenticated");
    }

    async fn whatever_ends_an_activation_ends_its_certificates(world: World) {
        let server = world.server().await;
        let (admin, acme) = (world.admin(&server), world.tenant(&server, "acme").await);
        let refused = async |project: &str, status: u16, code: &str, told: &str| {
            let refused = acme.api.get(&path(project)).await.expect_problem(status, code);
            assert!(refused.text_at("/detail").contains(told), "{refused:?}");
        };
        let id = acme.api.create_project("Globex").await["id"].as_str().unwrap().to_owned();
        refused(&id, 409, "project_not_active", "pending").await;
        let active = acme.api.activate(&id, &json!({ "code": acme.codes[0] })).await.expect(200);
        let first = certificate(&acme.api, &id).await;
        let step = async |step: &str| acme.api.post(&format!("/api/tenant/projects/{id}/{step}"), &json!({})).await.expect(200);
        step("pause").await;
        refused(&id, 409, "project_not_active", "paused").await;
        step("resume").await;
        certificate(&acme.api, &id).await;

        // That the code is revoked ends its uses to come.
        admin.post(&format!("/api/admin/codes/{}/revoke", active.text_at("/activation_code_id")), &json!({})).await.expect(200);
        certificate(&acme.api, &id).await;
        step("return").await;
        refused(&id, 409, "project_not_active", "pending").await;
        acme.api.activate(&id, &json!({ "code": acme.codes[1] })).await.expect(200);
        certificate(&acme.api, &id).await;

        let tenant = acme.tenant["id"].as_str().unwrap();
        let plan = admin.get(&format!("/api/admin/tenants/{tenant}")).await.expect(200).text_at("/subscription/plan_id");
        let subscribed = async |state: &str| {
            let terms = json!({ "plan_id": plan, "state": state });
            admin.put(&format!("/api/admin/tenants/{tenant}/subscription"), &terms).await.expect(200);
        };
        subscribed("past_due").await;
        certificate(&acme.api, &id).await;
        subscribed("unpaid").await;
        refused(&id, 403, "subscription_inactive", "unpaid").await;
        subscribed("active").await;
        let done = active_project(&acme.api, &acme.codes[2]).await;
        acme.api.post(&format!("/api/tenant/projects/{done}/complete"), &json!({})).await.expect(200);
        refused(&done, 409, "project_not_active", "completed").await;
        let events = admin.get("/api/admin/events?limit=200").await.expect(200).text;
        assert!(!events.contains("certificate"), "reading is not audited");

        admin.post(&format!("/api/admin/tenants/{tenant}/suspend"), &json!({})).await.expect(204);
        acme.api.get(&path(&id)).await.expect_problem(401, "unauthenticated");
        // What was issued before stays true until its end: that is why it is near.
        assert!(verify(&verifier(&server, server.url()).await, &first).is_ok());
    }

    /// Attack 22, for certificates: at each step of a rotation, whoever has fetched the keys from any server, at this step or the one before,
    /// verifies what any server issues, and what was issued earlier.
    async fn keys_rotate_under_certificates_and_both_old_and_new_ones_hold(world: World) {
        const PORTAL: &str = "https://portal.example";
        let portal = |builder: tenantry_tests::ServerBuilder| {
            builder.env("TENANTRY__HTTP__PUBLIC_URL", PORTAL).env("TENANTRY__CERTIFICATE__TTL_SECONDS", 300)
        };
        let mut servers = world.servers_with(portal).await;
        let acme = world.tenant(&servers[0], "acme").await;
        let id = active_project(&acme.api, &acme.codes[0]).await;
        let (mut issued, mut verifiers, mut signed_by) = (Vec::new(), Vec::new(), Vec::new());
        for verb in ["", "rotate", "promote"] {
            if !verb.is_empty() {
                let run = world.builder().args(["keys", verb]).run().await;
                assert_eq!(run.exit_code, 0, "{run:?}");
            }
            // One after another: each step's servers are met both in their old and in their new form.
            for place in 0..servers.len() {
                if !verb.is_empty() {
                    servers[place].restart().await;
                }
                for server in &servers {
                    let text = certificate(&acme.api.at(server.url()), &id).await;
                    // The server's keys, those fetched last time, and what there was before.
                    verifiers.push(verifier(server, PORTAL).await);
                    for verifier in verifiers.iter().rev().take(servers.len() + 1) {
                        verify(verifier, &text).unwrap_or_else(|refusal| panic!("{verb}: {refusal}"));
                    }
                    issued.push(text);
                    let newest = verifiers.last().unwrap();
                    for text in &issued {
                        let read = verify(newest, text).unwrap();
                        assert_eq!(read.expires_at.duration_since(read.issued_at).unwrap(), Duration::from_secs(300));
                        signed_by.push(read.key_id);
                    }
                }
            }
        }
        signed_by.dedup();
        signed_by.sort();
        signed_by.dedup();
        assert_eq!(signed_by.len(), 2, "the new key signed too");
        let keys = servers[0].api().get(KEYS).await.expect(200).body;
        let outside: Vec<_> = verified_outside(&keys, PORTAL, &[&issued[0], issued.last().unwrap()]).await;
        assert!(outside.iter().all(|claims| claims["sub"] == json!(id)), "{outside:?}");

        // Once the old key's line is gone, what it signed is by a key that nobody knows.
        let ring = std::fs::read_to_string(world.keys_file()).unwrap();
        std::fs::write(world.keys_file(), format!("{}\n", ring.lines().next().unwrap())).unwrap();
        servers[0].restart().await;
        let alone = verifier(&servers[0], PORTAL).await;
        assert!(matches!(verify(&alone, &issued[0]), Err(Refusal::UnknownKey { .. })));
        assert!(verify(&alone, issued.last().unwrap()).is_ok());
    }
}
