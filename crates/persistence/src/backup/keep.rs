//! A file that is complete and on the disk under its name, or isn't there.

use std::{fs, io, path::Path};

use crate::connection::companions;

use super::{
    BackupError, Contents, checksum,
    draft::{Draft, folder_of},
    file::{self, Opened},
};

/// Writes what is committed into `file`, checks it, and answers what it holds.
pub(super) async fn keep(opened: &mut Opened, file: &Path, replace: bool) -> Result<Contents, BackupError> {
    if file.symlink_metadata().is_ok() {
        if !replace {
            return Err(BackupError::Exists { file: file.to_owned() });
        }
        refuse_other_than_a_backup(file).await?;
    }
    let draft = Draft::new(file).map_err(unwritable(file))?;
    write(opened, draft.path()).await?;
    let contents = check(draft.path()).await?;
    publish(draft, file, replace)?;
    Ok(contents)
}

/// Gives a draft its name, and puts its checksum beside it.
fn publish(draft: Draft, file: &Path, replace: bool) -> Result<(), BackupError> {
    // A checksum goes with the file that it is of, or alone where that is gone. Whoever made the file meanwhile keeps both.
    if replace || file.symlink_metadata().is_err() {
        checksum::remove(file).map_err(unwritable(&checksum::beside(file)))?;
    }
    draft.publish(file, replace).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { file: file.to_owned() },
        _ => unwritable(file)(source),
    })?;
    checksum::write(file).map_err(unwritable(&checksum::beside(file)))
}

fn unwritable(file: &Path) -> impl Fn(io::Error) -> BackupError {
    move |source| BackupError::Unwritable { file: file.to_owned(), source }
}

/// Whoever says that a file may be replaced thinks of a backup: not of a key ring, nor of a database that is in use.
async fn refuse_other_than_a_backup(file: &Path) -> Result<(), BackupError> {
    let refusal = || Err(BackupError::NoBackup { file: file.to_owned() });
    if companions(file).iter().any(|companion| companion.exists()) {
        return refusal();
    }
    if fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() == 0) {
        return Ok(());
    }
    let Ok(mut backup) = Opened::backup(file).await else { return refusal() };
    let known = backup.refuse_foreign(file::MAIN, file).await;
    backup.close().await;
    if matches!(known, Ok(()) | Err(BackupError::Damaged { .. })) { Ok(()) } else { refusal() }
}

/// SQLite reads everything in one transaction, which keeps no writer waiting, and takes an empty file for none.
async fn write(opened: &mut Opened, draft: &Path) -> Result<(), BackupError> {
    let path = draft.to_str().ok_or_else(|| {
        unwritable(draft)(io::Error::new(io::ErrorKind::InvalidInput, "SQLite wants the names of its files in UTF-8"))
    })?;
    let written = opened.run("VACUUM INTO $1", [path.into()]).await;
    written.map(|_| ()).map_err(|failure| match file::is_full(&failure) {
        true => BackupError::Full { folder: folder_of(draft).to_owned() },
        false => BackupError::of("writing the backup")(failure),
    })
}

async fn check(draft: &Path) -> Result<Contents, BackupError> {
    let mut opened = Opened::backup(draft).await?;
    opened.refuse_damaged(draft).await?;
    let bytes = fs::metadata(draft).map_err(unwritable(draft))?.len();
    let contents = opened.contents(bytes).await.map_err(BackupError::of("the check of the backup"))?;
    opened.close().await;
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_made_meanwhile_stays_and_its_checksum_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let draft = Draft::new(&file).unwrap();
        fs::write(&file, "another's").unwrap();
        checksum::write(&file).unwrap();
        assert!(matches!(publish(draft, &file, false), Err(BackupError::Exists { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"another's");
        assert!(checksum::beside(&file).exists());
        checksum::refuse_altered(&file).unwrap();

        publish(Draft::new(&file).unwrap(), &file, true).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"");
        checksum::refuse_altered(&file).unwrap();
        // Of a backup that was deleted, and its checksum forgotten.
        fs::write(checksum::beside(&file), "0000").unwrap();
        fs::remove_file(&file).unwrap();
        publish(Draft::new(&file).unwrap(), &file, false).unwrap();
        checksum::refuse_altered(&file).unwrap();
    }
}
