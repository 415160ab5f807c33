//! docs/operations.md, as somebody reads it at three in the morning: what it names is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tenantry_tests::{
    binaries,
    shipping_tools::{root, said},
};

const BOOK: &str = include_str!("../../docs/operations.md");
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// What stands behind each place where `name` is, to the end of its command: a line, or what is between two marks of code.
fn behind(name: &'static str) -> impl Iterator<Item = &'static str> {
    BOOK.match_indices(name).filter_map(move |(at, _)| BOOK[at + name.len()..].split(['`', '\n', '#', '|']).next())
}

/// What is between two marks of code within a line.
fn inline_code() -> impl Iterator<Item = &'static str> {
    let lines = BOOK.lines().filter(|line| !line.trim_start().starts_with("```"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The words that begin with `start` and go on with such signs.
fn words(start: &'static str, goes_on: fn(char) -> bool) -> BTreeSet<&'static str> {
    let word = |(at, _)| {
        let rest = &BOOK[at..];
        let end = rest[start.len()..].find(|sign| !goes_on(sign)).map_or(rest.len(), |end| start.len() + end);
        &rest[..end]
    };
    BOOK.match_indices(start).map(word).collect()
}

/// What a program says of itself, asked with such words.
fn asked(program: PathBuf, words: &[&str]) -> String {
    said(Command::new(program).args(words))
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

#[test]
fn every_command_is_one_of_its_program() {
    let mut tried = 0;
    for (name, program, verb) in [
        ("tenantry-server ", binaries::server(), None),
        ("tenantry-migrator ", binaries::migrator(), None),
        ("`keys ", binaries::server(), Some("keys")),
        ("`config ", binaries::server(), Some("config")),
    ] {
        for command in behind(name) {
            let is_verb = |word: &&str| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
            };
            let words: Vec<_> = verb.into_iter().chain(command.split(' ').take_while(is_verb)).collect();
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
    assert!(tried > 30, "{tried}");
}

#[test]
fn every_flag_and_setting_is_one() {
    let scripts = [binaries::server(), binaries::migrator()].map(|program| asked(program, &["completions", "bash"])).concat();
    let flags: BTreeSet<_> = scripts.split([' ', '"', '|', ')', '\n']).filter(|word| word.starts_with("--")).collect();
    let is_flag =
        |word: &&str| word.strip_prefix("--").is_some_and(|name| name.starts_with(|sign: char| sign.is_ascii_lowercase()));
    let named: Vec<_> = inline_code().filter(is_flag).flat_map(|code| code.split(' ')).filter(is_flag).collect();
    for flag in &named {
        assert!(flags.contains(flag), "no command has {flag}");
    }
    assert!(named.len() > 10, "{named:?}");

    let (mut section, mut settings) = (String::new(), BTreeSet::new());
    for line in asked(binaries::server(), &["config", "print"]).lines() {
        let name = line.trim_start_matches("# ").split([' ', ']']).next().unwrap_or_default();
        match name.strip_prefix('[') {
            Some(begun) => section = format!("{begun}."),
            None => drop(settings.insert(format!("{section}{name}"))),
        }
    }
    let is_setting = |name: &str| settings.contains(name.strip_suffix("_file").unwrap_or(name)) || settings.contains(name);
    let variables = words("TENANTRY__", |sign| sign.is_ascii_uppercase() || sign == '_');
    for variable in &variables {
        let path = variable["TENANTRY__".len()..].to_lowercase().replace("__", ".");
        assert!(is_setting(&path), "{variable} is no setting");
    }
    let known = |section: &str| settings.iter().any(|setting| setting.starts_with(&format!("{section}.")));
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_');
    let named: BTreeSet<_> = inline_code()
        .filter_map(|code| code.split(' ').next())
        .filter(|code| code.split_once('.').is_some_and(|(section, name)| known(section) && is_name(name)))
        .collect();
    for name in &named {
        // Events have such names too.
        assert!(is_setting(name) || DOCUMENT.contains(&format!("\"{name}\"")), "{name} is no setting");
    }
    assert!(variables.len() > 8 && named.len() > 40, "{variables:?} {named:?}");

    let elsewhere = ["copy", "adopt"].map(|verb| asked(binaries::migrator(), &[verb, "--help"])).concat()
        + text_of("deploy/compose/compose.yaml").as_str();
    for variable in words("TENANTRY_", |sign| sign.is_ascii_uppercase() || sign == '_') {
        let is_read = variable.starts_with("TENANTRY__") || elsewhere.contains(variable);
        assert!(is_read || text_of("tests/src/effort.rs").contains(variable), "nobody reads {variable}");
    }
}

#[test]
fn every_file_heading_and_operation_is_there() {
    for folder in ["deploy/", "scripts/", "tests/"] {
        for rest in behind(folder) {
            let file = rest.split([' ', ')', ',', ';']).next().unwrap_or(rest);
            assert!(root().join(folder).join(file).exists(), "{folder}{file}");
        }
    }
    let values = text_of("deploy/helm/tenantry/values.yaml");
    for rest in behind("--set ") {
        let leaf = rest.split('=').next().and_then(|path| path.trim_start_matches('\'').split('.').next_back()).unwrap();
        assert!(values.lines().any(|line| line.trim().starts_with(&format!("{leaf}:"))), "the chart has no value {rest}");
    }
    let alerts = text_of("deploy/prometheus/alerts.yaml");
    for name in inline_code().filter(|code| code.starts_with("Tenantry")) {
        assert!(alerts.contains(&format!("- alert: {name}\n")), "there is no alert {name}");
    }
    for link in BOOK.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).filter(|link| !link.contains("://")) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let page = Path::new("docs").join(if file.is_empty() { "operations.md" } else { file });
        assert!(root().join(&page).exists(), "{link}: there is no {}", page.display());
        assert!(anchor.is_empty() || headings(&text_of(page.to_str().unwrap())).any(|heading| heading == anchor), "{link}");
    }

    for (method, verb) in [("get", "GET "), ("post", "POST "), ("patch", "PATCH "), ("put", "PUT "), ("delete", "DELETE ")] {
        for path in behind(verb).filter_map(|rest| rest.split([' ', '?']).next()) {
            // The last isn't of the API.
            let is_path = path.starts_with('/') || path.starts_with(".../");
            assert!(!is_path || serves(Some(method), path) || path == "/metrics", "{method} {path} isn't served");
        }
    }
    for path in inline_code().filter(|code| code.starts_with(".../")) {
        assert!(serves(None, path), "{path} isn't served");
    }
    for start in ["/api/", "/.well-known/"] {
        for path in words(start, |sign| sign.is_ascii_alphanumeric() || "/{}-_.".contains(sign)) {
            assert!(serves(None, path.trim_end_matches('.')), "{path} isn't served, nor anything below it");
        }
    }
}

/// The names by which links lead to a page's headings.
fn headings(page: &str) -> impl Iterator<Item = String> {
    let headings = page.lines().filter(|line| line.starts_with("##"));
    headings.map(|line| line.trim_start_matches(['#', ' ']).to_lowercase().replace([',', '?'], "").replace(' ', "-"))
}

/// Whether a path is served by a method. Without one, what is below it is enough; behind `...`, any beginning fits.
fn serves(method: Option<&str>, path: &str) -> bool {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let asked: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let same = |known: &[&str], asked: &[&str]| {
        known.len() == asked.len()
            && known.iter().zip(asked).all(|(known, asked)| known == asked || known.starts_with('{') && asked.starts_with('{'))
    };
    document["paths"].as_object().unwrap().iter().any(|(known, operations)| {
        let known: Vec<_> = known.split('/').filter(|part| !part.is_empty()).collect();
        let fits = match (asked.split_first(), method) {
            (Some((&"...", asked)), _) => known.len() > asked.len() && same(&known[known.len() - asked.len()..], asked),
            (_, None) => known.len() >= asked.len() && same(&known[..asked.len()], &asked),
            (_, Some(_)) => same(&known, &asked),
        };
        fits && method.is_none_or(|method| !operations[method].is_null())
    })
}
