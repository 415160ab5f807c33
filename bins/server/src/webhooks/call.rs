//! One call of a webhook: the name is resolved once, its addresses are checked, and the connection goes to one of them. There is no proxy, no
//! redirect that is followed, no cookie, and no connection that is used twice.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tenantry_domain::WebhookUrl;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName},
};
use url::{Host, Url};

use super::addresses::{Resolver, is_public};

/// How long a call may take, from the name to the end of the answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// So much of an answer is read at the most, head and body each, and thrown away.
const ANSWER: usize = 16 * 1024;

/// What may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRules {
    /// Also what isn't reachable for everybody.
    pub allow_private: bool,
    /// Not without TLS.
    pub https_only: bool,
}

/// Why nobody can be called.
#[derive(Debug, thiserror::Error)]
#[error("webhooks can't be called by TLS")]
pub struct CallerError(#[from] rustls::Error);

/// Calls webhooks.
pub struct Caller {
    rules: CallRules,
    resolver: Arc<dyn Resolver>,
    tls: TlsConnector,
}

/// What is sent beside the body.
pub struct Headers {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    /// In whose trace it is called.
    pub traceparent: Option<String>,
}

/// Why a call got no answer. It names no address and quotes nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    #[error("the address can't be called")]
    Unusable,
    #[error("the address isn't https")]
    Insecure,
    #[error("the name has no address")]
    Unresolved,
    #[error("the address isn't one that everybody can reach")]
    NotPublic,
    #[error("nobody could be connected to")]
    Unreachable,
    #[error("the certificate, or what else TLS needs, was not accepted")]
    Tls,
    #[error("the answer wasn't HTTP")]
    NotHttp,
    #[error("it took longer than {} s", CALL_TIMEOUT.as_secs())]
    TimedOut,
}

impl Caller {
    pub fn new(rules: CallRules, resolver: Arc<dyn Resolver>) -> Result<Self, CallerError> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { rules, resolver, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends a message, and answers the status that it got.
    pub async fn call(&self, url: &WebhookUrl, headers: &Headers, body: &[u8]) -> Result<StatusCode, CallFailure> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        let response = timeout_at(deadline, self.send(url, headers, body)).await.map_err(|_| CallFailure::TimedOut)??;
        let status = response.status();
        // The status has said all. The rest is only taken off the line, as far as that is cheap.
        let _ = timeout(deadline.saturating_duration_since(Instant::now()), read_away(response)).await;
        Ok(status)
    }

    async fn send(&self, url: &WebhookUrl, headers: &Headers, body: &[u8]) -> Result<Response<Incoming>, CallFailure> {
        let url = Url::parse(url.as_str()).map_err(|_| CallFailure::Unusable)?;
        let https = url.scheme() == "https";
        if self.rules.https_only && !https {
            return Err(CallFailure::Insecure);
        }
        let host = url.host().ok_or(CallFailure::Unusable)?;
        let port = url.port_or_known_default().ok_or(CallFailure::Unusable)?;
        let request = request(&url, headers, body).ok_or(CallFailure::Unusable)?;
        let stream = connect(&self.addresses(&host, port).await?).await?;
        if !https {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(host_name(&host)).map_err(|_| CallFailure::Unusable)?;
        let stream = self.tls.connect(name, stream).await.map_err(|_| CallFailure::Tls)?;
        exchange(stream, request).await
    }

    /// Where the host is, all of it checked: one address that may not be called refuses the others.
    async fn addresses(&self, host: &Host<&str>, port: u16) -> Result<Vec<SocketAddr>, CallFailure> {
        let addresses = match *host {
            Host::Ipv4(address) => vec![SocketAddr::new(IpAddr::V4(address), port)],
            Host::Ipv6(address) => vec![SocketAddr::new(IpAddr::V6(address), port)],
            Host::Domain(name) => self.resolver.resolve(name, port).await.map_err(|_| CallFailure::Unresolved)?,
        };
        if addresses.is_empty() {
            return Err(CallFailure::Unresolved);
        }
        if !self.rules.allow_private && !addresses.iter().all(|address| is_public(address.ip())) {
            return Err(CallFailure::NotPublic);
        }
        Ok(addresses)
    }
}

fn host_name(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => (*name).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

fn request(url: &Url, headers: &Headers, body: &[u8]) -> Option<Request<Full<Bytes>>> {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let authority = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str()?),
        None => url.host_str()?.to_owned(),
    };
    let request = Request::post(target)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("Tenantry/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &headers.id)
        .header("webhook-timestamp", &headers.timestamp)
        .header("webhook-signature", &headers.signature);
    let request = match &headers.traceparent {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    };
    request.body(Full::new(Bytes::copy_from_slice(body))).ok()
}

/// Connects to the first that answers.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, CallFailure> {
    for &address in addresses {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(CallFailure::Unreachable)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|_| CallFailure::NotHttp)?;
    // It ends when the answer is read or dropped; the connection with it.
    tokio::spawn(async move {
        let _ = timeout(CALL_TIMEOUT, connection).await;
    });
    sender.send_request(request).await.map_err(|_| CallFailure::NotHttp)
}

async fn read_away(response: Response<Incoming>) {
    let mut body = response.into_body();
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read >= ANSWER {
            return;
        }
    }
}
