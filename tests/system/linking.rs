//! How a release of the server is laid out: `.cargo/cc`, as rustc calls it, with a small program in the server's place.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tenantry_tests::shipping_tools::{root, said};

/// One function has the name that it is given here, the others are named by the compiler; each is called.
const PROGRAM: &str = "
    #[inline(never)]
    #[unsafe(export_name = \"_ZN5probe5first17h0123456789abcdefE\")]
    pub extern \"C\" fn first(n: u64) -> u64 { std::hint::black_box(n) * 3 }
    #[inline(never)]
    pub fn second(n: u64) -> u64 { std::hint::black_box(n) * 5 }
    #[inline(never)]
    #[unsafe(no_mangle)]
    pub extern \"C\" fn third(n: u64) -> u64 { std::hint::black_box(n) * 7 }
    fn main() { println!(\"{}\", first(1) + second(1) + third(1)) }
";

/// The listed functions are the first of the program, in the list's order, and by names whose digests are another compiler's.
#[test]
fn what_is_listed_lies_together() {
    let folder = tempfile::tempdir().unwrap();
    let list = "third\nof_another_version\n_RNvCsAnother123_5probe6second\n_ZN5probe5first17hfedcba9876543210E\n";
    let built = linked(folder.path(), "release/tenantry-server", Some(list));
    if !fs::read(&built).unwrap().windows(11).any(|part| part == b"Linker: LLD") {
        // Where rustc comes with another linker, the program is linked as it would be without; it has run, and that is all.
        return;
    }
    let names = said(Command::new("nm").args(["--numeric-sort", "--defined-only"]).arg(&built));
    let text = |line: &str| line.split(' ').nth(1).is_some_and(|kind| kind.eq_ignore_ascii_case("t"));
    let first: Vec<_> = names.lines().filter(|line| text(line)).filter_map(|line| line.split(' ').nth(2)).take(3).collect();
    assert!(first[0] == "third" && first[1].ends_with("_5probe6second") && first[2].starts_with("_ZN5probe5first"), "{first:?}");
}

/// All else is linked as ever: other programs, a server that isn't a release, and a checkout that has lost its list.
#[test]
fn what_is_not_a_release_of_the_server_is_linked_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    for program in ["release/tenantry-migrator", "debug/deps/tenantry_server-1"] {
        let listed = fs::read(linked(folder.path(), program, Some("third\n"))).unwrap();
        let unlisted = fs::read(linked(folder.path(), program, None)).unwrap();
        assert!(listed == unlisted, "{program} was given an order");
    }
    linked(folder.path(), "release/tenantry-server", None);
}

/// The program, linked by a copy of `.cargo/cc` beside this list, and run.
fn linked(folder: &Path, name: &str, list: Option<&str>) -> PathBuf {
    let (linker, source, built) = (folder.join("cc"), folder.join("probe.rs"), folder.join(name));
    fs::copy(root().join(".cargo/cc"), &linker).unwrap();
    fs::remove_file(folder.join("functions.txt")).ok();
    if let Some(list) = list {
        fs::write(folder.join("functions.txt"), list).unwrap();
    }
    fs::write(&source, PROGRAM).unwrap();
    fs::create_dir_all(built.parent().unwrap()).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--crate-name", "probe", "-C", "opt-level=2", "-C", "symbol-mangling-version=v0"]);
    rustc.arg("-C").arg(format!("linker={}", linker.display())).arg("-o").arg(&built).arg(&source);
    assert_eq!(said(&mut rustc), "");
    assert_eq!(said(&mut Command::new(&built)), "15\n");
    built
}
