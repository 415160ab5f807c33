//! What can be seen on this machine: files, who may read them, and where mail goes.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use tenantry_auth::KeyRing;
use tenantry_domain::Chain;

use super::report::{Complaint, Report};
use crate::{
    config::{Config, Environment, Key},
    keys,
};

/// What others than the owner may do with a file; `None` where there is none.
fn others_may(path: &Path) -> io::Result<Option<u32>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o077)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Complaint {
    Complaint::new(format!("can't look at {}: {error}", path.display()), "run the doctor as the user that the server runs as")
}

/// Others could put a database or a key ring of theirs into a folder that they may write to.
pub fn check_data_folder(config: &Config, report: &mut Report) {
    const NAME: &str = "data_folder";

    let path = &config.data_dir;
    let advice = || format!("chmod 700 '{}'", path.display());
    match others_may(path) {
        Err(error) => report.failed(NAME, unreadable(path, &error)),
        Ok(Some(others)) if others & 0o022 != 0 => {
            report.failed(NAME, Complaint::new(format!("others than its owner can write to {}", path.display()), advice()));
        }
        Ok(Some(others)) if others != 0 => {
            report.warning(NAME, Complaint::new(format!("others than its owner can look into {}", path.display()), advice()));
        }
        Ok(_) => report.ok(NAME),
    }
}

/// The embedded database holds what a dump would.
pub fn check_database_file(config: &Config, report: &mut Report) {
    const NAME: &str = "database_file";

    let Some(path) = config.database.url.sqlite_file() else { return };
    match others_may(&path) {
        Err(error) => report.failed(NAME, unreadable(&path, &error)),
        Ok(Some(others)) if others != 0 => {
            let detail = format!("others than its owner can read or write {}", path.display());
            report.failed(NAME, Complaint::new(detail, format!("chmod 600 '{}'*", path.display())));
        }
        // That it is missing is said once the database is opened.
        Ok(_) => report.ok(NAME),
    }
}

pub fn check_key_file(config: &Config, report: &mut Report) {
    const NAME: &str = "key_file";

    let path = &config.keys_file;
    match fs::metadata(path).map(|metadata| keys::exposed(&metadata)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => report.failed(NAME, unreadable(path, &error)),
        Err(_) => report.failed(
            NAME,
            Complaint::new(
                format!("there is no key ring {}", path.display()),
                format!(
                    "name the one that the servers use with {}; without it no code of the database is found",
                    Key::KEYS_FILE.env_name()
                ),
            ),
        ),
        Ok(None) => report.ok(NAME),
        Ok(Some(_)) => {
            let complaint = Complaint::new(
                format!("others than its owner can read {}", path.display()),
                format!("chmod 600 '{}', and replace its keys if they may have been seen", path.display()),
            );
            match config.environment {
                Environment::Production => report.failed(NAME, complaint),
                Environment::Development => report.warning(NAME, complaint),
            }
        }
    }
}

/// The key ring, if it can be used. Who may read its file is another check.
pub fn check_key_ring(config: &Config, report: &mut Report) -> Option<KeyRing> {
    const NAME: &str = "key_ring";

    match keys::check(&config.keys_file, Environment::Development) {
        Ok(keys) => {
            report.ok(NAME);
            Some(keys)
        }
        Err(failure) => {
            let advice = "put back the key ring that your other servers use and your backup has";
            report.failed(NAME, Complaint::new(Chain(&failure).to_string(), advice));
            None
        }
    }
}

/// In production a server that delivers no mail doesn't start, so this is about servers that are tried out.
pub fn check_mail(config: &Config, report: &mut Report) {
    const NAME: &str = "mail";

    if config.mail.url.delivers() {
        report.ok(NAME);
    } else {
        let detail = format!("mail goes to {}: tenants elsewhere can't sign in", config.mail);
        let advice = format!("set {} and {} to your mail server and a sender that it accepts", Key::MAIL_URL, Key::MAIL_FROM);
        report.warning(NAME, Complaint::new(detail, advice));
    }
}
