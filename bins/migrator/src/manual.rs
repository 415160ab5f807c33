//! What tells people and shells how this program is called.

use std::{
    fs,
    io::{self, Write as _},
};

use clap::CommandFactory as _;

use crate::{Arguments, Command};

/// Writes what the command asks for; `None` where it is about a database.
pub fn written(command: &Command) -> Option<io::Result<()>> {
    match command {
        Command::Man { folder } => {
            Some(fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder)))
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "tenantry-migrator", &mut script);
            Some(io::stdout().write_all(&script))
        }
        Command::Up | Command::Down { .. } | Command::Status | Command::Fresh | Command::Adopt(_) | Command::Copy(_) => None,
    }
}
