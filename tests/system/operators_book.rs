//! docs/operations.md, as somebody reads it at three in the morning: what it names is there.

use std::process::Command;

use serde_json::Value;
use tenantry_tests::{
    binaries,
    shipping_tools::{root, said},
};

const BOOK: &str = include_str!("../../docs/operations.md");

/// What stands behind each place where `name` is, to the end of its command: a line, or what is between two marks of code.
fn behind(name: &'static str) -> impl Iterator<Item = &'static str> {
    BOOK.match_indices(name).filter_map(move |(at, _)| BOOK[at + name.len()..].split(['`', '\n', '#', '|']).next())
}

#[test]
fn every_command_is_one_of_its_program() {
    let mut tried = 0;
    for (name, program) in [("tenantry-server ", binaries::server()), ("tenantry-migrator ", binaries::migrator())] {
        for command in behind(name) {
            let is_verb = |word: &&str| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
            };
            let words: Vec<_> = command.split(' ').take_while(is_verb).collect();
            // In a sketch, or in a sentence.
            if words.is_empty() || words[0].starts_with("tenantry") {
                continue;
            }
            let help = said(Command::new(&program).args(&words).arg("--help"));
            for flag in command.split(' ').filter(|word| word.starts_with("--")) {
                assert!(help.contains(flag), "{name}{command}: {flag} isn't in its help");
            }
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn every_file_heading_and_operation_is_there() {
    for folder in ["deploy/", "scripts/", "tests/"] {
        for rest in behind(folder) {
            let file = rest.split([' ', ')', ',', ';']).next().unwrap_or(rest);
            assert!(root().join(folder).join(file).exists(), "{folder}{file}");
        }
    }
    let headings: Vec<_> = BOOK
        .lines()
        .filter(|line| line.starts_with("##"))
        .map(|line| line.trim_start_matches(['#', ' ']).to_lowercase().replace([',', '?'], "").replace(' ', "-"))
        .collect();
    for link in behind("](#") {
        let anchor = link.split(')').next().unwrap();
        assert!(headings.iter().any(|heading| heading == anchor), "nothing is called {anchor}");
    }
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    for (method, verb) in [("get", "GET /"), ("post", "POST /"), ("patch", "PATCH /"), ("delete", "DELETE /")] {
        for rest in behind(verb) {
            let path = format!("/{}", rest.split([' ', '?', '{']).next().unwrap());
            let served = document["paths"].as_object().unwrap();
            let known = served.iter().any(|(known, operations)| {
                !operations[method].is_null() && (known == &path || rest.contains('{') && known.starts_with(&path))
            });
            // What isn't of the API.
            assert!(known || ["/metrics"].contains(&path.as_str()), "{method} {path} isn't served");
        }
    }
}
