//! A release: its archive, its sums, its bill of materials, and completions as bash itself uses them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use sqlx::{Connection as _, SqliteConnection};
use tenantry_tests::{
    binaries,
    shipping_tools::{judged, said},
};

/// The programs stand in for those of a release: small scripts that call them, so that little is packed.
#[test]
fn a_release_holds_all_that_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let (programs, made) = (folder.path().join("programs"), folder.path().join("release"));
    fs::create_dir(&programs).unwrap();
    for program in [binaries::server(), binaries::migrator()] {
        let script = programs.join(program.file_name().unwrap());
        fs::write(&script, format!("#!/bin/sh\nexec {} \"$@\"\n", program.display())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    said(Command::new("scripts/release").arg("--programs").arg(&programs).arg(&made));
    let names: Vec<_> = fs::read_dir(&made).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let named = |start: &str, end: &str| names.iter().find(|name| name.starts_with(start) && name.ends_with(end)).unwrap();
    let apart = named("tenantry-0", "-debug.tar.gz");
    let archive = made.join(apart.replace("-debug", ""));
    let listed = said(Command::new("tar").arg("tf").arg(&archive));
    for file in [
        "bin/tenantry-server",
        "bin/tenantry-migrator",
        "share/man/man1/tenantry-server.1",
        "share/man/man1/tenantry-migrator-up.1",
        "share/bash-completion/completions/tenantry-migrator",
        "deploy/systemd/tenantry.service",
        "deploy/ha/patroni.yml",
        "docs/operations.md",
        "LICENSE-MIT",
        "THIRD-PARTY-LICENSES.txt",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(&format!("/{file}"))), "{file} isn't in {listed}");
    }
    let tree = made.join(listed.lines().next().unwrap());
    said(Command::new("tar").arg("xf").arg(&archive).arg("--directory").arg(&made));
    completed_by_bash(&tree.join("share/bash-completion/completions"));
    fs::remove_dir_all(&tree).unwrap();
    let chart = said(Command::new("tar").arg("tvf").arg(made.join(named("tenantry-chart", ".tgz"))));
    assert!(chart.contains(" tenantry/alerts.yaml") && !chart.contains(" -> "), "a chart is whole without a checkout: {chart}");
    judged(&["sbom", made.join(named("tenantry-0", ".cdx.json")).to_str().unwrap()]);
    let sums = fs::read_to_string(made.join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), names.len() - 1, "all but itself: {sums}");
    let check = |folder: &Path| {
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(folder).status().unwrap()
    };
    assert!(check(&made).success());
    fs::write(&archive, "something else").unwrap();
    assert!(!check(&made).success());
    assert!(fs::read_to_string(made.join("NOTES.md")).unwrap().starts_with("### "));
}

/// As `scripts/release` does it to both programs.
#[test]
fn what_debuggers_read_is_apart_and_found_beside_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("tenantry-migrator");
    fs::copy(binaries::migrator(), &program).unwrap();
    let apart = || said(Command::new("scripts/debug-apart").arg(&program).arg(folder.path()));
    let has = |section: &str| said(Command::new("readelf").args(["--wide", "--sections"]).arg(&program)).contains(section);
    assert!(has(" .debug_line "));
    let before = program.metadata().unwrap().len();
    apart();
    assert!(program.metadata().unwrap().len() < before);
    assert!(!has(" .debug_line ") && has(" .gnu_debuglink "));
    assert!(said(Command::new(&program).arg("--version")).starts_with("tenantry-migrator "));
    let names = said(Command::new("nm").arg("--defined-only").arg(&program));
    let own =
        names.lines().find_map(|line| Some(line.split_once(" t ").filter(|(_, name)| name.contains("tenantry_migrator"))?.0));
    let address = own.expect("functions keep their names").to_owned();
    let line_of = || said(Command::new("addr2line").args(["--exe", program.to_str().unwrap(), &address]));
    assert!(line_of().contains("bins/migrator/src/"), "{}", line_of());
    fs::remove_file(folder.path().join("tenantry-migrator.debug")).unwrap();
    assert!(line_of().starts_with("??"), "{}", line_of());
    // There is nothing to be taken apart any more.
    apart();
    assert!(!folder.path().join("tenantry-migrator.debug").exists());
}

/// Asks bash itself, as it calls a script of completions: `cur` is what is typed of the last word.
fn completed_by_bash(scripts: &Path) {
    for (program, before, cur, expected) in [
        ("tenantry-server", "", "bac", "backup"),
        ("tenantry-server", "keys", "", "list rotate promote help"),
        ("tenantry-server", "restore", "--keep", "--keep-sessions"),
        ("tenantry-migrator", "down", "--st", "--steps"),
    ] {
        let script = scripts.join(program);
        let asked = format!(
            "source {script}; COMP_WORDS=({program} {before} '{cur}'); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            function=$(complete -p {program}); function=${{function##*-F }}; function=${{function%% *}}
            $function {program} '{cur}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script = script.display()
        );
        let answered = said(Command::new("bash").args(["-c", &asked]));
        let answered: Vec<_> = answered.lines().collect();
        assert!(expected.split(' ').all(|word| answered.contains(&word)), "{program} {before} {cur}: {answered:?}");
    }
}

/// By the workspace's flags (decision 0039). The tests have the SQLite that the server has.
#[tokio::test]
async fn sqlite_is_built_by_the_workspaces_flags() {
    let mut sqlite = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let options: Vec<String> = sqlx::query_scalar("PRAGMA compile_options").fetch_all(&mut sqlite).await.unwrap();
    assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!options.iter().any(|option| option == "ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
    assert!(options.iter().any(|option| option == "DEFAULT_PCACHE_INITSZ=1"), "{options:?}");
}
