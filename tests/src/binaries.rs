//! The programs under test, as cargo builds them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::postgres::DatabaseUrl;

/// The path of `tenantry-server`.
pub fn server() -> PathBuf {
    folder().join("tenantry-server")
}

/// The path of `tenantry-migrator`.
pub fn migrator() -> PathBuf {
    folder().join("tenantry-migrator")
}

/// The path of the example that embeds the domain.
pub fn embedded_service() -> PathBuf {
    folder().join("embedded-service")
}

/// A command with this process's environment less Tenantry's own settings, so that a developer's shell can't change a test.
pub fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("TENANTRY__")) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs `tenantry-migrator up`.
pub fn migrate(url: &DatabaseUrl) {
    let mut command = without_settings(Command::new(migrator()));
    let output = command.args(["up", "--database-url", url.as_str()]).output().expect("tenantry-migrator runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "tenantry-migrator up: {}\n{stdout}{stderr}", output.status);
}

/// The folder of the two programs: `$TENANTRY_BIN_DIR` when it is set (scripts/test sets it, having built them), else cargo's target
/// folder for the profile of this very test, after a build.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match std::env::var_os("TENANTRY_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => build(),
    })
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(Path::parent).expect("a test lies in <target>/<profile>/deps");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The whole workspace: its features are then those of `cargo test --workspace`, and little is built twice.
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins", "--profile", profile]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "{command:?}: {status}");
    folder.to_owned()
}
