//! Verifies the certificate on standard input, by a portal's keys in a file:
//!
//! ```sh
//! curl -s https://portal.example.com/.well-known/tenantry-keys.json >keys.json
//! cargo run -p tenantry-certificate --example verify -- keys.json https://portal.example.com <certificate.txt
//! ```
//!
//! A third argument is the moment to verify it at, in seconds since 1970, instead of now.

#![expect(clippy::print_stdout, reason = "a program speaks on its terminal")]

use std::{
    env,
    error::Error,
    fs, io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tenantry_certificate::{Keys, Verifier};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(file), Some(issuer)) = (arguments.next(), arguments.next()) else {
        return Err("say which file has the keys, and which portal they are of".into());
    };
    let verifier = Verifier::new(Keys::from_jwks(&fs::read_to_string(file)?)?, issuer);
    let text = io::read_to_string(io::stdin())?;
    let now = match arguments.next() {
        Some(seconds) => UNIX_EPOCH + Duration::from_secs(seconds.parse()?),
        None => clock(),
    };

    let certificate = verifier.verify(text.trim(), now)?;
    let left = certificate.expires_at.duration_since(now).unwrap_or_default();
    println!(
        "{} of {} is active, activated by {}",
        certificate.project_id, certificate.tenant_slug, certificate.activation_code_id
    );
    println!("signed by {}, good for {} s more", certificate.key_id, left.as_secs());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program has a clock; the library is given the time")]
fn clock() -> SystemTime {
    SystemTime::now()
}
