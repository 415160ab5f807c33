//! The conformance suite is whole: no rule is written without being on its list, and no step of a store without waiting in a race.

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
        if path.is_dir() {
            continue;
        }
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

/// The names of the functions in a folder's sources whose file and arguments are `wanted`.
fn functions(folder: &str, wanted: impl Fn(&str, &str) -> bool) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_str().unwrap();
        let functions = source.split("fn ").filter_map(|rest| rest.split_once('('));
        names.extend(functions.filter(|(_, rest)| wanted(file, rest.trim_start())).map(|(name, _)| name.to_owned()));
    }
    names
}

/// A step with a default body would compile without being among those that wait, and what a store made of it would go by the suite.
#[test]
fn every_step_of_the_ports_waits_in_a_race() {
    let of_a_port = |file: &str, rest: &str| rest.starts_with("&mut self") || (file == "mod.rs" && rest.starts_with("&self"));
    let steps = functions("src/ports", of_a_port);
    assert!(steps.len() > 100, "the sources are read: {}", steps.len());
    let waiting = functions("src/conformance/yielding", |_, _| true);
    assert_eq!(steps.difference(&waiting).collect::<Vec<_>>(), Vec::<&String>::new(), "steps that don't wait");
}
