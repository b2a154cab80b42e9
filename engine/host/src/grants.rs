//! What a connector may reach: exactly what its pipeline names. Without a grant a connector has no
//! file, no network, no environment and no clock.

use std::path::PathBuf;

use crate::requests::Requests;

/// The rights of one connector instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// One folder and what is below it.
    pub folder: Option<FolderGrant>,
    /// Servers over HTTP. With any of them come the clocks and the pipeline's credentials.
    pub endpoints: Vec<EndpointGrant>,
    /// One host over TCP.
    pub socket: Option<SocketGrant>,
}

/// A host that a connector may connect to: its port, and the ports from 1024 up that it names for
/// data connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketGrant {
    /// A name, or an address with or without brackets.
    pub host: String,
    pub port: u16,
    /// Each connection is one request.
    pub requests: Requests,
}

/// One server over HTTP: nothing else by that name, on another port or with another scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointGrant {
    /// `http` or `https`.
    pub scheme: String,
    /// A name in lower case, or an address (IPv6 in brackets).
    pub host: String,
    pub port: u16,
}

/// A folder that a connector sees as `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderGrant {
    pub path: PathBuf,
    /// Sources only read.
    pub writable: bool,
}

/// An import and the grant that covers it.
struct Rule {
    prefix: &'static str,
    needs: Need,
    /// For whoever reviews a component.
    about: &'static str,
}

enum Need {
    /// Harmless: with an empty context there is nothing behind it.
    Nothing,
    Folder,
    Socket,
    Endpoint,
}

/// What Rust's and Python's standard libraries import whether they use it or not (WASI 0.2, with an
/// empty context behind it), and what the contract offers.
const RULES: [Rule; 15] = [
    Rule {
        prefix: "wasi:filesystem/types@0.3",
        needs: Need::Folder,
        about: "files, below the folder that its table names",
    },
    Rule { prefix: "wasi:filesystem/preopens@0.3", needs: Need::Folder, about: "which folder that is" },
    Rule {
        prefix: "culvert:connector/posix@0.1",
        needs: Need::Folder,
        about: "files with their modes, links and checksums, below that folder",
    },
    Rule { prefix: "wasi:sockets/types@0.3", needs: Need::Socket, about: "TCP, to the server that its table names" },
    Rule { prefix: "wasi:sockets/ip-name-lookup@0.3", needs: Need::Socket, about: "that server's addresses" },
    Rule {
        prefix: "culvert:connector/tls@0.1",
        needs: Need::Socket,
        about: "TLS over those connections, by the engine",
    },
    Rule { prefix: "wasi:http/types@0.3", needs: Need::Endpoint, about: "HTTP requests and answers" },
    Rule { prefix: "wasi:http/client@0.3", needs: Need::Endpoint, about: "HTTP, to the servers that its table names" },
    Rule {
        prefix: "culvert:connector/exchange@0.1",
        needs: Need::Endpoint,
        about: "HTTP, to the servers that its table names",
    },
    Rule {
        prefix: "culvert:connector/credentials@0.1",
        needs: Need::Endpoint,
        about: "the pipeline's keys, to sign requests with",
    },
    Rule { prefix: "culvert:connector/types@0.1", needs: Need::Nothing, about: "the contract's words; no function" },
    Rule {
        prefix: "wasi:filesystem/",
        needs: Need::Nothing,
        about: "files for standard libraries, below the folder that its table names",
    },
    Rule { prefix: "wasi:io/", needs: Need::Nothing, about: "nothing by itself" },
    Rule { prefix: "wasi:cli/", needs: Need::Nothing, about: "nothing: no variable, argument or stream is there" },
    Rule { prefix: "wasi:random/", needs: Need::Nothing, about: "random numbers" },
];

/// Time stands still for a connector without an endpoint, so the clocks tell it nothing.
const CLOCKS: &str = "wasi:clocks/";

/// What an import is for, in words for whoever reviews a component.
pub fn meaning(import: &str) -> &'static str {
    if import.starts_with(CLOCKS) {
        return "the time, where its table names a server over HTTP; otherwise it stands still";
    }
    RULES.iter().find(|rule| import.starts_with(rule.prefix)).map_or("nothing grants it", |rule| rule.about)
}

// === impl Grants ===

impl Grants {
    /// Every kind of grant there is: what it doesn't cover, no pipeline can.
    pub(crate) fn everything() -> Self {
        let endpoint = EndpointGrant { scheme: String::new(), host: String::new(), port: 0 };
        Self {
            folder: Some(FolderGrant { path: "/".into(), writable: true }),
            endpoints: vec![endpoint],
            socket: Some(SocketGrant { host: String::new(), port: 0, requests: Requests::default() }),
        }
    }

