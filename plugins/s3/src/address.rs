//! Where a bucket is and for whom requests to it are signed: in front of the endpoint's name, or in its
//! path where it can't be. Worked out once; asks nobody.

use crate::{config::Config, key::escaped_path, request::Draft};

/// How the name of a directory bucket (S3 Express One Zone) ends: it's another service.
const DIRECTORY_BUCKET: &str = "--x-s3";
/// Lengths of a name that can stand in front of a host's, in bytes (RFC 1035, section 2.3.4).
const LABEL: std::ops::RangeInclusive<usize> = 3..=63;

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
    pub(crate) service: &'static str,
}

// === impl Address ===

impl Address {
    pub(crate) fn of(config: &Config) -> Self {
        let endpoint = config.endpoint.trim_end_matches('/');
        let (scheme, authority) = endpoint.split_once("://").unwrap_or(("https", endpoint));
        // Clients leave the scheme's own port out of the header `host`.
        let port = if scheme == "https" { ":443" } else { ":80" };
        let named = authority.strip_suffix(port).unwrap_or(authority);
        let bucket = &config.bucket;
        let in_path = config.force_path_style || is_number(named) || !fits_in_front(bucket, scheme);
        let (front, path) =
            if in_path { (String::new(), format!("/{bucket}")) } else { (format!("{bucket}."), String::new()) };
        Self {
            server: format!("{scheme}://{front}{authority}"),
            host: format!("{front}{named}"),
            path,
            region: config.region.clone(),
            service: if bucket.ends_with(DIRECTORY_BUCKET) { "s3express" } else { "s3" },
        }
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

/// Whether a host is an address (RFC 3986, section 3.2.2), which has no names in front of it.
fn is_number(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    host.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether a bucket's name can be part of a host's. A certificate is for one level of names.
fn fits_in_front(bucket: &str, scheme: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        label.bytes().all(|byte| is_plain(byte) || byte == b'-')
            && label.bytes().next().is_some_and(is_plain)
            && label.bytes().next_back().is_some_and(is_plain)
    };
    LABEL.contains(&bucket.len())
        && (scheme == "http" || !bucket.contains('.'))
        && bucket.split('.').all(is_label)
        && bucket.parse::<std::net::Ipv4Addr>().is_err()
}

#[cfg(test)]
impl Address {
    /// The bucket of AWS's published examples.
    pub(crate) fn example() -> Self {
        let host = "examplebucket.s3.amazonaws.com".to_owned();
        let (path, region, service) = (String::new(), "us-east-1".to_owned(), "s3");
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

    use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

    use super::*;
    use crate::config;

    /// Where an address is that the SDK and this connector have to agree on.
    struct Place<'a> {
        endpoint: &'a str,
        bucket: &'a str,
        in_path: bool,
    }

    impl Place<'_> {
        fn ours(&self) -> Address {
            let Self { endpoint, bucket, in_path } = self;
            let json = serde_json::json!({
                "endpoint": endpoint, "bucket": bucket, "force_path_style": in_path, "region": "eu-west-1"
            });
            Address::of(&config::parse(&json.to_string()).unwrap())
        }

        /// URL and service of the SDK's own requests.
        fn theirs(&self) -> (String, Option<String>) {
            let parameters = Params::builder()
                .bucket(self.bucket)
                .endpoint(self.endpoint.trim_end_matches('/'))
                .region("eu-west-1")
                .force_path_style(self.in_path)
                .disable_s3_express_session_auth(true)
                .build()
                .unwrap();
            let resolver = DefaultResolver::new();
            let future = pin!(resolver.resolve_endpoint(&parameters));
            let Poll::Ready(found) = future.poll(&mut Context::from_waker(Waker::noop())) else {
                unreachable!("an address is worked out without waiting")
            };
            let found = found.unwrap();
            let schemes = found.auth_schemes();
            let service = schemes.first().and_then(|it| it.get("signingName")?.as_string()).map(str::to_owned);
            (found.url().trim_end_matches('/').to_owned(), service)
        }
    }

    #[test]
    fn a_bucket_is_where_the_sdk_has_it() {
        let is = |endpoint, bucket, in_path, [host, path]: [&str; 2]| {
            let place = Place { endpoint, bucket, in_path };
            let ours = place.ours();
            assert_eq!([&ours.host, &ours.path, &ours.region, ours.service], [host, path, "eu-west-1", "s3"]);
            assert_eq!((format!("{}{}", ours.server, ours.path), Some("s3".to_owned())), place.theirs());
        };
        is("https://s3.example.com", "archive", false, ["archive.s3.example.com", ""]);
        is("https://s3.example.com/", "archive", true, ["s3.example.com", "/archive"]);
        is("https://s3.example.com:443", "archive", true, ["s3.example.com", "/archive"]);
        is("http://s3.example.com:443", "archive", false, ["archive.s3.example.com:443", ""]);
        is("http://s3.example.com:80", "archive", true, ["s3.example.com", "/archive"]);
        is("https://s3.example.com", "with.dots", false, ["s3.example.com", "/with.dots"]);
        is("http://s3.example.com", "with.dots", false, ["with.dots.s3.example.com", ""]);
        is("https://s3.example.com", "Archive", false, ["s3.example.com", "/Archive"]);
        is("http://127.0.0.1:9000", "archive", false, ["127.0.0.1:9000", "/archive"]);
        is("http://[::1]:9000", "archive", true, ["[::1]:9000", "/archive"]);
    }

    #[test]
    fn a_directory_bucket_is_signed_for_its_own_service() {
        let endpoint = "https://s3express-euw1-az1.eu-west-1.amazonaws.com";
        let place = Place { endpoint, bucket: "fast--euw1-az1--x-s3", in_path: false };
        let ours = place.ours();
        assert_eq!(ours.host, "fast--euw1-az1--x-s3.s3express-euw1-az1.eu-west-1.amazonaws.com");
        assert_eq!((ours.path.as_str(), ours.region.as_str(), ours.service), ("", "eu-west-1", "s3express"));
        assert_eq!((ours.server, Some("s3express".to_owned())), place.theirs());
    }
}
