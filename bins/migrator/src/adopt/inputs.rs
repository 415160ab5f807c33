//! The files that an adoption reads and writes.

use std::{
    collections::HashSet,
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use tenantry_auth::{KeyRing, KeyRingError, LegacyDigest, LegacyPepper};
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

/// Looks for the codes of a file among what the older portal kept; the inner error says that not all are there.
pub fn try_sample<'a>(
    path: &Path,
    pepper: &LegacyPepper,
    kept: impl Iterator<Item = &'a str>,
) -> Result<Result<String, String>, InputError> {
    let sample = secret(path)?;
    let kept: HashSet<LegacyDigest> = kept.filter_map(LegacyDigest::parse).collect();
    let lines: Vec<_> = sample.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let is_known = |text: &str| LegacyCode::parse(text).is_some_and(|code| kept.contains(&pepper.digest(&code)));
    let lost: Vec<_> = lines.iter().filter(|(_, line)| !is_known(line)).map(|(place, _)| (place + 1).to_string()).collect();
    Ok(match (lines.len(), lost.as_slice()) {
        (0, _) => Err("there is no code in the sample".to_owned()),
        (all, []) => Ok(format!("The pepper is right: it finds all {all} codes of the sample.")),
        (all, lost) => Err(format!(
            "{} of the {all} codes of the sample are not found (lines {}): the pepper is another, or they are no codes of this portal",
            lost.len(),
            lost.iter().take(10).cloned().collect::<Vec<_>>().join(", ")
        )),
    })
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
