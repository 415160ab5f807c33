//! `docs/security.md` says which test holds which attack. Each that it names is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tenantry_tests::shipping_tools::root;

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let tests = Tests::all();
    let named: Vec<Name<'_>> = page.lines().filter_map(cell_of_tests).flat_map(names).collect();
    assert!(named.len() > 60, "the page's tables have {} names", named.len());
    let missing: Vec<&Name<'_>> = named.iter().filter(|name| !tests.have(name)).collect();
    assert!(missing.is_empty(), "docs/security.md names what isn't there: {missing:#?}");

    let cell = "`sign_in::a_test_that_..`, `nobody_wrote_..`; `nowhere::..`, rules of `nothing`, rule `racing_nobody`, `tests/nothing.rs`, \
        `auth`: `two_hundred_parallel_guesses_..`, `http`: `once::nothing`";
    let made_up: Vec<Name<'_>> = names(cell).into_iter().filter(|name| tests.have(name)).collect();
    assert!(made_up.is_empty(), "{made_up:?}");
}

/// The cell that names tests, in a row about an attack: the last but one.
fn cell_of_tests(line: &str) -> Option<&str> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    (cells.len() >= 3).then(|| cells[cells.len() - 2])
}

/// A name as the page writes it.
#[derive(Debug)]
struct Name<'a> {
    /// The crate that it is of, where the page says so: `auth`: `name`.
    of: Option<&'a str>,
    /// Whether it is that of a theme of the conformance suite: rules of `name`.
    theme: bool,
    /// `module::name`, `name`, or a file's; `..` stands for anything.
    name: &'a str,
}

fn names(cell: &str) -> Vec<Name<'_>> {
    let parts: Vec<&str> = cell.split('`').collect();
    let (mut named, mut of) = (Vec::new(), None);
    for quoted in (1..parts.len()).step_by(2) {
        let (before, name, after) = (parts[quoted - 1], parts[quoted], parts[quoted + 1]);
        if before.contains(';') {
            of = None;
        }
        if after.starts_with(':') {
            of = Some(name);
        } else {
            named.push(Name { of, theme: before.ends_with("rules of "), name });
        }
    }
    named
}

/// The functions that there are, each with the place it is in: a module of the system tests, a theme of the conformance suite, a crate.
struct Tests {
    system: Vec<(String, String)>,
    rules: Vec<(String, String)>,
    crates: Vec<(String, String)>,
}

impl Tests {
    fn all() -> Self {
        let system = sources(&root().join("tests/system")).into_iter().flat_map(|file| {
            let module = file.file_stem().unwrap().to_str().unwrap().to_owned();
            functions(&fs::read_to_string(file).unwrap()).into_iter().map(move |name| (module.clone(), name))
        });
        let mut crates = Vec::new();
        for folder in ["crates", "bins"] {
            for member in fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap()) {
                let name = member.file_name().to_str().unwrap().to_owned();
                for file in sources(&member.path()) {
                    let text = fs::read_to_string(file).unwrap();
                    // What follows the attribute of a test.
                    let tests = text.split("test").filter(|rest| rest.starts_with([']', '(']));
                    crates.extend(tests.filter_map(|rest| functions(rest).into_iter().next()).map(|test| (name.clone(), test)));
                }
            }
        }
        Self { system: system.collect(), rules: rules(), crates }
    }

    fn have(&self, Name { of, theme, name }: &Name<'_>) -> bool {
        let any = |places: &[(String, String)], place: &str, name: &str| {
            places.iter().any(|(at, test)| matches(place, at) && matches(name, test))
        };
        let home = of.map(|of| ["crates", "bins"].map(|folder| root().join(folder).join(of)));
        match (name.split_once("::"), home) {
            _ if *theme => any(&self.rules, name, ".."),
            (_, Some(homes)) if name.ends_with(".rs") => homes.iter().any(|home| home.join(name).is_file()),
            (_, None) if name.ends_with(".rs") => root().join(name).is_file(),
            // The tests that stand in a file.
            (Some((module, inner)), Some(homes)) => homes.iter().any(|home| {
                let text = fs::read_to_string(home.join(format!("src/{module}.rs"))).unwrap_or_default();
                text.contains(&format!("mod {inner}"))
            }),
            (Some((module, name)), None) => any(&self.system, module, name),
            (None, Some(_)) => any(&self.crates, of.unwrap_or_default(), name),
            (None, None) => any(&self.system, "..", name) || any(&self.rules, "..", name),
        }
    }
}

/// The conformance suite's list: a theme, and its rules in braces, each in a line.
fn rules() -> Vec<(String, String)> {
    let suite = fs::read_to_string(root().join("crates/domain/src/conformance/suite.rs")).unwrap();
    let mut theme = "";
    let mut rules = Vec::new();
    for line in suite.lines().map(str::trim) {
        if let Some(begun) = line.strip_suffix(" {") {
            theme = begun;
        } else if let Some(rule) = line.strip_suffix(',') {
            rules.push((theme.to_owned(), rule.to_owned()));
        }
    }
    rules
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once("..") {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(after) = text.strip_prefix(start) else { return false };
            rest.is_empty() || after.char_indices().any(|(place, _)| matches(rest, &after[place..]))
        }
    }
}

/// The names of the functions in a text, in order.
fn functions(text: &str) -> Vec<String> {
    let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
    names.map(str::to_owned).filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).collect()
}

/// The Rust files in a folder and in those in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
