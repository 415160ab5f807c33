//! The command line.

use std::{env, path::PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;

use crate::config::{Key, Sources};

/// Tenantry: activation codes and projects for your tenants.
///
/// Without a command it serves. Settings come from tenantry.toml, then from the environment (`TENANTRY__HTTP__BIND`), then from these
/// flags; `tenantry-server config print` shows all of them.
#[derive(Parser)]
#[command(name = "tenantry-server", version, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Makes a demo tenant, and prints the curl lines that sign in and activate a project.
    #[arg(long)]
    pub demo: bool,
    #[command(flatten)]
    pub settings: Settings,
}

/// Settings that have flags. They may hold a password: no `Debug`.
#[derive(Args)]
pub struct Settings {
    /// File of settings [default: tenantry.toml, if there is one].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8080].
    #[arg(long, global = true, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Folder of the embedded database and the key ring [default: ./data].
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Database: `sqlite://path` or `postgres://user:password@host/database` [default: a SQLite file in the data folder].
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
}

/// What there is to do besides serving.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Operator keys.
    #[command(subcommand)]
    ApiKey(ApiKeyVerb),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Prints a one-time link that makes the first operator.
    BootstrapLink {
        /// Also where there are operators: for one more owner, when none can come in any more.
        #[arg(long)]
        recover: bool,
    },
    /// The key ring: its keys, and their rotation.
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Checks files, settings and all rows of the database, and changes nothing. Ends with status 1 if something failed.
    Doctor {
        /// One JSON object for programs.
        #[arg(long)]
        json: bool,
    },
    /// Asks the server of this configuration, on this machine, whether it is ready. Ends with status 1 if it isn't.
    Health {
        /// Only whether it answers, whatever its database does.
        #[arg(long)]
        live: bool,
    },
    /// Writes this program's manual pages, in roff, into a folder.
    Man {
        /// The folder; it is made if it isn't there.
        folder: PathBuf,
    },
    /// Writes the embedded database (SQLite) into a file, as it is in one moment, also while servers serve.
    Backup {
        /// The file to make; it is checked, and its owner's alone. Its key ring isn't in it.
        file: PathBuf,
        /// Takes the place of a file of that name.
        #[arg(long)]
        replace: bool,
    },
    /// Replaces what the embedded database (SQLite) holds by a backup, in one step, also while servers serve.
    ///
    /// What is replaced is kept beside the database. Codes that were used since the backup can be used again. Everybody is signed out.
    Restore {
        /// The backup.
        file: PathBuf,
        /// Replaces what the database holds, if it holds anything.
        #[arg(long)]
        yes: bool,
        /// Lets the backup's sessions and open sign-ins go on, but those that were ended since.
        #[arg(long)]
        keep_sessions: bool,
    },
    /// Prints a script that completes this program's command line in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub enum ApiKeyVerb {
    /// Prints a new operator key, for `TENANTRY__BOOTSTRAP__API_KEY`.
    Generate,
}

#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Lists the keys: which signs, which waits, and what still needs each.
    List,
    /// Adds a new key that verifies and doesn't sign yet.
    Rotate,
    /// Lets the key that waits sign, once every server knows it.
    Promote,
    /// Takes a new key ring for a database whose own is lost: all codes, sessions and API keys that it has stay unknown.
    Accept,
}

#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Says whether a server would start with this configuration.
    Check,
    /// Prints the effective configuration as TOML, without secrets.
    Print,
}

impl Cli {
    /// Reads the command line; on wrong use says so and ends with status 2.
    pub fn read() -> Self {
        let cli = Self::parse();
        if cli.demo && cli.verb.is_some() {
            Self::command().error(ErrorKind::ArgumentConflict, "--demo is for serving and goes with no command").exit();
        }
        cli
    }
}

/// The script that completes the command line in a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tenantry-server", &mut script);
    if shell == Shell::Bash {
        // clap_complete 4.6 takes the hyphen of a program's name for a subcommand in half of its script (clap's issue 6421).
        script = String::from_utf8_lossy(&script).replace("tenantry__subcmd__server", "tenantry__server").into_bytes();
    }
    script
}

impl Settings {
    /// These, the file and the environment.
    pub fn sources(self) -> Sources {
        let flags = [
            (Key::HTTP_BIND, "--bind", self.bind),
            (Key::DATA_DIR, "--data-dir", self.data_dir),
            (Key::DATABASE_URL, "--database-url", self.database_url),
        ];
        let flags = flags.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?))).collect();
        Sources { file: self.config, environment: env::vars_os().collect(), flags }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_may_stand_before_and_after_a_verb() {
        Cli::command().debug_assert();
        for line in ["tenantry-server --bind 127.0.0.1:1 config check", "tenantry-server config check --bind 127.0.0.1:1"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(matches!(cli.verb, Some(Verb::Config(ConfigVerb::Check))));
            assert_eq!(cli.settings.bind.as_deref(), Some("127.0.0.1:1"));
        }
        assert_eq!(Cli::try_parse_from(["tenantry-server", "serve"]).err().unwrap().exit_code(), 2);
    }

    #[test]
    fn every_shell_has_a_script_that_knows_every_verb() {
        use clap::ValueEnum as _;

        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            for verb in [
                "api-key",
                "bootstrap-link",
                "config",
                "keys",
                "doctor",
                "health",
                "man",
                "backup",
                "restore",
                "completions",
                "--database-url",
            ] {
                assert!(script.contains(verb.trim_start_matches('-')), "{shell} doesn't know {verb}");
            }
        }
    }
}
