//! A pipeline's identity: from its file, or from where the tools of AWS or of Alibaba Cloud look for
//! one. Renewed before it expires, handed to whoever asks, never printed.

mod alibaba;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::{default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::{Mutex, OnceCell};
use wasmtime::component::{Accessor, HasData};

pub use self::alibaba::Choice;
use self::alibaba::Places;
use crate::{
    bindings::culvert::connector::{
        credentials::{Credential as WitCredential, Host, HostWithStore},
        types as wit,
    },
    convert,
    state::State,
};

/// How long before its end a credential is renewed: longer than any request waits for its answer.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// Where credentials come from. Clones share what was found.
#[derive(Clone, Default)]
pub struct Credentials(Arc<Origin>);

#[derive(Default)]
enum Origin {
    /// Requests aren't signed.
    #[default]
    Anonymous,
    Given(Credential),
    Chain(Chain),
}

/// What proves an identity. Doesn't print.
#[derive(Clone)]
pub struct Credential {
    pub access_key: String,
    pub secret: String,
    pub session_token: Option<String>,
    pub expires: Option<SystemTime>,
}

/// Places to look in, and what was found there last.
struct Chain {
    finder: Finder,
    found: Mutex<Option<Credential>>,
}

/// Who knows the places.
enum Finder {
    /// In the order of AWS's tools.
    Aws { profile: Option<String>, provider: OnceCell<DefaultCredentialsChain> },
    /// In the order of Alibaba Cloud's.
    Alibaba(Places),
}

/// How the linker finds the store's data for this interface.
pub(crate) struct Identity;

impl HasData for Identity {
    type Data<'a> = &'a mut State;
}

// === impl Credentials ===

impl Credentials {
    pub fn given(credential: Credential) -> Self {
        Self(Arc::new(Origin::Given(credential)))
    }

    /// The environment, a shared profile (`profile`, or the one that the environment names), web
    /// identity, the container's and the machine's metadata service, in this order. Looked for when
    /// they're first needed.
    pub fn from_environment(profile: Option<String>) -> Self {
        Self::found_by(Finder::Aws { profile, provider: OnceCell::new() })
    }

    /// The environment, a profile of Alibaba Cloud's CLI, the ECS instance's metadata service, in this
    /// order; or what was chosen alone. Looked for when they're first needed.
    pub fn from_alibaba(choice: Choice) -> Self {
        Self::of_places(Places::of_this_machine(choice))
    }

    fn of_places(places: Places) -> Self {
        Self::found_by(Finder::Alibaba(places))
    }

    fn found_by(finder: Finder) -> Self {
        Self(Arc::new(Origin::Chain(Chain { finder, found: Mutex::new(None) })))
    }

    async fn get(&self) -> Result<Option<Credential>, String> {
        match &*self.0 {
            Origin::Anonymous => Ok(None),
            Origin::Given(credential) => Ok(Some(credential.clone())),
            Origin::Chain(chain) => chain.get().await.map(Some),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match *self.0 {
            Origin::Anonymous => "Credentials(none)",
            Origin::Given(_) => "Credentials(given)",
            Origin::Chain(_) => "Credentials(from the environment)",
        })
    }
}

// === impl Chain ===

impl Chain {
    /// What was found, as long as it lasts. One asks, the others wait for its answer.
    async fn get(&self) -> Result<Credential, String> {
        let mut found = self.found.lock().await;
        if let Some(credential) = found.as_ref().filter(|it| it.lasts(SystemTime::now())) {
            return Ok(credential.clone());
        }
        let credential = match &self.finder {
            Finder::Aws { profile, provider } => {
                aws(provider.get_or_init(|| aws_provider(profile.as_deref())).await).await?
            }
            Finder::Alibaba(places) => places.find().await?,
        };
        *found = Some(credential.clone());
        Ok(credential)
    }
}

async fn aws(provider: &DefaultCredentialsChain) -> Result<Credential, String> {
    let fresh = provider.provide_credentials().await.map_err(|error| {
        // The error's own text names the places that were tried, and no secret.
        tracing::debug!(error = format!("{error:?}"), "no credentials");
        "no credentials were found in the environment, in a shared profile or at a metadata service: set the \
         keys in the pipeline, or one of those"
            .to_owned()
    })?;
    Ok(Credential {
        access_key: fresh.access_key_id().to_owned(),
        secret: fresh.secret_access_key().to_owned(),
        session_token: fresh.session_token().filter(|token| !token.is_empty()).map(str::to_owned),
        expires: fresh.expiry(),
    })
}

async fn aws_provider(profile: Option<&str>) -> DefaultCredentialsChain {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut builder =
        DefaultCredentialsChain::builder().configure(ProviderConfig::without_region().with_http_client(http));
    if let Some(profile) = profile {
        builder = builder.profile_name(profile);
    }
    builder.build().await
}

// === impl Credential ===

impl Credential {
    fn lasts(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|end| end > now + RENEW_BEFORE)
    }
}

// === impl State ===

impl Host for State {}

impl HostWithStore<State> for Identity {
    async fn get(accessor: &Accessor<State, Self>) -> wasmtime::Result<Result<Option<WitCredential>, wit::Error>> {
        let credentials = accessor.with(|mut access| access.get().credentials());
        Ok(match credentials.get().await {
            Ok(found) => Ok(found.map(|it| WitCredential {
                access_key: it.access_key,
                secret: it.secret,
                session_token: it.session_token,
                expires: it.expires.map(convert::instant),
            })),
            Err(message) => Err(wit::Error { code: "unauthenticated".to_owned(), message, retry_after: None }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(expires: Option<SystemTime>) -> Credential {
        Credential { access_key: "key".into(), secret: "hunter2".into(), session_token: None, expires }
    }

    #[test]
    fn is_renewed_before_its_end() {
        let now = SystemTime::now();
        assert!(credential(None).lasts(now));
        assert!(credential(Some(now + RENEW_BEFORE + Duration::from_secs(1))).lasts(now));
        assert!(!credential(Some(now + RENEW_BEFORE)).lasts(now));
    }

    #[test]
    fn prints_no_secret() {
        assert!(!format!("{:?}", Credentials::given(credential(None))).contains("hunter2"));
    }
}
