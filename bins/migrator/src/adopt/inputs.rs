//! The files that an adoption reads and writes.

use std::{
    collections::HashSet,
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use tenantry_auth::{KeyRing, KeyRingError, LegacyPepper};
use tenantry_domain::LegacyCode;
use zeroize::Zeroizing;

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("--apply needs the key ring of Tenantry's servers: give --keys-file or set TENANTRY__KEYS__FILE")]
    NoKeys,
    #[error("others than its owner can read {0}: run chmod 600 '{0}'", path.display())]
    Exposed { path: PathBuf },
    #[error("the key ring {} can't be used", path.display())]
    Keys { path: PathBuf, source: KeyRingError },
    #[error("the pepper in {} is empty", path.display())]
    NoPepper { path: PathBuf },
    #[error("can't read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("can't write {}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// Reads a key ring that its owner alone can read.
pub fn keys(path: &Path) -> Result<KeyRing, InputError> {
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(InputError::Exposed { path: path.to_owned() });
    }
    KeyRing::parse(&secret(path)?).map_err(|source| InputError::Keys { path: path.to_owned(), source })
}

/// Reads a pepper as a server reads it: without blanks and line breaks around it.
pub fn pepper(path: &Path) -> Result<LegacyPepper, InputError> {
    LegacyPepper::new(secret(path)?.trim()).ok_or_else(|| InputError::NoPepper { path: path.to_owned() })
}

/// Codes of the older portal, to see whether the pepper is right.
pub struct Sample {
    /// Of each line with something in it: its number, and the digest of the code, if it is one.
    lines: Vec<(usize, Option<String>)>,
}

impl Sample {
    /// Reads a file with a code a line.
    pub fn read(path: &Path, pepper: &LegacyPepper) -> Result<Self, InputError> {
        let text = secret(path)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let digest = |line: &str| LegacyCode::parse(line).map(|code| pepper.digest(&code).to_hex());
        Ok(Self { lines: lines.map(|(place, line)| (place + 1, digest(line))).collect() })
    }

    /// What is to be looked for among what the older portal kept.
    pub fn digests(&self) -> Vec<String> {
        self.lines.iter().filter_map(|(_, digest)| digest.clone()).collect()
    }

    /// What it means that these were found; an error where not all were.
    pub fn judge(&self, found: Vec<String>) -> Result<String, String> {
        let found: HashSet<String> = found.into_iter().collect();
        let is_lost = |digest: &Option<String>| digest.as_ref().is_none_or(|digest| !found.contains(digest));
        let lost: Vec<_> = self.lines.iter().filter(|(_, digest)| is_lost(digest)).map(|(line, _)| line.to_string()).collect();
        match (self.lines.len(), lost.as_slice()) {
            (0, _) => Err("there is no code in the sample".to_owned()),
            (all, []) => Ok(format!("The pepper is right: it finds all {all} codes of the sample.")),
            (all, lost) => Err(format!(
                "{} of the {all} codes of the sample are not found (lines {}): the pepper is another, or they are no codes of this portal",
                lost.len(),
                lost.iter().take(10).cloned().collect::<Vec<_>>().join(", ")
            )),
        }
    }
}

/// Writes a report that its owner alone can read: it has keys of customers.
pub fn write(path: &Path, text: &str) -> Result<(), InputError> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| InputError::Unwritable { path: path.to_owned(), source })
}

fn secret(path: &Path) -> Result<Zeroizing<String>, InputError> {
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable)
}
