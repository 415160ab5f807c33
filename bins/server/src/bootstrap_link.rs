//! The one-time link that makes the first operator, or one more owner where none can come in.

use tenantry_auth::{AuthPolicy, BootstrapLinkError, KeyRing, NewBootstrapLink, create_bootstrap_link};
use tenantry_domain::{BootstrapPurpose, Chain, Clock, Context, StoreError, SystemClock, SystemEntropy, ports::Store};
use tenantry_persistence::DatabaseStore;
use tracing::warn;

use crate::{
    config::Config,
    database::{self, DatabaseError},
    database_keys::{self, DatabaseKeysError},
    greeting::reachable,
    keys::{self, KeysError},
};

/// Why `bootstrap-link` prints none.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(
        "there is an operator already, who can make others: for a link that makes one more owner all the same, add --recover"
    )]
    OperatorExists,
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    DatabaseKeys(#[from] DatabaseKeysError),
    #[error("the link can't be stored")]
    Store(#[from] StoreError),
}

/// The address that whoever is to be an owner opens. It is a secret.
pub fn address(public_url: &str, link: &NewBootstrapLink) -> String {
    format!("{public_url}/bootstrap/{}", link.token.reveal())
}

/// A link for a server that starts and has no operator yet. One that can't be made doesn't keep a server from serving tenants.
pub async fn for_start<S: Store>(store: &S, cx: &Context<'_>, keys: &KeyRing, policy: &AuthPolicy) -> Option<NewBootstrapLink> {
    match create_bootstrap_link(store, cx, keys, policy, BootstrapPurpose::FirstOperator).await {
        Ok(link) => Some(link),
        Err(BootstrapLinkError::OperatorExists) => None,
        Err(BootstrapLinkError::Store(failure)) => {
            warn!(
                error = %Chain(&failure),
                "can't make a link for the first operator; `tenantry-server bootstrap-link` makes one"
            );
            None
        }
    }
}

/// A link on the configured database, for whoever sits at the server.
pub async fn make(config: &Config, recover: bool) -> Result<(String, NewBootstrapLink), LinkError> {
    let found = keys::find(&config.keys_file, config.environment)?;
    let store = database::open(&config.database).await?;
    let made = make_on(config, &store, found, recover).await;
    store.close().await;
    let made = made?;
    Ok((address(&config.http.public_url(reachable(config.http.bind)), &made), made))
}

async fn make_on(
    config: &Config,
    store: &DatabaseStore,
    found: Option<KeyRing>,
    recover: bool,
) -> Result<NewBootstrapLink, LinkError> {
    let keys = database_keys::found_or_made(config, found, store, &SystemEntropy).await?;
    let cx = Context::system(SystemClock.now(), &SystemEntropy);
    database_keys::admit(config, store, &cx, &keys).await?;
    let purpose = if recover { BootstrapPurpose::Recovery } else { BootstrapPurpose::FirstOperator };
    match create_bootstrap_link(store, &cx, &keys, &config.policy, purpose).await {
        Ok(link) => Ok(link),
        Err(BootstrapLinkError::OperatorExists) => Err(LinkError::OperatorExists),
        Err(BootstrapLinkError::Store(failure)) => Err(failure.into()),
    }
}
