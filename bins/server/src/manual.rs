//! The manual pages: one for the program, one for each of its commands.

use std::{fs, io, path::Path};

use clap::CommandFactory as _;

use crate::cli::Cli;

/// Writes them into a folder, which is made where it is missing.
///
/// # Errors
/// Where the folder can't be written to.
pub fn write_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let pages = folder.path().join("man1");
        write_pages(&pages).unwrap();
        let page = |name: &str| fs::read_to_string(pages.join(name)).unwrap_or_else(|_| panic!("there is no {name}"));
        assert!(page("tenantry-server.1").contains("TENANTRY__HTTP__BIND"));
        for verb in Cli::command().get_subcommands() {
            let name = verb.get_name();
            assert!(page(&format!("tenantry-server-{name}.1")).contains(".SH NAME"), "{name}");
        }
        assert!(page("tenantry-server-keys-rotate.1").contains("new key"));
    }
}
