//! A file that is being written: locked by its process, and gone with it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Files of that name that others are writing at the same time.
const DRAFTS: u32 = 1000;

/// What stands behind a draft's name, and its number.
const SUFFIX: &str = ".part-";

/// What stands in the names of what restores keep, behind the database's.
const KEPT: &str = ".before-restore-";

/// A draft beside the file that it is to become. Dropped, it is removed; [`publish`](Self::publish) lets it stay.
pub(super) struct Draft {
    path: PathBuf,
    /// Holds the lock, by which the next process sees that somebody is writing still.
    _locked: File,
    published: bool,
}

impl Draft {
    /// Makes an empty file: its owner's alone from its first byte on. Drafts that killed processes left are removed first.
    pub(super) fn new(file: &Path) -> io::Result<Self> {
        let name = file.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a file"))?;
        let name = name.to_string_lossy();
        sweep(folder_of(file), &name)?;
        for number in 1..DRAFTS {
            let path = folder_of(file).join(format!(".{name}{SUFFIX}{number}"));
            let made = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(failure) if failure.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            };
            // Whoever swept between the two took it for an abandoned one.
            if made.try_lock().is_ok() && made.metadata()?.nlink() > 0 {
                return Ok(Self { path, _locked: made, published: false });
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many drafts lie beside it"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, where it then is for good.
    pub(super) fn publish(mut self, file: &Path, replace: bool) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        if replace {
            fs::rename(&self.path, file)?;
        } else {
            // Unlike a new name, a second one takes no other file's place.
            fs::hard_link(&self.path, file)?;
            fs::remove_file(&self.path)?;
        }
        self.published = true;
        File::open(folder_of(file))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // What is wrong is said already.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes drafts of a file that no process holds: each is as large as the database.
fn sweep(folder: &Path, name: &str) -> io::Result<()> {
    let begin = format!(".{}", name.split_once(KEPT).map_or(name, |(database, _)| database));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_draft = name.to_str().is_some_and(|name| {
            let number = name.rsplit_once(SUFFIX).map(|(_, number)| number);
            name.starts_with(&begin) && number.is_some_and(|number| number.parse::<u32>().is_ok())
        });
        if is_draft
            && let Ok(draft) = OpenOptions::new().write(true).open(entry.path())
            && draft.try_lock().is_ok()
        {
            // Where that is refused, it is no obstacle.
            fs::remove_file(entry.path()).ok();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_draft_is_swept_once_nobody_writes_it_and_no_other_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db.before-restore-2");
        for name in [".a.db.before-restore-1.part-1", ".a.db.part-7", ".a.db.part-x", ".b.db.part-1", "a.db"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let first = Draft::new(&file).unwrap();
        let second = Draft::new(&file).unwrap();
        assert_eq!(
            names(folder.path()),
            [".a.db.before-restore-2.part-1", ".a.db.before-restore-2.part-2", ".a.db.part-x", ".b.db.part-1", "a.db"]
        );
        second.publish(&file, false).unwrap();
        drop(first);
        assert_eq!(names(folder.path()), [".a.db.part-x", ".b.db.part-1", "a.db", "a.db.before-restore-2"]);
    }
}
