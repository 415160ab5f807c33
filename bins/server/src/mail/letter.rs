//! What a mail says: templates/mail/, filled in.

use askama::Template;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
};
use tenantry_auth::OtpMail;
use tenantry_domain::{MessageId, OutboxMessage, Timestamp};
use time::macros::format_description;

use super::brand::Brand;

/// A mail. It says the same each time it is sent, its Message-ID included, so that a second copy can be told from a second mail.
pub struct Letter {
    /// The message of the outbox that it is made of.
    pub id: MessageId,
    /// To whom.
    pub to: Address,
    pub subject: String,
    /// The same as `html`, for whom that is nothing.
    pub text: String,
    html: String,
    written_at: Timestamp,
}

/// Why there is no mail.
#[derive(Debug, PartialEq, Eq)]
pub enum NoLetter {
    /// A decoy: nobody waits for it.
    Decoy,
    /// Mail can't be addressed to it.
    BadAddress,
    /// The template fails.
    Unwritable(String),
}

/// What a sign-in mail is made of. Values are one line each; HTML escapes them.
struct Otp<'a> {
    brand: &'a Brand,
    subject: &'a str,
    account: &'a str,
    portal: &'a str,
    code: &'a str,
    validity: &'a str,
    until: &'a str,
}

#[derive(Template)]
#[template(path = "mail/otp.txt")]
struct OtpText<'a> {
    mail: &'a Otp<'a>,
}

#[derive(Template)]
#[template(path = "mail/otp.html")]
struct OtpHtml<'a> {
    mail: &'a Otp<'a>,
}

impl Letter {
    /// The mail that carries a one-time password. Its subject doesn't: phones show subjects while they are locked.
    pub fn otp(message: &OutboxMessage, mail: &OtpMail, brand: &Brand, portal: &str) -> Result<Self, NoLetter> {
        let to = mail.to.as_ref().ok_or(NoLetter::Decoy)?;
        let to: Address = to.as_str().parse().map_err(|_| NoLetter::BadAddress)?;
        let minutes = (mail.expires_at - message.created_at).whole_seconds().max(0).unsigned_abs().div_ceil(60);
        let until =
            mail.expires_at.as_offset_date_time().format(format_description!("[hour]:[minute] UTC on [year]-[month]-[day]"));
        let account = one_line(&mail.account_name);
        let subject = format!("Sign-in code for {account}");
        let otp = Otp {
            brand,
            subject: &subject,
            account: &account,
            portal,
            code: &one_line(&mail.otp),
            validity: &format!("{minutes} {}", if minutes == 1 { "minute" } else { "minutes" }),
            until: &until.unwrap_or_else(|_| mail.expires_at.to_string()),
        };
        let unwritable = |error: askama::Error| NoLetter::Unwritable(error.to_string());
        let text = OtpText { mail: &otp }.render().map_err(unwritable)?;
        let html = OtpHtml { mail: &otp }.render().map_err(unwritable)?;
        Ok(Self { id: message.id, to, subject, text, html, written_at: message.created_at })
    }

    /// The mail as it goes over the wire.
    pub fn to_message(&self, from: &Mailbox) -> Result<Message, lettre::error::Error> {
        Message::builder()
            .message_id(Some(format!("<{}@{}>", self.id, from.email.domain())))
            .date(self.written_at.as_offset_date_time().into())
            .from(from.clone())
            .to(Mailbox::new(None, self.to.clone()))
            .subject(self.subject.clone())
            // Holiday replies and the like shall not come back.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .header(MIME_VERSION_1_0)
            .multipart(
                // Else each sending would draw its own.
                MultiPart::alternative()
                    .boundary(self.id.to_string())
                    .singlepart(SinglePart::plain(self.text.clone()))
                    .singlepart(SinglePart::html(self.html.clone())),
            )
    }
}

