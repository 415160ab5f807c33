//! What judges deploy/ and releases: tools that others wrote.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use crate::binaries::without_settings;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there")
}

/// One of the tools, where it could be had on this machine.
pub fn tool(name: &str) -> Option<PathBuf> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let made = Command::new(root().join("scripts/shipping-tools")).output().expect("scripts/shipping-tools runs");
        assert!(made.status.success(), "scripts/shipping-tools: {}", String::from_utf8_lossy(&made.stderr));
        PathBuf::from(String::from_utf8_lossy(&made.stdout).trim())
    });
    Some(folder.join(name)).filter(|path| path.exists())
}

/// Runs a command in the repository, and gives what it said. Panics with that when it fails.
pub fn said(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let own = std::mem::replace(command, Command::new("true"));
    let Output { status, stdout, stderr } = without_settings(own).current_dir(root()).output().expect("a program runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{shown}: {status}\n{stdout}{stderr}");
    stdout
}

/// Asks tests/tools/shipping.py.
pub fn judged(arguments: &[&str]) -> String {
    let python = tool("python").expect("scripts/shipping-tools makes a Python");
    said(Command::new(python).arg("tests/tools/shipping.py").args(arguments))
}
