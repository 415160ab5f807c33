//! The key ring's file.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use tenantry_auth::{KeyRing, KeyRingError};
use tenantry_domain::{Entropy, InvalidValue, KeyId};
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::config::{Environment, Key};

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// In production it isn't made: beside a database that it doesn't belong to, a new one would be of no use.
    #[error(
        "the key ring {} is missing. Put the one there that your other servers use and your backup has, or name it with {}; for a new \
         installation make it with: (umask 077; printf 'k1:%s\\n' \"$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')\" > '{}')",
        path.display(), Key::KEYS_FILE.env_name(), path.display()
    )]
    Missing { path: PathBuf },
    /// Others can read it.
    #[error("others than its owner can read the key ring {0} (its mode is {mode:o}): run chmod 600 '{0}', and replace its keys if they may have been seen", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    /// It is no key ring.
    #[error("the key ring {} can't be used", path.display())]
    Unusable { path: PathBuf, source: KeyRingError },
    /// It can't be read.
    #[error("can't read the key ring {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It can't be made or changed.
    #[error("can't write the key ring {}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// The first key has no name; a defect.
    #[error(transparent)]
    Name(#[from] InvalidValue),
}

/// Reads the key ring. `None` where there is none and one may be made: in development.
pub fn find(path: &Path, environment: Environment) -> Result<Option<KeyRing>, KeysError> {
    match check(path, environment) {
        Err(KeysError::Missing { .. }) if environment == Environment::Development => Ok(None),
        found => found.map(Some),
    }
}

/// Reads the key ring, and refuses one that isn't safe enough for the environment.
pub fn check(path: &Path, environment: Environment) -> Result<KeyRing, KeysError> {
    let text = read(path, environment)?;
    KeyRing::parse(&text).map_err(|source| KeysError::Unusable { path: path.to_owned(), source })
}

/// Reads the text of a key ring that is safe enough for the environment.
pub fn read(path: &Path, environment: Environment) -> Result<Zeroizing<String>, KeysError> {
    let unreadable = |source| KeysError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KeysError::Missing { path: path.to_owned() }),
        file => file.map_err(unreadable)?,
    };
    if let Some(mode) = exposed(&file.metadata().map_err(unreadable)?) {
        let exposed = KeysError::Exposed { path: path.to_owned(), mode };
        if environment == Environment::Production {
            return Err(exposed);
        }
        warn!("{exposed}");
    }
    io::read_to_string(file).map(Zeroizing::new).map_err(unreadable)
}

/// The mode of a file that others than the server and root can read; `None` where it is well kept.
pub fn exposed(metadata: &fs::Metadata) -> Option<u32> {
    // Who this process is: nobody owns its entry but its user.
    let us = fs::metadata("/proc/self").map_or(0, |entry| entry.uid());
    let mode = metadata.permissions().mode() & 0o777;
    (!well_kept(mode, metadata.uid(), us)).then_some(mode)
}

/// A file of root's may be readable by a group, where the server isn't root: so does systemd hand credentials over, and Kubernetes secrets.
const fn well_kept(mode: u32, owner: u32, us: u32) -> bool {
    mode & 0o077 == 0 || (mode & 0o037 == 0 && owner == 0 && us != 0)
}

/// Puts another text in the place of a key ring's, complete and lasting or not at all: readable by its owner alone, who stays the same.
pub fn replace(path: &Path, content: &[u8], entropy: &dyn Entropy) -> Result<(), KeysError> {
    let replaced = || {
        // Where the path is a link, what it leads to is replaced.
        let path = fs::canonicalize(path)?;
        let before = fs::metadata(&path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let draft = draft_in(folder, entropy);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = file
            .write_all(content)
            .and_then(|()| match file.metadata()? {
                draft if (draft.uid(), draft.gid()) == (before.uid(), before.gid()) => Ok(()),
                _ => fchown(&file, Some(before.uid()), Some(before.gid())),
            })
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            // What is wrong is said already.
            fs::remove_file(&draft).ok();
        }
        written.and_then(|()| File::open(folder)?.sync_all())
    };
    replaced().map_err(|source| KeysError::Unwritable { path: path.to_owned(), source })
}

fn draft_in(folder: &Path, entropy: &dyn Entropy) -> PathBuf {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    folder.join(format!(".keys-{:016x}", u64::from_le_bytes(random)))
}

