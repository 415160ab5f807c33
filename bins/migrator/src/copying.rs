//! `copy`: what is said while it works, and when it is done.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
};

use clap::Args;
use tenantry_migration::{Copied, CopyOptions, Progress};

#[derive(Args)]
pub struct CopyArguments {
    /// Where the rows come from: an address as for --database-url
    #[arg(long, env = "TENANTRY_COPY_FROM", hide_env_values = true, value_name = "URL")]
    from: String,

    /// Where they go: an empty database with the schema of this version
    #[arg(long, env = "TENANTRY_COPY_TO", hide_env_values = true, value_name = "URL")]
    to: String,

    /// Delete the rows of an unfinished copy in the target, and begin anew
    #[arg(long)]
    start_over: bool,

    /// The most rows in a transaction
    #[arg(long, value_name = "ROWS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    page_rows: u32,
}

/// Copies, and answers what there is to say at the end.
pub async fn run(arguments: &CopyArguments) -> Result<String, Box<dyn Error>> {
    let options = CopyOptions { page_rows: usize::try_from(arguments.page_rows)?, start_over: arguments.start_over };
    let mut teller = Teller { on_terminal: io::stdout().is_terminal() };
    let copied = tenantry_migration::copy(&arguments.from, &arguments.to, options, &mut |progress| teller.tell(&progress)).await;
    teller.clear();
    Ok(report(&copied?))
}

/// Tells of the progress: on a terminal in one line, else in a line a table.
struct Teller {
    on_terminal: bool,
}

impl Teller {
    fn tell(&mut self, progress: &Progress) {
        let text = match progress {
            Progress::Copied { table, rows, of } if self.on_terminal || rows >= of => format!("copied {table}: {rows} of {of}"),
            Progress::Comparing { table } if self.on_terminal => format!("comparing {table}"),
            _ => return,
        };
        let mut out = io::stdout().lock();
        // Whether anyone reads it is no reason to stop.
        let _ = if self.on_terminal { write!(out, "\r\x1b[2K{text}") } else { writeln!(out, "{text}") };
        let _ = out.flush();
    }

    fn clear(&self) {
        if self.on_terminal {
            let _ = write!(io::stdout(), "\r\x1b[2K");
        }
    }
}

fn report(copied: &Copied) -> String {
    let Copied { tables, found, left_behind, tallies_mended } = copied;
    let rows: u64 = tables.iter().map(|(_, rows)| rows).sum();
    let mut lines = vec![format!("copied {rows} rows in {} tables; counts and digests of all are equal", tables.len())];
    if *found > 0 {
        lines.push(format!("{found} of them had been copied before"));
    }
    if !left_behind.is_empty() {
        lines.push(format!("not Tenantry's, and left behind: {}", left_behind.join(", ")));
    }
    if !tallies_mended.is_empty() {
        let names = tallies_mended.join(", ");
        lines.push(format!("counted anew, as the source had them wrong: {names}"));
    }
    lines.push("the key ring is in no database: the servers of the target need the source's".to_owned());
    lines.join("\n") + "\n"
}