    /// Takes over the other's servers that lie below one of these: of the same scheme and port, and with
    /// more in front of the host's name.
    pub(crate) fn extend_below(&mut self, other: &Self) {
        let is_below = |theirs: &&EndpointGrant| {
            self.endpoints.iter().any(|ours| {
                let rest = theirs.host.strip_suffix(&ours.host);
                (&theirs.scheme, theirs.port) == (&ours.scheme, ours.port) && rest.is_some_and(|it| it.ends_with('.'))
            })
        };
        let below: Vec<_> = other.endpoints.iter().filter(is_below).cloned().collect();
        self.endpoints.extend(below);
    }

    /// Why a component with these imports can't run under these grants; none if it can.
    pub fn refusal<'a>(&self, imports: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let uncovered: Vec<&str> = imports.into_iter().filter(|import| !self.covers(import)).collect();
        if uncovered.is_empty() {
            return None;
        }
        Some(format!(
            "the connector imports {}, which nothing in its pipeline grants; a connector may import wasi:filesystem \
             and culvert:connector/posix where its table names a folder, wasi:http, \
             culvert:connector/exchange and culvert:connector/credentials where it names an endpoint, wasi:sockets and culvert:connector/tls where it names a server",
            uncovered.join(", ")
        ))
    }

    fn covers(&self, import: &str) -> bool {
        if import.starts_with(CLOCKS) {
            return true;
        }
        match RULES.iter().find(|rule| import.starts_with(rule.prefix)) {
            Some(rule) => match rule.needs {
                Need::Nothing => true,
                Need::Folder => self.folder.is_some(),
                Need::Socket => self.socket.is_some(),
                Need::Endpoint => !self.endpoints.is_empty(),
            },
            None => false,
        }
    }

    /// Whether a request may go there.
    pub(crate) fn reaches(&self, uri: &http::Uri) -> bool {
        let Some(asked) = EndpointGrant::of(uri) else { return false };
        self.endpoints.contains(&asked)
    }
}

// === impl EndpointGrant ===

impl EndpointGrant {
    /// The server of a URL; none if it names no host, or another scheme than HTTP's.
    pub fn of(uri: &http::Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let standard = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        Some(Self { scheme, host, port: uri.port_u16().unwrap_or(standard) })
    }

    /// A server below this one's name, where a store has one for each bucket.
    #[must_use]
    pub fn below(&self, label: &str) -> Self {
        Self { host: format!("{}.{}", label.to_ascii_lowercase(), self.host), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_grant_covers_files_and_nothing_else() {
        let none = Grants::default();
        let folder = Some(FolderGrant { path: "/x".into(), writable: false });
        let folder = Grants { folder, ..Grants::default() };
        for import in ["wasi:filesystem/types@0.3.0", "culvert:connector/posix@0.1.0"] {
            assert!(none.refusal([import]).is_some_and(|sentence| sentence.contains(import)));
            assert_eq!(folder.refusal([import]), None);
        }
        for import in ["wasi:sockets/types@0.3.0", "wasi:sockets/tcp@0.2.6", "wasi:http/client@0.3.0", "evil:own/api"] {
            assert!(folder.refusal([import]).is_some_and(|sentence| sentence.contains(import)));
        }
        assert_eq!(none.refusal(["wasi:cli/environment@0.2.6", "wasi:io/streams@0.2.6"]), None);
    }

    #[test]
    fn what_lies_below_an_endpoint_can_be_taken_over() {
        let of = |text: &str| EndpointGrant::of(&text.parse().expect("a URL")).expect("a server");
        let grants = |all: &[&str]| Grants { endpoints: all.iter().map(|it| of(it)).collect(), ..Grants::default() };
        let mut sink = grants(&["https://oss.example.com", "https://two.oss.example.com"]);
        sink.extend_below(&grants(&[
            "https://oss.example.com",
            "https://one.oss.example.com",
            "http://one.oss.example.com",
            "https://one.oss.example.com:444",
            "https://evil-oss.example.com",
            "https://one.oss.example.org",
        ]));
        assert_eq!(sink.endpoints[2..], [of("https://one.oss.example.com")]);
    }

    #[test]
    fn an_endpoint_grant_covers_one_scheme_host_and_port() {
        let uri = |text: &str| text.parse::<http::Uri>().expect("a URL");
        let endpoints = vec![EndpointGrant::of(&uri("https://S3.example.com")).expect("a server")];
        let grants = Grants { endpoints, ..Grants::default() };
        assert_eq!(grants.refusal(["wasi:http/client@0.3.0", "culvert:connector/credentials@0.1.0"]), None);
        assert!(grants.refusal(["wasi:filesystem/types@0.3.0"]).is_some());
        assert!(grants.reaches(&uri("https://s3.example.com/a?b")));
        assert!(grants.reaches(&uri("https://s3.example.com:443/")));
        for other in [
            "http://s3.example.com/",
            "https://s3.example.com:8443/",
            "https://bucket.s3.example.com/",
            "https://example.com/",
            "https://169.254.169.254/",
            "/no/host",
        ] {
            assert!(!grants.reaches(&uri(other)), "{other}");
        }
        let below = grants.endpoints[0].below("Bucket");
        assert!(
            Grants { endpoints: vec![below], ..Grants::default() }.reaches(&uri("https://bucket.s3.example.com/k"))
        );
    }
}
