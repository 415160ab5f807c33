//! A file that is complete and on the disk under its name, or isn't there.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{BackupError, Contents, file::Opened};

/// Drafts that a killed process left don't keep the next from its work.
const DRAFTS: u32 = 1000;

/// Writes what is committed into `file`, checks it, and answers what it holds.
pub(super) async fn keep(opened: &mut Opened, file: &Path, replace: bool) -> Result<Contents, BackupError> {
    if !replace && file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { file: file.to_owned() });
    }
    let draft = new_draft(file).map_err(unwritable(file))?;
    let kept = async {
        write(opened, &draft).await?;
        let contents = check(&draft).await?;
        publish(&draft, file, replace)?;
        Ok(contents)
    };
    let kept = kept.await;
    if kept.is_err() {
        // What is wrong is said already.
        fs::remove_file(&draft).ok();
    }
    kept
}

fn unwritable(file: &Path) -> impl Fn(io::Error) -> BackupError {
    move |source| BackupError::Unwritable { file: file.to_owned(), source }
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes an empty file beside the one that it is to become: its owner's alone from its first byte on.
fn new_draft(file: &Path) -> io::Result<PathBuf> {
    let name = file.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a file"))?;
    for number in 1..DRAFTS {
        let draft = folder_of(file).join(format!(".{}.part-{number}", name.to_string_lossy()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft) {
            Err(failure) if failure.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|_| draft),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many drafts lie beside it"))
}

/// SQLite reads everything in one transaction, which keeps no writer waiting, and takes an empty file for none.
async fn write(opened: &mut Opened, draft: &Path) -> Result<(), BackupError> {
    let path = draft.to_str().ok_or_else(|| {
        unwritable(draft)(io::Error::new(io::ErrorKind::InvalidInput, "SQLite wants the names of its files in UTF-8"))
    })?;
    opened.run("VACUUM INTO $1", [path.into()]).await.map(|_| ()).map_err(BackupError::of("writing the backup"))
}

async fn check(draft: &Path) -> Result<Contents, BackupError> {
    let mut opened = Opened::backup(draft).await?;
    opened.refuse_damaged(draft).await?;
    let bytes = fs::metadata(draft).map_err(unwritable(draft))?.len();
    let contents = opened.contents(bytes).await.map_err(BackupError::of("the check of the backup"))?;
    opened.close().await;
    Ok(contents)
}

fn publish(draft: &Path, file: &Path, replace: bool) -> Result<(), BackupError> {
    let published = || {
        File::open(draft)?.sync_all()?;
        if replace {
            fs::rename(draft, file)?;
        } else {
            // Unlike a new name, a second one takes no other file's place.
            fs::hard_link(draft, file)?;
            fs::remove_file(draft)?;
        }
        File::open(folder_of(file))?.sync_all()
    };
    published().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { file: file.to_owned() },
        _ => unwritable(file)(source),
    })
}
