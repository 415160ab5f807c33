//! Tools in Python that others wrote: a fuzzer that reads the API's document, a generator of clients.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use crate::binaries::without_settings;

/// A command with one of the tools, which finds the others on its path and leaves what it writes in `folder`.
pub fn tool(name: &str, folder: &Path) -> Command {
    let tools = programs();
    let mut command = without_settings(Command::new(tools.join(name)));
    let path = std::env::var("PATH").unwrap_or_default();
    command.current_dir(folder).env("PATH", format!("{}:{path}", tools.display())).env("NO_COLOR", "1").env("HOME", folder);
    command
}

/// Runs a command to its end on a thread of its own.
pub async fn run(mut command: Command) -> Output {
    let shown = format!("{command:?}");
    let done = tokio::task::spawn_blocking(move || command.output()).await.expect("the thread ends");
    done.unwrap_or_else(|failure| panic!("{shown}: {failure}"))
}

/// The folder of the tools: `$TENANTRY_PYTHON_TOOLS` when it is set (scripts/test sets it), else made by the same script.
pub fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match std::env::var_os("TENANTRY_PYTHON_TOOLS") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/python-tools");
            let made = Command::new(&script).output().expect("scripts/python-tools runs");
            assert!(made.status.success(), "{script:?}: {}", String::from_utf8_lossy(&made.stderr));
            PathBuf::from(String::from_utf8_lossy(&made.stdout).trim())
        }
    })
}
