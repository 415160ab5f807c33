//! The codes of an older portal: whether there are any, and whether they can be found.

use tenantry_auth::{KeyRing, LegacyScheme};
use tenantry_domain::{Chain, Clock, StoreError};
use tenantry_persistence::DatabaseStore;
use tracing::warn;

use crate::config::{Config, Key};

/// The key ring, with what the server knows of an older portal's codes.
///
/// With a pepper they are found by their texts. Without one, in a database that has some, the server says so, and takes their texts for codes
/// that it doesn't know rather than for mistyped ones.
pub async fn read_by(keys: KeyRing, config: &Config, store: &DatabaseStore, clock: &dyn Clock) -> KeyRing {
    match unfinished(store).await {
        Ok(portals) if portals.is_empty() => {}
        Ok(portals) => warn!(
            portals = portals.join(", "),
            "the adoption of an older portal hasn't come to its end: run `tenantry-migrator adopt --apply` again, unless it runs"
        ),
        Err(failure) => warn!(error = %Chain(&failure), "can't see whether an older portal was adopted to its end"),
    }
    if let Some(pepper) = &config.legacy_pepper {
        return keys.with_legacy(LegacyScheme::Peppered(pepper.clone()));
    }
    match usable(store, clock).await {
        Ok(None) => keys,
        Ok(Some(usable)) => {
            if usable > 0 {
                warn!(
                    codes = usable,
                    "codes that were adopted from an older portal are unknown by their texts: set {} to its pepper",
                    Key::KEYS_LEGACY_PEPPER
                );
            }
            keys.with_legacy(LegacyScheme::WithoutPepper)
        }
        Err(failure) => {
            warn!(error = %Chain(&failure), "can't see whether there are codes of an older portal");
            keys
        }
    }
}

/// The older portals whose adoption hasn't come to its end.
async fn unfinished(store: &DatabaseStore) -> Result<Vec<String>, StoreError> {
    store.inspect().await?.unfinished_adoptions().await
}

/// How many adopted codes could be used; `None` where no code was ever adopted.
async fn usable(store: &DatabaseStore, clock: &dyn Clock) -> Result<Option<u64>, StoreError> {
    let mut inspection = store.inspect().await?;
    match inspection.adopted().await?.iter().any(|count| count.kind == "code") {
        true => Ok(Some(inspection.usable_adopted_codes(clock.now()).await?)),
        false => Ok(None),
    }
}
