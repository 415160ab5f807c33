//! The mail server of the tests: aiosmtpd, which others wrote, so that what arrives is what a real server would take.

use std::{
    fs, io,
    io::Read,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mail_parser::MessageParser;
use tenantry_auth::PlainOtp;
use tokio::sync::Mutex;

use crate::{
    leaks,
    process::{Process, Signal, free_port},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// One message as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The addresses of the envelope: who really gets it.
    pub recipients: Vec<String>,
    /// The address in the `To` header; empty without one.
    pub to: String,
    /// The decoded subject.
    pub subject: String,
    /// `Message-ID` without its angle brackets.
    pub message_id: String,
    /// The decoded plain text body.
    pub text: String,
    /// The message as it was stored, headers and all.
    pub raw: String,
}

/// A running aiosmtpd that keeps every message in a folder of its own.
pub struct MailServer {
    folder: PathBuf,
    port: u16,
    process: Mutex<Process>,
    tls: Option<Tls>,
}

/// How a mail server of the tests protects its connections: with a certificate of its own, which nobody knows who isn't told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// By STARTTLS, without which it takes nothing.
    Required,
    /// From the first byte.
    Implicit,
}

impl MailServer {
    /// Starts a mail server on 127.0.0.1. It ends when dropped.
    pub async fn start() -> Self {
        Self::start_as(None).await
    }

    /// Starts one that speaks TLS, as `localhost`.
    pub async fn start_with(tls: Tls) -> Self {
        Self::start_as(Some(tls)).await
    }

    async fn start_as(tls: Option<Tls>) -> Self {
        let folder = tempfile::Builder::new().prefix("tenantry-mail-").tempdir().expect("a temporary folder").keep();
        if tls.is_some() {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
            fs::write(folder.join("certificate.pem"), made.cert.pem()).expect("the folder is writable");
            fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("the folder is writable");
        }
        for _ in 0..5 {
            let port = free_port();
            let server = Self { process: Mutex::new(aiosmtpd(&folder, port, tls)), folder: folder.clone(), port, tls };
            match server.until_ready().await {
                Ok(()) => return server,
                Err(logs) if logs.contains("address already in use") => {
                    server.process.lock().await.end(Signal::Kill, PATIENCE).await;
                }
                Err(logs) if logs.contains("No module named") => panic!(
                    "aiosmtpd is missing: install the package `python3-aiosmtpd` (on Debian: apt-get install python3-aiosmtpd), \
                     or run scripts/test, which does so\n{logs}"
                ),
                Err(logs) => panic!("aiosmtpd does not start:\n{logs}"),
            }
        }
        panic!("no free port for aiosmtpd in five tries");
    }

    /// For `TENANTRY__MAIL__URL`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The certificate by which it is known, where it speaks TLS.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that has arrived for `recipient`, oldest first.
    pub fn received(&self, recipient: &str) -> Vec<Mail> {
        let mut mails = self.all();
        mails.retain(|mail| mail.recipients.iter().any(|address| address == recipient));
        mails
    }

    /// Everything that has arrived, oldest first.
    pub fn all(&self) -> Vec<Mail> {
        let mut files: Vec<_> = match fs::read_dir(self.folder.join("box/new")) {
            Ok(files) => files.map(|file| file.expect("the mail folder is readable").path()).collect(),
            // aiosmtpd makes it before it listens; between the two there is nothing to read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("the mail folder is not readable: {error}"),
        };
        files.sort_by_key(|file| arrival(file));
        let mails: Vec<_> = files.iter().map(|file| parse(&fs::read(file).expect("a mail is readable"))).collect();
        let lines = mails.iter().flat_map(|mail| mail.text.lines()).map(str::trim);
        lines.filter(|line| PlainOtp::parse(line).is_ok()).for_each(leaks::remember);
        mails
    }

