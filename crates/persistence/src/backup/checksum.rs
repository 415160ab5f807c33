//! The SHA-256 of a backup in a file beside it, as `sha256sum --check` reads it.
//!
//! SQLite's own check finds broken pages and indexes, and no bit that flipped in a value which no index has.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::BackupError;

/// Bytes that are read at once.
const CHUNK: usize = 1024 * 1024;

/// Where the checksum of a backup is.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".sha256");
    path.into()
}

/// Removes the checksum of a file that is about to be replaced.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(beside(file)) {
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Writes the checksum of a file, its owner's alone as the file is.
pub(super) fn write(file: &Path) -> io::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let line = format!("{}  {name}\n", of(file)?);
    let mut beside = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside(file))?;
    beside.write_all(line.as_bytes())?;
    beside.sync_all()
}

/// Refuses a file that isn't what its checksum was made of. One without a checksum is taken as it is.
pub(super) fn refuse_altered(file: &Path) -> Result<(), BackupError> {
    let beside = beside(file);
    let Ok(line) = fs::read_to_string(&beside) else { return Ok(()) };
    let expected = line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    match of(file) {
        Ok(found) if found == expected => Ok(()),
        _ => Err(BackupError::Altered { file: file.to_owned(), checksum: beside }),
    }
}

fn of(file: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut chunk) = (File::open(file)?, Sha256::new(), vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
    }
    let mut hex = String::new();
    for byte in hasher.finalize() {
        // Writing to a string succeeds.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}
