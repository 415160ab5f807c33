//! The example that embeds the domain runs on both databases, and its README shows what it answers.

use std::process::Command;

use serde_json::Value;
use tenantry_tests::{DatabaseKind, DatabaseUrl, EmbeddedService, on_both_databases};

const README: &str = include_str!("../../examples/embedded-service/README.md");

/// Takes from an answer what differs from run to run: identifiers, texts of codes, moments, and the month at the end of a reason.
fn without_what_differs(value: &mut Value) {
    match value {
        Value::Object(object) => object.iter_mut().for_each(|(name, value)| match (name.as_str(), &value) {
            ("id" | "code" | "started_at", Value::String(_)) => *value = Value::Null,
            ("why", Value::String(why)) => *value = why.split(" of 20").next().into(),
            _ => without_what_differs(value),
        }),
        Value::Array(items) => items.iter_mut().for_each(without_what_differs),
        _ => {}
    }
}

on_both_databases! {
    async fn the_example_answers_what_its_readme_shows(world: World) {
        let folder = tempfile::tempdir().unwrap();
        let database = match world.kind() {
            DatabaseKind::Sqlite => DatabaseUrl::sqlite(&folder.path().join("shop.db")),
            DatabaseKind::Postgres => world.database_url().clone(),
        };
        let service = EmbeddedService::start(&database).await;
        let tour = README.split_once("## What it answers").unwrap().1;
        let blocks = |language: &str| -> Vec<&str> {
            tour.split(&format!("```{language}\n")).skip(1).map(|block| block.split("```").next().unwrap()).collect()
        };
        let script = blocks("sh").concat().replace("http://127.0.0.1:8090", service.url());
        let output = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).output().expect("bash runs");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));

        let mut answers: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert_eq!(answers.get(1), answers.get(2), "asked again, it answers the same");
        let mut shown: Vec<Value> = blocks("json").iter().map(|block| serde_json::from_str(block).unwrap()).collect();
        answers.iter_mut().chain(&mut shown).for_each(without_what_differs);
        assert_eq!(answers, shown);
    }
}
