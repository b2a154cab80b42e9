//! Where a bucket is and for whom requests to it are signed, by the SDK's own rules: in front of the
//! endpoint's name or in its path, an access point, a directory bucket. Worked out once; asks nobody.

use aws_sdk_s3::config::endpoint::{DefaultResolver, Endpoint, Params, ResolveEndpoint};
use culvert_sdk::{
    error::{self, quote},
    types::Error,
};

use crate::{config::Config, key::escaped_path, request::Draft};

/// The only kind of signature that this connector makes.
const SCHEME: &str = "sigv4";
/// What a port of the scheme's own looks like: clients leave it out of the header `host`.
const DEFAULT_PORTS: [(&str, &str); 2] = [("http://", ":80"), ("https://", ":443")];

/// A bucket's address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `https://bucket.host:port` or `https://host:port`, as the endpoint has it.
    server: String,
    /// What a request's header `host` says.
    pub(crate) host: String,
    /// What stands in front of a key's slash: nothing, or `/bucket`.
    path: String,
    pub(crate) region: String,
    /// `s3`, or what the rules say instead.
    pub(crate) service: String,
}

// === impl Address ===

impl Address {
    /// # Errors
    /// `invalid-config` where the rules have no address for such a bucket.
    pub(crate) async fn of(config: &Config) -> Result<Self, Error> {
        let refused = |reason: &dyn std::fmt::Display| {
            let (bucket, endpoint) = (quote(&config.bucket), &config.endpoint);
            error::invalid_config(format!("the bucket {bucket} has no address at {endpoint}: {reason}"))
        };
        let parameters = Params::builder()
            .bucket(&config.bucket)
            .endpoint(config.endpoint.trim_end_matches('/'))
            .region(&config.region)
            .force_path_style(config.force_path_style)
            .disable_s3_express_session_auth(true)
            .build();
        let parameters = parameters.map_err(|error| refused(&error))?;
        let resolver = DefaultResolver::new();
        let endpoint = resolver.resolve_endpoint(&parameters).await.map_err(|error| refused(&error))?;
        Self::parse(&endpoint, &config.region).ok_or_else(|| refused(&"it needs another signature than version 4"))
    }

    fn parse(endpoint: &Endpoint, region: &str) -> Option<Self> {
        let scheme = endpoint.auth_schemes().first();
        if scheme.is_some_and(|scheme| scheme.name() != SCHEME) {
            return None;
        }
        let word = |name: &str| scheme?.get(name)?.as_string().map(str::to_owned);
        let url = endpoint.url().trim_end_matches('/');
        let begin = url.find("://")? + "://".len();
        let end = url[begin..].find('/').map_or(url.len(), |at| begin + at);
        let (server, path) = url.split_at(end);
        let is_default = |(scheme, port): &&(&str, &str)| server.starts_with(scheme) && server.ends_with(port);
        let port = DEFAULT_PORTS.iter().find(is_default).map_or(0, |(_, port)| port.len());
        Some(Self {
            server: server.to_owned(),
            host: server[begin..server.len() - port].to_owned(),
            path: path.to_owned(),
            region: word("signingRegion").unwrap_or_else(|| region.to_owned()),
            service: word("signingName").unwrap_or_else(|| "s3".to_owned()),
        })
    }

    /// A request's path, escaped: what is signed and what stands in the URL.
    pub(crate) fn path(&self, draft: &Draft<'_>) -> String {
        format!("{}/{}", self.path, escaped_path(draft.key))
    }

    /// `path` as [`Address::path`] gives it.
    pub(crate) fn url(&self, path: &str, draft: &Draft<'_>) -> String {
        let query = draft.query_text();
        let separator = if query.is_empty() { "" } else { "?" };
        [self.server.as_str(), path, separator, &query].concat()
    }
}

#[cfg(test)]
impl Address {
    /// The bucket of AWS's published examples.
    pub(crate) fn example() -> Self {
        let host = "examplebucket.s3.amazonaws.com".to_owned();
        let (path, region, service) = (String::new(), "us-east-1".to_owned(), "s3".to_owned());
        Self { server: format!("https://{host}"), host, path, region, service }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;
    use crate::config;

    /// Host, path, region and service.
    fn address(endpoint: &str, bucket: &str, in_path: bool) -> [String; 4] {
        let json = serde_json::json!({
            "endpoint": endpoint, "bucket": bucket, "force_path_style": in_path, "region": "eu-west-1"
        });
        let config = config::parse(&json.to_string()).unwrap();
        let mut resolving = pin!(Address::of(&config));
        let Poll::Ready(address) = resolving.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("the rules wait for nobody")
        };
        let Address { host, path, region, service, .. } = address.unwrap();
        [host, path, region, service]
    }

    #[test]
    fn a_bucket_is_in_front_of_the_name_or_in_the_path() {
        let is = |endpoint, bucket, in_path, [host, path]: [&str; 2]| {
            assert_eq!(address(endpoint, bucket, in_path), [host, path, "eu-west-1", "s3"]);
        };
        is("https://s3.example.com", "archive", false, ["archive.s3.example.com", ""]);
        is("https://s3.example.com/", "archive", true, ["s3.example.com", "/archive"]);
        is("https://s3.example.com:443", "archive", true, ["s3.example.com", "/archive"]);
        is("http://s3.example.com:443", "archive", false, ["archive.s3.example.com:443", ""]);
        is("http://s3.example.com:80", "archive", true, ["s3.example.com", "/archive"]);
        // A certificate is for one level of names, and names are in lower case.
        is("https://s3.example.com", "with.dots", false, ["s3.example.com", "/with.dots"]);
        is("http://s3.example.com", "with.dots", false, ["with.dots.s3.example.com", ""]);
        is("https://s3.example.com", "Archive", false, ["s3.example.com", "/Archive"]);
        is("http://127.0.0.1:9000", "archive", false, ["127.0.0.1:9000", "/archive"]);
        is("http://[::1]:9000", "archive", true, ["[::1]:9000", "/archive"]);
    }

    #[test]
    fn a_directory_bucket_is_signed_for_its_own_service() {
        let [host, path, region, service] =
            address("https://s3express-euw1-az1.eu-west-1.amazonaws.com", "fast--euw1-az1--x-s3", false);
        assert_eq!(host, "fast--euw1-az1--x-s3.s3express-euw1-az1.eu-west-1.amazonaws.com");
        assert_eq!([path, region, service], ["", "eu-west-1", "s3express"]);
    }
}
