//! Takes a Tenantry database up or down, tells where it stands, brings an older portal over, and copies one database into another.
//!
//! Exit codes: 0 done, 1 failed, 2 called wrongly.

mod adopt;
mod copying;
mod manual;

use std::{
    error::Error,
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use tenantry_migration::{SchemaStatus, StepState};

/// Takes a Tenantry database up or down, and tells where it stands.
#[derive(Parser)]
#[command(name = "tenantry-migrator", version)]
struct Arguments {
    /// The database: `sqlite://path/to/tenantry.db` or `postgres://user:password@host:5432/database`
    #[arg(long, global = true, env = "TENANTRY__DATABASE__URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,

    /// A file with the database's URL, in the place of --database-url
    #[arg(long, global = true, env = "TENANTRY__DATABASE__URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,

    /// Where the database is used; only `development` means anything here
    #[arg(long, global = true, env = "TENANTRY__ENVIRONMENT", default_value = "production", value_name = "NAME")]
    environment: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply every pending step
    Up,
    /// Take back the last steps
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List the steps and whether the database has them
    Status,
    /// Drop every table and apply every step; only with --environment development
    Fresh,
    /// Bring tenants, plans, subscriptions, projects and codes of an older portal over; only reports without --apply
    Adopt(adopt::Arguments),
    /// Copy everything from one database into another, empty one, and compare the two
    ///
    /// SQLite to PostgreSQL, back, or to one of the same kind. Stop the servers of both first. A copy that was interrupted goes on when the
    /// same command is run again.
    Copy(copying::CopyArguments),
    /// Write this program's manual pages, in roff, into a folder
    Man {
        /// The folder; it is made if it isn't there
        folder: PathBuf,
    },
    /// Print a script that completes this program's command line in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(written) = manual::written(&arguments.command) {
        return end(written.map(|()| String::new()).map_err(Into::into));
    }
    if let Command::Copy(copy) = &arguments.command {
        return end(copying::run(copy).await);
    }
    let url = match (arguments.database_url, arguments.database_url_file) {
        (Some(url), _) => Some(url),
        (None, Some(file)) => match fs::read_to_string(&file) {
            Ok(url) => Some(url.trim().to_owned()),
            Err(failure) => {
                complain(&format!("can't read the database's URL in {}: {failure}", file.display()));
                return ExitCode::FAILURE;
            }
        },
        (None, None) => None,
    };
    if let Command::Adopt(what) = &arguments.command {
        return end(adopt::run(what, url.as_deref()).await);
    }
    let Some(url) = url else {
        complain("no database: give --database-url or --database-url-file, or set TENANTRY__DATABASE__URL or .._URL_FILE");
        return ExitCode::from(2);
    };
    if matches!(arguments.command, Command::Fresh) && arguments.environment != "development" {
        complain(
            "`fresh` drops every table and all rows in them, so it runs only in development: \
             if that is meant, add --environment development or set TENANTRY__ENVIRONMENT=development",
        );
        return ExitCode::from(2);
    }
    end(run(&url, &arguments.command).await)
}

/// Prints what a command answers, or why it failed.
fn end(answer: Result<String, Box<dyn Error>>) -> ExitCode {
    let printed = answer.and_then(|report| Ok(io::stdout().write_all(report.as_bytes())?));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&chain(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, command: &Command) -> Result<String, Box<dyn Error>> {
    Ok(match *command {
        Command::Up => changed("applied", "nothing to do: every step is applied", &tenantry_migration::up(url).await?),
        Command::Down { steps } => {
            changed("took back", "nothing to do: no step is applied", &tenantry_migration::down(url, steps).await?)
        }
        Command::Status => table(&tenantry_migration::status(url).await?),
        Command::Fresh => changed("applied", "", &tenantry_migration::fresh(url).await?),
        // Carried out before: they need no database, or one beside this one.
        Command::Man { .. } | Command::Completions { .. } | Command::Adopt(_) | Command::Copy(_) => String::new(),
    })
}

fn changed(verb: &str, nothing: &str, steps: &[String]) -> String {
    if steps.is_empty() { format!("{nothing}\n") } else { steps.iter().map(|step| format!("{verb} {step}\n")).collect() }
}

fn table(status: &SchemaStatus) -> String {
    let width = status.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
    let line = |name: &str, state: &str| format!("{name:width$}  {state}\n");
    let rows = status.steps.iter().map(|step| {
        let state = match step.state {
            StepState::Applied => "applied",
            StepState::Pending => "pending",
            StepState::Newer => "applied by a newer version",
        };
        line(&step.name, state)
    });
    let unfinished = match status.unfinished_copy {
        true => {
            "\nthe rows are an unfinished copy, which servers refuse: run `tenantry-migrator copy` as it was begun, and it goes on\n"
        }
        false => "",
    };
    line("step", "state") + &rows.collect::<String>() + unfinished
}

/// An error and what it came from, each once, on one line.
fn chain(failure: &dyn Error) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn complain(text: &str) {
    // Nothing is left to do where even the error output is closed.
    let _ = writeln!(io::stderr(), "tenantry-migrator: {text}");
}
