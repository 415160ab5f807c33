//! `embedded-service [ADDRESS [DATABASE]]`: serves on ADDRESS, 127.0.0.1:8090 unless it says otherwise, and keeps everything in memory
//! unless there is a DATABASE.

use std::{env, error::Error};

use embedded_service::{hasher::KeyedHasher, routes::routes, service::Service};
use tenantry_domain::{KeyId, SystemClock, SystemEntropy, memory::MemoryStore, ports::Store};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    match arguments.next() {
        None => serve(&address, MemoryStore::new()).await,
        #[cfg(feature = "database")]
        Some(url) => serve(&address, embedded_service::database::open(&url).await?).await,
        #[cfg(not(feature = "database"))]
        Some(_) => Err("this build has no database: build it with the feature `database`".into()),
    }
}

async fn serve(address: &str, store: impl Store) -> Result<(), Box<dyn Error>> {
    let hasher = KeyedHasher::new(key()?, KeyId::parse("k1")?);
    let service = Service::new(store, hasher, SystemClock, SystemEntropy);
    let listener = TcpListener::bind(address).await?;
    announce(&format!("listening on http://{}", listener.local_addr()?));
    Ok(axum::serve(listener, routes(service)).await?)
}

#[expect(clippy::print_stdout, reason = "whoever started it reads where it listens")]
fn announce(line: &str) {
    println!("{line}");
}

/// The key that codes are found by: 32 bytes, in hexadecimal digits, from `CODE_KEY`.
fn key() -> Result<[u8; 32], Box<dyn Error>> {
    let digits = env::var("CODE_KEY").map_err(|_| "set CODE_KEY to 64 hexadecimal digits: openssl rand -hex 32")?;
    let key = blake3::Hash::from_hex(digits).map_err(|_| "CODE_KEY must be 64 hexadecimal digits")?;
    Ok(*key.as_bytes())
}
