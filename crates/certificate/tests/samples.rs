//! The files beside the example, which the documentation shows too: a portal's keys, and a certificate that one of them signed.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use ed25519_dalek::{Signer as _, SigningKey};
use tenantry_certificate::issue::{Statement, key_set, sign};

/// In the place of keys that nobody knows: those of the samples are here for all to see.
const SEEDS: [[u8; 32]; 2] = [[1; 32], [2; 32]];
const NAMES: [&str; 2] = ["sample-2026-1", "sample-2026-2"];

#[test]
fn the_samples_are_what_a_portal_answers() {
    let keys = SEEDS.map(|seed| SigningKey::from_bytes(&seed));
    let public_keys = keys.each_ref().map(|key| key.verifying_key().to_bytes());
    let set = key_set(NAMES.into_iter().zip(&public_keys));
    assert_eq!(include_str!("../examples/keys.json").trim(), set);
    let statement = Statement {
        issuer: "https://portal.example.com",
        project_id: "prj_01a2090263f87a11b60c3c890f0529aa",
        tenant_id: "ten_01a209012fc87cd2a1825849ea664d92",
        tenant_slug: "acme",
        activation_code_id: "code_01a209012fc87d8db60c3c890f05294c",
        activated_at: 1_795_447_471,
        issued_at: 1_795_600_000,
        expires_at: 1_795_600_000 + 86_400,
    };
    let certificate = sign(NAMES[0], &statement, |input| keys[0].sign(input).to_bytes());
    assert_eq!(include_str!("../examples/certificate.txt").trim(), certificate);
}

/// The example, run as somebody who reads it runs it.
#[test]
fn the_example_accepts_the_sample_and_refuses_a_changed_one() {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/verify");
    assert!(program.exists(), "`cargo test -p tenantry-certificate` builds {}", program.display());
    let run = |certificate: &str| {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/keys.json");
        let mut run = Command::new(&program);
        run.arg(keys).args(["https://portal.example.com", "1795600100"]).stdin(Stdio::piped());
        let mut child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(certificate.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        (done.status.success(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let sample = include_str!("../examples/certificate.txt");
    let (accepted, said, _) = run(sample);
    assert!(accepted && said.starts_with("prj_01a2090263f87a11b60c3c890f0529aa of acme is active"), "{said}");
    let (accepted, said, why) = run(&sample.replacen("YWNtZSJ9", "YWNtZjJ9", 1));
    assert!(!accepted && said.is_empty() && why.contains("BadSignature"), "{said} {why}");
}
