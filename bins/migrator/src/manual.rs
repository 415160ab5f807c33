//! What tells people and shells how this program is called.

use std::{
    fs,
    io::{self, Write as _},
};

use clap::CommandFactory as _;
use clap_complete::Shell;

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
            if *shell == Shell::Bash {
                // clap_complete 4.6 takes the hyphen of a program's name for a subcommand in half of its script (clap's issue 6421).
                script =
                    String::from_utf8_lossy(&script).replace("tenantry__subcmd__migrator", "tenantry__migrator").into_bytes();
            }
            Some(io::stdout().write_all(&script))
        }
        Command::Up | Command::Down { .. } | Command::Status | Command::Fresh | Command::Adopt(_) | Command::Copy(_) => None,
    }
}
