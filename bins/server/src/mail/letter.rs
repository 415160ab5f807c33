//! What a mail says.

use lettre::{
    Address, Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
};
use tenantry_auth::OtpMail;
use tenantry_domain::{MessageId, OutboxMessage, Timestamp};
use time::macros::format_description;

/// A mail. It says the same each time it is sent, its Message-ID included, so that a second copy can be told from a second mail.
pub struct Letter {
    /// The message of the outbox that it is made of.
    pub id: MessageId,
    /// To whom.
    pub to: Address,
    pub subject: String,
    pub text: String,
    written_at: Timestamp,
}

/// Why there is no mail.
#[derive(Debug, PartialEq, Eq)]
pub enum NoLetter {
    /// A decoy: nobody waits for it.
    Decoy,
    /// Mail can't be addressed to it.
    BadAddress,
}

impl Letter {
    /// The mail that carries a one-time password. Its subject doesn't: phones show subjects while they are locked.
    pub fn otp(message: &OutboxMessage, mail: &OtpMail, public_url: &str) -> Result<Self, NoLetter> {
        let to = mail.to.as_ref().ok_or(NoLetter::Decoy)?;
        let to: Address = to.as_str().parse().map_err(|_| NoLetter::BadAddress)?;
        let name = one_line(&mail.account_name);
        let minutes = (mail.expires_at - message.created_at).whole_seconds().max(0).unsigned_abs().div_ceil(60);
        let until =
            mail.expires_at.as_offset_date_time().format(format_description!("[hour]:[minute] UTC on [year]-[month]-[day]"));
        let until = until.unwrap_or_else(|_| mail.expires_at.to_string());
        let unit = if minutes == 1 { "minute" } else { "minutes" };
        let text = format!(
            "Hello,\n\
             \n\
             this code signs {name} in at {public_url}:\n\
             \n\
             {otp}\n\
             \n\
             It is valid for {minutes} {unit}, until {until}, and works once.\n\
             \n\
             If you did not ask for this, ignore it: nobody can sign in without the code.\n\
             Give the code to nobody; we will never ask you for it.\n",
            otp = one_line(&mail.otp),
        );
        Ok(Self { id: message.id, to, subject: format!("Sign-in code for {name}"), text, written_at: message.created_at })
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
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.clone())
    }
}

/// A text that ends no header and adds no line to a body.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{Email, Id, KeyId, SealedPayload, SeededEntropy};
    use time::{Duration, macros::datetime};

    use super::*;

    fn message() -> OutboxMessage {
        let now = Timestamp::new(datetime!(2026-03-01 09:58:30 UTC));
        OutboxMessage {
            id: Id::generate(now, &SeededEntropy::new(1)),
            topic: OtpMail::TOPIC.to_owned(),
            payload: SealedPayload { key_id: KeyId::parse("k1").unwrap(), bytes: Vec::new() },
            available_at: now,
            not_after: None,
            attempts: 1,
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

    fn raw(letter: &Letter) -> String {
        let from = "Portal <no-reply@portal.example>".parse().unwrap();
        String::from_utf8(letter.to_message(&from).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_mail_has_the_headers_that_it_should() {
        let letter = Letter::otp(&message(), &mail("Acme"), "https://portal.example").unwrap();
        let raw = raw(&letter);
        for header in [
            &format!("Message-ID: <{}@portal.example>\r\n", message().id),
            "Date: Sun, 01 Mar 2026 09:58:30 +0000\r\n",
            "From: Portal <no-reply@portal.example>\r\n",
            "To: ops@acme.example\r\n",
            "Subject: Sign-in code for Acme\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
        ] {
            assert!(raw.contains(header), "{header}\n{raw}");
        }
        assert_eq!(raw.matches("042137").count(), 1);
    }

    #[test]
    fn the_code_stands_on_a_line_of_its_own_and_not_in_the_subject() {
        let letter = Letter::otp(&message(), &mail("Acme"), "https://portal.example").unwrap();
        assert!(!letter.subject.contains("042137"));
        assert!(letter.text.lines().any(|line| line == "042137"));
        assert!(letter.text.contains("signs Acme in at https://portal.example:"));
        assert!(letter.text.contains("valid for 10 minutes, until 10:08 UTC on 2026-03-01, and works once"));
        assert!(letter.text.contains("If you did not ask for this, ignore it"));
    }

    #[test]
    fn the_same_message_is_the_same_mail_each_time() {
        let letter = || raw(&Letter::otp(&message(), &mail("Acme"), "https://portal.example").unwrap());
        assert_eq!(letter(), letter());
    }

    #[test]
    fn no_name_adds_a_header_or_a_line() {
        let letter =
            Letter::otp(&message(), &mail("Acme\r\nBcc: eve@evil.example\r\n\r\n999999\u{2028}"), "https://p.example").unwrap();
        let raw = raw(&letter);
        let headers = raw.split("\r\n\r\n").next().unwrap();
        assert!(!headers.contains("\r\nBcc"), "{headers}");
        assert!(!letter.text.lines().any(|line| line == "999999"));
        assert_eq!(letter.to_message(&"a@b.example".parse().unwrap()).unwrap().envelope().to().len(), 1);
    }

    #[test]
    fn a_name_in_any_script_arrives() {
        let letter = Letter::otp(&message(), &mail("Żółw & 会社"), "https://portal.example").unwrap();
        let raw = raw(&letter);
        assert!(raw.is_ascii() && raw.contains("Subject: Sign-in code for =?utf-8?b?"), "{raw}");
    }

    #[test]
    fn a_decoy_is_no_mail() {
        let decoy = OtpMail { to: None, ..mail("") };
        assert_eq!(Letter::otp(&message(), &decoy, "https://portal.example").err(), Some(NoLetter::Decoy));
    }
}
