//! What people do at a console, in a browser.

use std::time::Duration;

use crate::{Browser, World, otp_in};

impl Browser {
    /// Signs a tenant in, by the code from the next mail to `email`.
    pub async fn sign_in_tenant(&self, world: &World, slug: &str, email: &str) {
        self.sign_in(world, "/tenant", "tenant_slug", slug, email).await;
    }

    /// Signs an operator in.
    pub async fn sign_in_operator(&self, world: &World, email: &str) {
        self.sign_in(world, "/admin", "email", email, email).await;
    }

    /// The codes that the page shows once.
    pub async fn revealed(&self) -> Vec<String> {
        self.text_of(".reveal").await.split_whitespace().map(str::to_owned).collect()
    }

    async fn sign_in(&self, world: &World, home: &str, field: &str, name: &str, email: &str) {
        let before = world.mail().received(email).len();
        self.go(&format!("{home}/sign-in")).await;
        self.write(field, name).await;
        self.press("Send me a code").await;
        self.see("Enter your code").await;
        let mails = world.mail().wait_for(email, before + 1, Duration::from_secs(30)).await;
        self.write("otp_code", otp_in(&mails[before].text).expect("a code in the mail")).await;
        self.press("Sign in").await;
        self.at(home).await;
    }
}
