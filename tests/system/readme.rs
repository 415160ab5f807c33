//! What the README shows is what happens.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tenantry_tests::{on_both_databases, otp_in};

const README: &str = include_str!("../../README.md");

/// The code blocks of a language in a section, in order; all sections for an empty title.
fn blocks(section: &str, language: &str) -> Vec<String> {
    let start = README.find(section).unwrap_or_else(|| panic!("the README has no section {section}"));
    let text = &README[start..];
    let end = text[section.len()..].find("\n## ").map_or(text.len(), |end| end + section.len());
    let fence = format!("```{language}\n");
    text[..end].split(&fence).skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// The names of all members, with those of nested objects behind a dot.
fn members(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            found.insert(format!("{path}.{name}"));
            members(value, &format!("{path}.{name}"), found);
        }),
        Value::Array(items) => items.iter().for_each(|item| members(item, path, found)),
        _ => {}
    }
}

on_both_databases! {
    async fn the_tour_does_what_it_says(world: World) {
        let server = world.server().await;
        let script = blocks("## A tour", "sh").join("\necho\n")
            .replace("http://127.0.0.1:8080", server.url())
            .replace("tnk_the-operator-key-that-the-server-printed", world.api_key());
        let mut bash = Command::new("bash").args(["-euo", "pipefail", "-c", &script])
            .stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash runs");
        let mail = world.mail().wait_for("ops@acme.example", 1, Duration::from_secs(30)).await;
        let otp = otp_in(&mail[0].text).expect("a password");
        writeln!(bash.stdin.take().unwrap(), "{otp}").unwrap();
        let output = bash.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");

        let answers: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let shown: Vec<Value> = blocks("## A tour", "json").iter().map(|block| serde_json::from_str(block).unwrap()).collect();
        assert_eq!(answers.len(), shown.len(), "{text}");
        for (answer, shown) in answers.iter().zip(&shown) {
            let (mut real, mut promised) = (BTreeSet::new(), BTreeSet::new());
            members(answer, "", &mut real);
            members(shown, "", &mut promised);
            assert_eq!(real, promised);
            for name in ["slug", "name", "client_name", "project_status", "code", "status", "title", "detail"] {
                // Under some of these names others have objects, whose values differ from run to run.
                let word = |value: &Value| value.get(name).filter(|value| !value.is_object()).cloned();
                assert_eq!(word(answer), word(shown), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn the_commands_of_the_first_screen_exist() {
    let first_screen = README.split("\n## ").next().unwrap();
    assert!(first_screen.contains("cargo run --release --package tenantry-server -- --demo"));
    assert!(first_screen.contains("scripts/test"));
    let demo = tenantry_tests::Server::builder().without("TENANTRY__BOOTSTRAP__API_KEY").args(["--demo"]).start().await;
    let said = demo.logs();
    for promised in [
        "listening on http://127.0.0.1:",
        "(development)",
        "/admin for operators, http://127.0.0.1:",
        "operator key for this run: tnk_",
        "The demo tenant is `demo`.",
    ] {
        assert!(said.contains(promised), "{promised} is not in {said}");
    }
}

#[test]
fn the_rules_are_counted() {
    let suite = include_str!("../../crates/domain/src/conformance/suite.rs");
    let is_rule =
        |line: &str| line.trim().strip_suffix(',').is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    let rules = suite.lines().filter(|line| is_rule(line)).count();
    assert!(README.contains(&format!(" {rules} rules hold every store to it")), "there are {rules}");
    let own_store = include_str!("../../examples/own-store/README.md");
    assert!(own_store.contains(&format!(" ok. {rules} passed; 0 failed;")), "there are {rules}");
}

#[test]
fn the_pictures_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pictures: Vec<_> = README.split("](docs/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(pictures.iter().any(|file| file.ends_with(".png")), "{pictures:?}");
    assert!(pictures.iter().all(|file| root.join("docs").join(file).exists()), "{pictures:?}");
}

#[tokio::test]
async fn the_configuration_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let file = folder.path().join("tenantry.toml");
    std::fs::write(&file, blocks("## Configuration", "toml").concat().replace("/etc/tenantry/keys", keys.to_str().unwrap()))
        .unwrap();
    let run = async |verb: &str| {
        let builder = tenantry_tests::Server::builder().without("TENANTRY__KEYS__FILE").without("TENANTRY__DATA_DIR");
        let builder = ["TENANTRY__HTTP__BIND", "TENANTRY__MAIL__FROM", "TENANTRY__BOOTSTRAP__API_KEY"]
            .into_iter()
            .fold(builder, tenantry_tests::ServerBuilder::without);
        builder.args(["config", verb, "--config", file.to_str().unwrap()]).run().await
    };
    let refused = run("check").await;
    assert_eq!(refused.exit_code, 1, "{}", refused.logs);
    assert!(refused.logs.contains(keys.to_str().unwrap()), "it names the key ring that is missing: {}", refused.logs);
    let entropy = tenantry_domain::SystemEntropy;
    let line = tenantry_auth::KeyRing::generate_line(&tenantry_domain::KeyId::parse("k1").unwrap(), &entropy);
    std::fs::write(&keys, line.as_bytes()).unwrap();
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let accepted = run("check").await;
    assert_eq!(accepted.exit_code, 0, "{}", accepted.logs);
    let printed = run("print").await;
    assert!(printed.stdout.contains("https://portal.example.com") && !printed.stdout.contains("secret"), "{}", printed.stdout);
}
