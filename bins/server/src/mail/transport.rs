//! How mail leaves.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        self, PoolConfig,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use tokio::{task::spawn_blocking, time::timeout};

use super::{letter::Letter, worker::AT_ONCE};
use crate::{
    config::{MailConfig, MailUrl, PublicUrl, SmtpTls, SmtpUrl},
    terminal,
};

/// How long handing over one mail may take, connecting included.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// How mail leaves.
pub enum Transport {
    /// To standard output.
    Console,
    /// Each into a file `msg_...eml` of this folder; a mail that is sent again replaces its file.
    Folder(PathBuf),
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("the mail server's name, or a certificate of `mail.ca`, can't be used for TLS")]
    Tls(#[source] smtp::Error),
    #[error("can't make the mail folder {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
}

/// Why a mail wasn't handed over. It names no address and quotes no server, as those quote addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFailure {
    /// Whether trying again is of no use.
    pub permanent: bool,
    pub why: String,
}

impl Transport {
    /// To be called on a runtime. An authority of the mail server's own is trusted beside the public ones.
    pub fn new(mail: &MailConfig, public_url: Option<&PublicUrl>) -> Result<Self, TransportError> {
        Ok(match &mail.url {
            MailUrl::Console => Self::Console,
            MailUrl::Folder(path) => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
                made.map_err(|source| TransportError::Folder { path: path.clone(), source })?;
                Self::Folder(path.clone())
            }
            MailUrl::Smtp(server) => Self::Smtp(smtp_transport(server, mail.ca.as_deref(), public_url)?),
        })
    }

    /// Hands a mail over.
    pub async fn send(&self, letter: &Letter, from: &Mailbox) -> Result<(), SendFailure> {
        if matches!(self, Self::Console) {
            terminal::say(framed(letter));
            return Ok(());
        }
        let message = letter.to_message(from).map_err(|error| SendFailure { permanent: true, why: error.to_string() })?;
        match self {
            Self::Console => Ok(()),
            Self::Folder(folder) => {
                let (folder, name, content) = (folder.clone(), letter.id.to_string(), message.formatted());
                let written = spawn_blocking(move || write_file(&folder, &name, &content)).await.map_err(io::Error::other);
                written.flatten().map_err(|error| SendFailure { permanent: false, why: format!("the mail folder: {error}") })
            }
            Self::Smtp(server) => match timeout(SEND_TIMEOUT, server.send(message)).await {
                Ok(sent) => sent.map(|_| ()).map_err(|error| SendFailure::of_smtp(&error)),
                Err(_) => Err(SendFailure { permanent: false, why: "the mail server took too long".to_owned() }),
            },
        }
    }
}

impl SendFailure {
    fn of_smtp(error: &smtp::Error) -> Self {
        let Some(code) = error.status() else {
            let why = if error.is_response() {
                "the mail server answered something that isn't SMTP".to_owned()
            } else {
                error.to_string()
            };
            return Self { permanent: false, why };
        };
        // Wanting a login, or refusing this one, says nothing against the mail: it can go once the operator has put that right.
        let login = matches!(u16::from(code), 530 | 534 | 535 | 538);
        let what = if login { "login" } else { "mail" };
        Self { permanent: error.is_permanent() && !login, why: format!("the mail server refused the {what} with code {code}") }
    }
}

fn smtp_transport(
    server: &SmtpUrl,
    ca: Option<&str>,
    public_url: Option<&PublicUrl>,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, TransportError> {
    let parameters = || {
        let builder = TlsParameters::builder(server.host.clone());
        let trusting = match ca {
            Some(ca) => builder.add_root_certificate(Certificate::from_pem(ca.as_bytes()).map_err(TransportError::Tls)?),
            None => builder,
        };
        trusting.build().map_err(TransportError::Tls)
    };
    let tls = match server.tls {
        SmtpTls::None => Tls::None,
        SmtpTls::Opportunistic => Tls::Opportunistic(parameters()?),
        SmtpTls::Required => Tls::Required(parameters()?),
        SmtpTls::Implicit => Tls::Wrapper(parameters()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
        .port(server.port)
        .tls(tls)
        .timeout(Some(SEND_TIMEOUT))
        .pool_config(PoolConfig::new().max_size(AT_ONCE.into()));
    if let Some((user, password)) = &server.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
    }
    // Large relays refuse clients that have no name.
    if let Some(name) = public_url.and_then(PublicUrl::domain) {
        builder = builder.hello_name(ClientId::Domain(name.to_owned()));
    }
    Ok(builder.build())
}

/// A mail as a person at the console reads it.
fn framed(letter: &Letter) -> String {
    let lines = letter.text.trim_end().lines().map(|line| format!("| {line}").trim_end().to_owned());
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("\n+-- mail to {} --\n| {}\n|\n{lines}\n+--\n", letter.to, letter.subject)
}

/// Puts a file there complete, readable by its owner alone.
fn write_file(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!(".{name}"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(draft, folder.join(format!("{name}.eml")))
}