    /// Waits until at least `count` messages have arrived for `recipient`, and gives all of them, oldest first. Panics after `within`.
    pub async fn wait_for(&self, recipient: &str, count: usize, within: Duration) -> Vec<Mail> {
        let deadline = Instant::now() + within;
        loop {
            let mails = self.received(recipient);
            if mails.len() >= count {
                return mails;
            }
            assert!(Instant::now() < deadline, "{} of {count} mails for {recipient} after {within:?}: {mails:#?}", mails.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the server: connections are refused until [`MailServer::start_again`]. What has arrived stays.
    pub async fn stop(&self) {
        self.process.lock().await.end(Signal::Kill, PATIENCE).await;
    }

    /// Starts it again on the same port and folder.
    pub async fn start_again(&self) {
        *self.process.lock().await = aiosmtpd(&self.folder, self.port, self.tls);
        self.until_ready().await.unwrap_or_else(|logs| panic!("aiosmtpd does not start again:\n{logs}"));
    }

    /// Freezes the server: connections are taken, and nothing is answered until [`MailServer::thaw`].
    pub async fn freeze(&self) {
        self.process.lock().await.signal(Signal::Stop);
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.process.lock().await.signal(Signal::Cont);
    }

    /// `Err` with the logs when aiosmtpd ended instead, or is not ready in time.
    async fn until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if greets(self.port, self.tls == Some(Tls::Implicit)) {
                return Ok(());
            }
            let mut process = self.process.lock().await;
            if process.exit_code().is_some() || Instant::now() >= deadline {
                process.wait(Duration::from_secs(1)).await;
                return Err(process.logs());
            }
            drop(process);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn aiosmtpd(folder: &Path, port: u16, tls: Option<Tls>) -> Process {
    // Debian's package belongs to Debian's Python, which need not be the first on the path.
    let debian = Path::new("/usr/bin/python3");
    let python = if debian.is_file() { debian } else { Path::new("python3") };
    let mut command = Process::command(python, Signal::Kill, Some(folder));
    command.args(["-m", "aiosmtpd", "--nosetuid", "--class", "aiosmtpd.handlers.Mailbox"]);
    command.arg(folder.join("box")).args(["--listen", &format!("127.0.0.1:{port}")]);
    if let Some(tls) = tls {
        let [certificate, key] = match tls {
            Tls::Required => ["--tlscert", "--tlskey"],
            Tls::Implicit => ["--smtpscert", "--smtpskey"],
        };
        command.arg(certificate).arg(folder.join("certificate.pem")).arg(key).arg(folder.join("key.pem"));
    }
    Process::start(command)
}

/// Whether an SMTP server says its greeting, or, where it waits for TLS first, takes a connection.
fn greets(port: u16, silent: bool) -> bool {
    let patience = Duration::from_secs(1);
    let mut greeting = [0; 3];
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), patience)
        .and_then(|mut stream| {
            stream.set_read_timeout(Some(patience))?;
            if silent { Ok(()) } else { stream.read_exact(&mut greeting) }
        })
        .is_ok_and(|()| silent || greeting == *b"220")
}

/// A file in a maildir is named `<seconds>.M<microseconds>P<process>Q<number>.<host>`, the numbers without leading zeros.
fn arrival(file: &Path) -> Option<(u64, u64)> {
    let (seconds, rest) = file.file_name()?.to_str()?.split_once(".M")?;
    Some((seconds.parse().ok()?, rest.split_once('P')?.0.parse().ok()?))
}

fn parse(raw: &[u8]) -> Mail {
    let message = MessageParser::default().parse(raw).expect("a mail can be parsed");
    // aiosmtpd writes the envelope down in headers of its own, at the end; a sender's forgery would stand before it.
    let envelope = message.headers_raw().filter(|(name, _)| *name == "X-RcptTo").last().map_or("", |(_, value)| value);
    Mail {
        recipients: envelope.split(',').map(|address| address.trim().to_owned()).filter(|address| !address.is_empty()).collect(),
        to: message.to().and_then(|to| to.first()).and_then(|to| to.address()).unwrap_or_default().to_owned(),
        subject: message.subject().unwrap_or_default().to_owned(),
        message_id: message.message_id().unwrap_or_default().to_owned(),
        text: message.body_text(0).unwrap_or_default().into_owned(),
        raw: String::from_utf8_lossy(raw).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpStream,
        time::Duration,
    };

    use super::{MailServer, parse};

    /// Says each line and reads each answer: enough SMTP to hand one message in.
    fn hand_in(port: u16, lines: &[&str]) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
        answers.next().unwrap().unwrap();
        for line in lines {
            write!(stream, "{line}\r\n").unwrap();
            let answer = answers.next().unwrap().unwrap();
            assert!(answer.starts_with(['2', '3']), "{line}: {answer}");
        }
    }

    #[tokio::test]
    async fn mail_is_told_apart_by_its_envelope_and_outlives_a_restart() {
        let server = MailServer::start().await;
        let message = "To: a@tenant.example\r\nSubject: One\r\nMessage-ID: <1@tenantry.example>\r\n\r\n012345\r\n.";
        let lines =
            ["HELO test", "MAIL FROM:<s@x.example>", "RCPT TO:<a@tenant.example>", "RCPT TO:<b@tenant.example>", "DATA", message];
        hand_in(server.port, &lines);
        let mails = server.wait_for("b@tenant.example", 1, Duration::from_secs(10)).await;
        assert_eq!((mails[0].to.as_str(), mails[0].message_id.as_str()), ("a@tenant.example", "1@tenantry.example"));
        assert_eq!(mails[0].text.trim_end(), "012345");

        server.stop().await;
        assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
        server.start_again().await;
        hand_in(server.port, &lines);
        assert_eq!(server.wait_for("a@tenant.example", 2, Duration::from_secs(10)).await.len(), 2);
        assert_eq!(server.received("s@x.example"), []);
    }

    #[test]
    fn bodies_and_subjects_are_decoded_and_a_forged_envelope_is_ignored() {
        let head =
            "X-RcptTo: forged@x.example\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain; charset=utf-8\r\n";
        let tail = "X-RcptTo: real@x.example\r\n\r\n";
        let quoted = parse(format!("{head}Content-Transfer-Encoding: quoted-printable\r\n{tail}f=C3=BCr =\r\ndich").as_bytes());
        let base64 = parse(format!("{head}Content-Transfer-Encoding: base64\r\n{tail}ZsO8ciBkaWNo\r\n").as_bytes());
        for mail in [quoted, base64] {
            assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("Grüße", "für dich"));
            assert_eq!(mail.recipients, ["real@x.example"]);
        }
    }
}