/// A text that ends no header and adds no line to a body.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{Cause, Email, HexColor, Id, KeyId, SealedPayload, SeededEntropy};
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::mail::brand::Support;

    fn message() -> OutboxMessage {
        let now = Timestamp::new(datetime!(2026-03-01 09:58:30 UTC));
        OutboxMessage {
            id: Id::generate(now, &SeededEntropy::new(1)),
            topic: OtpMail::TOPIC.to_owned(),
            payload: SealedPayload { key_id: KeyId::parse("k1").unwrap(), bytes: Vec::new() },
            available_at: now,
            not_after: None,
            attempts: 1,
            forgiven: 0,
            cause: Cause::default(),
            created_at: now,
        }
    }

    fn mail(name: &str) -> OtpMail {
        OtpMail {
            to: Some(Email::parse("ops@acme.example").unwrap()),
            account_name: name.to_owned(),
            otp: "042137".to_owned(),
            expires_at: message().created_at + Duration::minutes(10),
        }
    }

    fn brand() -> Brand {
        let support = Support::parse("https://portal.example/help?a=1&b=2");
        Brand { name: "Portal & Sons".to_owned(), color: HexColor::parse("#ffcc00").unwrap(), support }
    }

    fn raw(letter: &Letter) -> String {
        let from = "Portal <no-reply@portal.example>".parse().unwrap();
        String::from_utf8(letter.to_message(&from).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_mail_has_the_headers_that_it_should() {
        let letter = Letter::otp(&message(), &mail("Acme"), &brand(), "https://portal.example").unwrap();
        let raw = raw(&letter);
        for header in [
            &format!("Message-ID: <{}@portal.example>\r\n", message().id),
            "Date: Sun, 01 Mar 2026 09:58:30 +0000\r\n",
            "From: Portal <no-reply@portal.example>\r\n",
            "To: ops@acme.example\r\n",
            "Subject: Sign-in code for Acme\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(raw.contains(header), "{header}\n{raw}");
        }
        assert_eq!(raw.matches("042137").count(), 2, "once a form");
    }

    #[test]
    fn the_code_stands_on_a_line_of_its_own_and_not_in_the_subject() {
        let letter = Letter::otp(&message(), &mail("Acme"), &brand(), "https://portal.example").unwrap();
        assert!(!letter.subject.contains("042137"));
        assert!(letter.text.lines().any(|line| line == "042137"));
        assert!(letter.text.contains("signs Acme in at https://portal.example:"));
        assert!(letter.text.contains("valid for 10 minutes, until 10:08 UTC on 2026-03-01, and works once"));
        assert!(letter.text.contains("If you did not ask for this, ignore it"));
    }

    #[test]
    fn both_forms_say_whose_mail_it_is_and_html_escapes_it() {
        let letter = Letter::otp(&message(), &mail("<b>Acme</b> \"&\""), &brand(), "https://portal.example/?a=1&b=2").unwrap();
        assert!(letter.text.ends_with("\n-- \nPortal & Sons\nHelp: https://portal.example/help?a=1&b=2"), "{}", letter.text);
        assert!(letter.text.contains("signs <b>Acme</b> \"&\" in at https://portal.example/?a=1&b=2:"));
        for part in [
            "Portal &#38; Sons",
            "&#60;b&#62;Acme&#60;/b&#62; &#34;&#38;&#34;",
            "background:#ffcc00;color:#000000",
            ">042137</p>",
        ] {
            assert!(letter.html.contains(part), "{part}\n{}", letter.html);
        }
        for page in ["https://portal.example/?a=1&#38;b=2", "https://portal.example/help?a=1&#38;b=2"] {
            assert!(letter.html.contains(&format!("<a href=\"{page}\">{page}</a>")), "{page}\n{}", letter.html);
        }
        assert!(!letter.html.contains("<img") && !letter.html.contains("<script"), "nothing is loaded from elsewhere");
    }

    #[test]
    fn the_same_message_is_the_same_mail_each_time() {
        let letter = || raw(&Letter::otp(&message(), &mail("Acme"), &brand(), "https://portal.example").unwrap());
        assert_eq!(letter(), letter());
    }

    #[test]
    fn no_name_adds_a_header_or_a_line() {
        let letter =
            Letter::otp(&message(), &mail("Acme\r\nBcc: eve@evil.example\r\n\r\n999999\u{2028}"), &brand(), "https://p.example")
                .unwrap();
        let raw = raw(&letter);
        let headers = raw.split("\r\n\r\n").next().unwrap();
        assert!(!headers.contains("\r\nBcc"), "{headers}");
        assert!(!letter.text.lines().any(|line| line == "999999"));
        assert_eq!(letter.to_message(&"a@b.example".parse().unwrap()).unwrap().envelope().to().len(), 1);
    }

    #[test]
    fn a_name_in_any_script_arrives() {
        let letter = Letter::otp(&message(), &mail("Żółw & 会社"), &brand(), "https://portal.example").unwrap();
        let raw = raw(&letter);
        assert!(raw.is_ascii() && raw.contains("Subject: Sign-in code for =?utf-8?b?"), "{raw}");
    }

    #[test]
    fn a_decoy_is_no_mail() {
        let decoy = OtpMail { to: None, ..mail("") };
        assert_eq!(Letter::otp(&message(), &decoy, &brand(), "https://portal.example").err(), Some(NoLetter::Decoy));
    }
}
