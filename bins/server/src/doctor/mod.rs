//! `doctor`: is all well, here and in the database? It changes nothing.

mod data;
mod machine;
mod report;

use crate::config::Config;

use self::report::{Form, Report};

/// Checks everything, says what it finds as it finds it, and answers whether nothing failed.
pub async fn run(config: &Config, json: bool) -> bool {
    let mut report = Report::new(if json { Form::Json } else { Form::for_output() });
    machine::check_data_folder(config, &mut report);
    machine::check_database_file(config, &mut report);
    machine::check_key_file(config, &mut report);
    let keys = machine::check_key_ring(config, &mut report);
    machine::check_mail(config, &mut report);
    data::check_database(config, keys.as_ref(), &mut report).await;
    report.end()
}
