//! `keys`: what the key ring has, and its rotation in two steps, so that no server meets what was made by a key that it doesn't know.

use tenantry_auth::{KeyRing, KeyRingError};
use tenantry_domain::{
    Chain, Clock as _, Context, Entropy, InvalidValue, KeyId, SigningKey, StoreError, SystemClock, SystemEntropy,
};
use tenantry_persistence::{ConnectError, DatabaseStore, KeyInUse, Options};
use zeroize::Zeroizing;

use crate::{
    config::Config,
    database::{self, DatabaseError},
    database_keys::{self, DatabaseKeysError},
    keys::{self, KeysError},
    terminal,
};

/// Why the keys can't be listed or rotated. The key ring is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error(
        "the key {0} waits already: once every server has this key ring and was restarted, run `tenantry-server keys promote`"
    )]
    Waiting(KeyId),
    #[error("no key waits to sign: `tenantry-server keys rotate` adds one")]
    NoneWaits,
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("the new key ring could not be read back")]
    Ring(#[from] KeyRingError),
    #[error("the new key has no name")]
    Name(#[from] InvalidValue),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    DatabaseKeys(#[from] DatabaseKeysError),
    #[error("can't see what needs the keys")]
    Store(#[from] StoreError),
}

/// Says which keys there are, what each does, by which name its certificates go, and which rows need it.
pub async fn list(config: &Config) -> Result<(), RotationError> {
    let ring = keys::check(&config.keys_file, config.environment)?;
    let options = Options { max_connections: 1, ..Options::new(config.database.url.reveal()) };
    let store = DatabaseStore::connect(&options).await?;
    let compared = database_keys::compare(config, &store, &ring).await;
    let used = async { store.inspect().await?.keys_in_use(SystemClock.now()).await }.await;
    store.close().await;
    for line in lines(&ring, &used?) {
        terminal::say(line);
    }
    if let Err(foreign) = compared {
        terminal::remark(format!("{}.", Chain(&foreign)));
    }
    terminal::remark(
        "Sessions and API keys aren't counted: they go over to the key that signs when they are used. A kid is the key's name in certificates and \
         in /.well-known/tenantry-keys.json.",
    );
    Ok(())
}

/// A line a key, those that the ring lacks last.
fn lines(ring: &KeyRing, used: &[KeyInUse]) -> Vec<String> {
    let needed = |id: &KeyId| {
        let rows: Vec<_> =
            used.iter().filter(|used| used.key_id == *id).map(|used| format!("{} {}", used.rows, used.rows_of)).collect();
        if rows.is_empty() { "needed by nothing that is counted".to_owned() } else { format!("needed by {}", rows.join(", ")) }
    };
    let does = |id: &KeyId| match id {
        id if id == ring.signing_key_id() => "signs",
        id if Some(id) == ring.waiting_key_id() => "waits",
        _ => "verifies",
    };
    let mut missing: Vec<_> = used.iter().map(|used| &used.key_id).filter(|id| !ring.has(id)).collect();
    missing.dedup();
    missing.sort();
    missing.dedup();
    let line = |id: &KeyId, does: &str| {
        let kid = ring.certificate_key(id).map_or("unknown", |key| key.key_id.as_str());
        format!("{:16} {does:9} kid {kid:43} {}", id.as_str(), needed(id))
    };
    ring.key_ids().map(|id| line(id, does(id))).chain(missing.into_iter().map(|id| line(id, "missing"))).collect()
}

/// The keys that the database knows; `None`, which is said, where it can't be looked at: a ring may be rotated away from its database.
async fn known_to_the_database(config: &Config, text: &str) -> Result<Option<Vec<SigningKey>>, RotationError> {
    match database_keys::compare_if_reachable(config, &KeyRing::parse(text)?).await {
        Ok(known) => Ok(Some(known)),
        Err(DatabaseKeysError::Unseen(why)) => {
            terminal::remark(format!("The key ring was not held against the keys that the database knows: {why}."));
            Ok(None)
        }
        Err(foreign) => Err(foreign.into()),
    }
}

/// Adds a key that waits.
pub async fn rotate(config: &Config) -> Result<(), RotationError> {
    let text = keys::read(&config.keys_file, config.environment)?;
    known_to_the_database(config, &text).await?;
    let (id, rotated) = with_new_key(&text, &SystemEntropy)?;
    keys::replace(&config.keys_file, rotated.as_bytes(), &SystemEntropy)?;
    terminal::say(format!("The key {id} is in {} and waits: it verifies, and doesn't sign yet.", config.keys_file.display()));
    terminal::remark(
        "Copy the file to every server and restart them one after another. Then run `tenantry-server keys promote`. Back the file up, apart \
         from the database.",
    );
    Ok(())
}

/// Lets the key that waits sign.
pub async fn promote(config: &Config) -> Result<(), RotationError> {
    let text = keys::read(&config.keys_file, config.environment)?;
    let known = known_to_the_database(config, &text).await?;
    let (id, promoted) = with_waiting_key_signing(&text)?;
    keys::replace(&config.keys_file, promoted.as_bytes(), &SystemEntropy)?;
    terminal::say(format!("The key {id} signs, in {}.", config.keys_file.display()));
    terminal::remark(
        "Copy the file to every server and restart them one after another. The other keys go on to verify: keep them.",
    );
    if known.is_some_and(|known| !known.is_empty() && known.iter().all(|key| key.id != id)) {
        terminal::remark(format!(
            "No server was started with {id} while it waited. If there are several, each that starts now makes sessions, passwords and codes that the \
             others don't know: restart them all at once."
        ));
    }
    Ok(())
}

/// Lets the database take a key ring that has nothing in common with the one before.
pub async fn accept(config: &Config) -> Result<(), RotationError> {
    let ring = keys::check(&config.keys_file, config.environment)?;
    let store = database::open(&config.database).await?;
    let cx = Context::system(SystemClock.now(), &SystemEntropy);
    let accepted = database_keys::accept(config, &store, &cx, &ring).await;
    store.close().await;
    let accepted = accepted?;
    if accepted.is_empty() {
        terminal::say(format!("The database knows every key of {} already.", config.keys_file.display()));
        return Ok(());
    }
    let names = accepted.iter().map(KeyId::as_str).collect::<Vec<_>>().join(", ");
    terminal::say(format!("The database knows {names} of {} from now on.", config.keys_file.display()));
    terminal::remark(
        "What was made with other keys stays unknown until they are put back: `tenantry-server doctor` says how much that is. Reissue codes, and make \
         API keys and webhooks' secrets anew.",
    );
    Ok(())
}

/// A key ring's text with a new key on top, which waits.
fn with_new_key(text: &str, entropy: &dyn Entropy) -> Result<(KeyId, Zeroizing<String>), RotationError> {
    let ring = KeyRing::parse(text)?;
    if let Some(waiting) = ring.waiting_key_id() {
        return Err(RotationError::Waiting(waiting.clone()));
    }
    let numbers = ring.key_ids().filter_map(|id| id.as_str().strip_prefix('k')?.parse::<u32>().ok());
    let id = KeyId::parse(&format!("k{}", numbers.max().unwrap_or(0).saturating_add(1)))?;
    let line = KeyRing::generate_line(&id, entropy);
    let rotated = Zeroizing::new(format!("{}{}{text}", KeyRing::WAITS, line.as_str()));
    KeyRing::parse(&rotated)?;
    Ok((id, rotated))
}

/// A key ring's text with the key that waits free to sign; all else as it was.
fn with_waiting_key_signing(text: &str) -> Result<(KeyId, Zeroizing<String>), RotationError> {
    let id = KeyRing::parse(text)?.waiting_key_id().cloned().ok_or(RotationError::NoneWaits)?;
    let mut promoted = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.lines() {
        let waiting = line.trim().strip_prefix(KeyRing::WAITS);
        let its = waiting.filter(|rest| rest.split_once(':').is_some_and(|(name, _)| name.trim() == id.as_str()));
        promoted.push_str(its.unwrap_or(line));
        promoted.push('\n');
    }
    KeyRing::parse(&promoted)?;
    Ok((id, promoted))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use tenantry_domain::SeededEntropy;

    use super::*;
    use crate::config::Environment;

    fn line(id: &str, seed: u64) -> String {
        KeyRing::generate_line(&KeyId::parse(id).unwrap(), &SeededEntropy::new(seed)).to_string()
    }

    #[test]
    fn a_rotation_adds_a_key_that_waits_and_then_lets_it_sign() {
        let text = format!("# ours\n{}\n{}", line("k7", 1), line("older", 2));
        let (id, rotated) = with_new_key(&text, &SeededEntropy::new(3)).unwrap();
        let ring = KeyRing::parse(&rotated).unwrap();
        assert_eq!((id.as_str(), ring.signing_key_id().as_str()), ("k8", "k7"));
        assert!(rotated.ends_with(&text), "what was there stays");
        assert!(matches!(with_new_key(&rotated, &SeededEntropy::new(4)), Err(RotationError::Waiting(waiting)) if waiting == id));
        let (promoted_id, promoted) = with_waiting_key_signing(&rotated).unwrap();
        assert_eq!(promoted_id, id);
        assert_eq!(promoted.trim_end(), rotated.strip_prefix('+').unwrap().trim_end());
        assert_eq!(KeyRing::parse(&promoted).unwrap().signing_key_id(), &id);
        assert!(matches!(with_waiting_key_signing(&promoted), Err(RotationError::NoneWaits)));
    }

    #[test]
    fn of_several_that_wait_the_oldest_is_next() {
        let text = format!("+{}+ {}{}", line("k3", 3), line("k2", 2), line("k1", 1));
        let (id, text) = with_waiting_key_signing(&text).unwrap();
        assert_eq!(id.as_str(), "k2");
        let (id, text) = with_waiting_key_signing(&text).unwrap();
        assert_eq!((id.as_str(), text.contains('+')), ("k3", false));
    }

    #[test]
    fn a_ring_is_replaced_whole_and_stays_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("keys"), folder.path().join("link"));
        fs::write(&path, line("k1", 1)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let (_, rotated) = with_new_key(&line("k1", 1), &SystemEntropy).unwrap();
        keys::replace(&link, rotated.as_bytes(), &SystemEntropy).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(keys::check(&path, Environment::Production).unwrap().waiting_key_id().is_some());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "a draft was left");
        assert!(keys::replace(&folder.path().join("missing"), b"", &SystemEntropy).is_err());
    }

    #[test]
    fn a_list_has_a_line_a_key_and_names_what_is_missing() {
        let ring = KeyRing::parse(&format!("+{}{}{}", line("k3", 3), line("k2", 2), line("k1", 1))).unwrap();
        let used =
            |id: &str, rows_of: &str, rows| KeyInUse { key_id: KeyId::parse(id).unwrap(), rows_of: rows_of.to_owned(), rows };
        let lines = lines(&ring, &[used("k1", "codes", 3), used("k0", "codes", 1), used("k1", "answers", 2)]);
        let words: Vec<Vec<_>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
        let kids = ["k3", "k2", "k1"].map(|id| &*ring.certificate_key(&KeyId::parse(id).unwrap()).unwrap().key_id);
        assert_eq!(words[0][..4], ["k3", "waits", "kid", kids[0]]);
        assert_eq!(words[1][..4], ["k2", "signs", "kid", kids[1]]);
        assert_eq!(words[2], ["k1", "verifies", "kid", kids[2], "needed", "by", "3", "codes,", "2", "answers"]);
        assert_eq!(words[3], ["k0", "missing", "kid", "unknown", "needed", "by", "1", "codes"]);
        let signs = ring.certificate_keys().next().unwrap();
        assert_eq!(kids[1], signs.key_id, "the first that is published is the one that signs");
    }
}
