//! The consoles' cookies: a session's token and nothing else. They end with the browser, at the latest with their session.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite},
};

use crate::state::AppState;

/// Whose console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The tenants'.
    Tenant,
    /// The operators'.
    Admin,
}

impl Door {
    /// The console's first page; all others are below it.
    pub const fn home(self) -> &'static str {
        match self {
            Self::Tenant => "/tenant",
            Self::Admin => "/admin",
        }
    }

    /// Whose console a path is in.
    pub fn of(path: &str) -> Option<Self> {
        [Self::Tenant, Self::Admin]
            .into_iter()
            .find(|door| path.strip_prefix(door.home()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// What the tokens of its sessions begin with.
    const fn token(self) -> &'static str {
        match self {
            Self::Tenant => "tns_",
            Self::Admin => "tno_",
        }
    }

    /// `__Host-` keeps other hosts of the same site from setting it; it asks for TLS, so a plain server on a developer's machine has another.
    const fn cookie(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Tenant, true) => "__Host-tenantry_tenant",
            (Self::Tenant, false) => "tenantry_tenant",
            (Self::Admin, true) => "__Host-tenantry_admin",
            (Self::Admin, false) => "tenantry_admin",
        }
    }
}

impl<S> AppState<S> {
    /// The token of the console's session, where the request has one. What else a cookie may hold, an API key say, is none.
    pub(crate) fn cookie_token(&self, request: &HttpRequest, door: Door) -> Option<String> {
        let cookie = request.cookie(door.cookie(self.console.secure_cookies))?;
        cookie.value().starts_with(door.token()).then(|| cookie.value().to_owned())
    }

    /// The cookie of a session.
    pub(crate) fn session_cookie(&self, door: Door, token: &str) -> Cookie<'static> {
        let secure = self.console.secure_cookies;
        Cookie::build(door.cookie(secure), token.to_owned())
            .secure(secure)
            .http_only(true)
            .same_site(SameSite::Strict)
            .path("/")
            .finish()
    }

    /// What takes that cookie away.
    pub(crate) fn no_cookie(&self, door: Door) -> Cookie<'static> {
        let mut cookie = self.session_cookie(door, "");
        cookie.make_removal();
        cookie
    }
}
