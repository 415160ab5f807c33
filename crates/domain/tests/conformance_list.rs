//! The conformance suite is whole: no rule is written without being on its list.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, fs, path::Path};

macro_rules! name {
    ($names:ident $theme:ident $rule:ident) => {
        assert!($names.insert((stringify!($theme).to_owned(), stringify!($rule).to_owned())), "listed twice");
    };
}

/// Every `pub async fn` of the suite's sources, with the file that it is in.
fn written_rules() -> BTreeSet<(String, String)> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let mut rules = BTreeSet::new();
    for entry in fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        let theme = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            // Helpers are methods, or private; a rule stands at the left margin.
            let Some(rule) = line
                .strip_prefix("pub async fn ")
                .filter(|_| !["world", "fixtures", "operator_fixtures"].contains(&theme.as_str()))
            else {
                continue;
            };
            rules.insert((theme.clone(), rule.split(['<', '(']).next().unwrap().to_owned()));
        }
    }
    rules
}

#[test]
fn every_rule_that_is_written_is_listed() {
    let mut listed = BTreeSet::new();
    tenantry_domain::conformance_rules! { [name] listed }
    let written = written_rules();
    assert!(written.len() > 100, "the sources are read: {}", written.len());
    assert_eq!(written.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "written, and not listed");
}

#[test]
fn a_rules_name_is_its_own() {
    let names: Vec<_> = written_rules().into_iter().map(|(_, rule)| rule).collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "the suite's tests share one module");
}
