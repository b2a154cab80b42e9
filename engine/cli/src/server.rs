//! A server's URL, as an endpoint's table names it, to the host and port that are granted. Resolves
//! no name.

/// Ports that a scheme stands for where the URL names none.
const PORTS: [(&str, u16); 3] = [("ftp", 21), ("ftpes", 21), ("ftps", 990)];

/// A server that a connector may reach over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

// === impl Server ===

impl Server {
    /// Takes `<scheme>://<host>[:<port>]`.
    ///
    /// # Errors
    /// A sentence about what the URL lacks.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let lacks = |what: &str| format!("the server's URL {url:?} {what}; write one like ftp://ftp.example.com:21");
        let (scheme, authority) = url.split_once("://").ok_or_else(|| lacks("has no scheme"))?;
        let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(lacks("has no host"));
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| lacks("has no valid port"))?,
            None => {
                let known = PORTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme));
                known.map(|(_, port)| *port).ok_or_else(|| lacks("needs a port"))?
            }
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_and_port() {
        let server = |host: &str, port| Ok(Server { host: host.to_owned(), port });
        assert_eq!(Server::parse("ftp://a.example"), server("a.example", 21));
        assert_eq!(Server::parse("ftps://a.example"), server("a.example", 990));
        assert_eq!(Server::parse("ftpes://a.example:2121"), server("a.example", 2121));
        assert_eq!(Server::parse("ftp://[::1]:2121"), server("::1", 2121));
        assert_eq!(Server::parse("ftp://[::1]"), server("::1", 21));
        for wrong in ["a.example", "ftp://", "ftp://:21", "ftp://a:x", "ftp://a:0", "ftp://a:65536", "other://a"] {
            assert!(Server::parse(wrong).is_err(), "{wrong}");
        }
    }
}