/// Makes a key ring where there is none, and reads the one that is there then.
pub fn make(path: &Path, environment: Environment, entropy: &dyn Entropy) -> Result<KeyRing, KeysError> {
    let line = KeyRing::generate_line(&KeyId::parse("k1")?, entropy);
    let made =
        create(path, line.as_bytes(), entropy).map_err(|source| KeysError::Unwritable { path: path.to_owned(), source })?;
    if made {
        info!(path = %path.display(), "made the key ring");
    }
    check(path, environment)
}

/// Creates a file, complete and lasting or not at all; `false` when another process was first, whose file stays.
fn create(path: &Path, content: &[u8], entropy: &dyn Entropy) -> io::Result<bool> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = draft_in(folder, entropy);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        linked => linked.map(|()| true),
    });
    fs::remove_file(&draft)?;
    File::open(folder)?.sync_all()?;
    written
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use tenantry_auth::ApiKeyToken;
    use tenantry_domain::{SeededEntropy, SystemEntropy};

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    /// What a server does that starts on a new database.
    fn load(path: &Path, environment: Environment, entropy: &dyn Entropy) -> Result<KeyRing, KeysError> {
        find(path, environment)?.map_or_else(|| make(path, environment, entropy), Ok)
    }

    #[test]
    fn the_first_start_makes_a_ring_that_its_owner_alone_can_read_and_the_second_keeps_it() {
        let folder = folder();
        let path = folder.path().join("new/data/keys");
        let token = ApiKeyToken::generate(&SeededEntropy::new(1));
        let first = load(&path, Environment::Development, &SystemEntropy).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let second = load(&path, Environment::Production, &SystemEntropy).unwrap();
        assert_eq!(first.token_digest(&token), second.token_digest(&token));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a draft was left");
    }

    #[test]
    fn of_servers_that_start_at_once_all_use_the_same_ring() {
        const SERVERS: usize = 16;
        let folder = folder();
        let path = folder.path().join("keys");
        let token = ApiKeyToken::generate(&SeededEntropy::new(1));
        let start = Barrier::new(SERVERS);
        let digests: Vec<_> = std::thread::scope(|scope| {
            let server = || {
                start.wait();
                make(&path, Environment::Production, &SystemEntropy).unwrap().token_digest(&token)
            };
            let servers: Vec<_> = (0..SERVERS).map(|_| scope.spawn(server)).collect();
            servers.into_iter().map(|server| server.join().unwrap()).collect()
        });
        assert!(digests.iter().all(|digest| *digest == digests[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a draft was left");
    }

    #[test]
    fn production_wants_a_ring_that_is_there_and_hidden_and_random() {
        let folder = folder();
        let path = folder.path().join("keys");
        let refusal = || load(&path, Environment::Production, &SystemEntropy).unwrap_err();
        let missing = refusal().to_string();
        assert!(missing.contains("is missing") && missing.contains("/dev/urandom") && !path.exists(), "{missing}");

        load(&path, Environment::Development, &SystemEntropy).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = refusal().to_string();
        assert!(exposed.contains("chmod 600") && exposed.contains("640"), "{exposed}");
        assert!(load(&path, Environment::Development, &SystemEntropy).is_ok());

        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "k1:c2hvcnQ", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(refusal(), KeysError::Unusable { .. }), "{text}");
            assert!(load(&path, Environment::Development, &SystemEntropy).is_err());
        }
    }

    #[test]
    fn a_group_reads_what_root_gave_it_and_nothing_else() {
        for (mode, owner, us, kept) in [
            (0o600, 7, 7, true),
            (0o400, 0, 0, true),
            (0o440, 0, 7, true),
            (0o640, 0, 7, true),
            (0o440, 7, 7, false),
            (0o440, 0, 0, false),
            (0o444, 0, 7, false),
            (0o460, 0, 7, false),
            (0o604, 0, 7, false),
        ] {
            assert_eq!(well_kept(mode, owner, us), kept, "{mode:o}, of {owner}, read by {us}");
        }
    }

    #[test]
    fn the_command_that_the_refusal_gives_makes_a_ring_that_is_accepted() {
        let folder = folder();
        let path = folder.path().join("keys");
        let refusal = check(&path, Environment::Production).unwrap_err().to_string();
        let command = refusal.split_once("make it with: ").unwrap().1;
        assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success());
        assert!(check(&path, Environment::Production).is_ok());
    }
}
