//! Where a fleet's servers are and who one is there. Reads no file and connects to nothing.

use std::{fmt, path::PathBuf};

use async_nats::{ConnectOptions, ServerAddr};
use culvert_flow::error::{Code, Error};

/// The schemes of NATS's own protocol; over WebSockets nothing is gained here.
const SCHEMES: [&str; 2] = ["nats", "tls"];

/// A text that never appears in a log or an error.
#[derive(Clone)]
pub struct Secret(String);

/// Who one is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The server asks nobody.
    None,
    Password {
        user: String,
        password: Secret,
    },
    /// The seed of an `NKey`.
    Seed(Secret),
    /// What a credentials file says: a JWT and the seed of its key.
    File(Secret),
}

/// A fleet's servers.
#[derive(Debug, Clone)]
pub struct Server {
    addresses: Vec<ServerAddr>,
    credentials: Credentials,
    /// A PEM file of authorities that are trusted beside the system's.
    authority: Option<PathBuf>,
}

// === impl Secret ===

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

// === impl Server ===

impl Server {
    /// `urls`: one, or several with commas between them.
    ///
    /// # Errors
    /// One of them is wrong, or has a password in it.
    pub fn new(urls: &str, credentials: Credentials, authority: Option<PathBuf>) -> Result<Self, Error> {
        let addresses = urls.split(',').map(str::trim).map(address).collect::<Result<_, _>>()?;
        Ok(Self { addresses, credentials, authority })
    }

    pub(crate) fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    /// # Errors
    /// The credentials file isn't one.
    pub(crate) fn options(&self) -> Result<ConnectOptions, Error> {
        let options = ConnectOptions::new();
        let options = match &self.authority {
            Some(path) => options.add_root_certificates(path.clone()).require_tls(true),
            None => options,
        };
        match &self.credentials {
            Credentials::None => Ok(options),
            Credentials::Password { user, password } => Ok(options.user_and_password(user.clone(), password.0.clone())),
            Credentials::Seed(seed) => Ok(options.nkey(seed.0.trim().to_owned())),
            // Its last line has to have an end. What's wrong with it might quote it.
            Credentials::File(text) => options.credentials(&format!("{}\n", text.0)).map_err(|_| {
                let message = "the fleet's credentials file isn't one: it has to hold a JWT and the seed of its key";
                Error::new(Code::INVALID_CONFIG, "fleet", message)
            }),
        }
    }
}

fn address(url: &str) -> Result<ServerAddr, Error> {
    let refused = |what: &str| Error::new(Code::INVALID_CONFIG, "fleet", format!("the fleet's address {what}"));
    let Ok(address) = url.parse::<ServerAddr>() else {
        return Err(refused("isn't one; write nats://HOST:4222, or tls://HOST:4222"));
    };
    if address.host().is_empty() {
        return Err(refused("has no host; write nats://HOST:4222, or tls://HOST:4222"));
    }
    if address.username().is_some() || address.password().is_some() {
        return Err(refused(
            "has a user or a password in it, which everybody on this machine could read; give --fleet-user, and the \
             password in CULVERT_FLEET_PASSWORD or with --fleet-password-file",
        ));
    }
    if !SCHEMES.contains(&address.scheme()) {
        return Err(refused(&format!("begins with {}://; nats:// and tls:// are understood", address.scheme())));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn addresses_are_checked_and_a_password_in_one_is_not_repeated() {
        let server = |urls| Server::new(urls, Credentials::None, None);
        assert_eq!(server("nats://a:1, tls://b,c").unwrap().addresses().len(), 3);
        for url in ["nats://me:hunter2@a", "ws://a", "http://a", "nats://", ""] {
            let error = server(url).unwrap_err();
            assert_eq!(error.code, Code::INVALID_CONFIG);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let password = Secret::new("hunter2");
        let credentials = Credentials::Password { user: "me".to_owned(), password };
        let shown = format!("{:?}", Server::new("a", credentials, None).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        let error = Server::new("a", Credentials::File(Secret::new("hunter2")), None).unwrap().options().unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
