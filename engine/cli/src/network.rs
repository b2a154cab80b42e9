//! What an end's table says to the engine rather than to its connector: how its endpoints are
//! reached, and with which identity. Those properties are marked with `x-engine` in the connector's
//! schema and taken out of what the connector gets. Reaches nothing.

use std::{fmt::Display, num::NonZeroUsize, time::Duration};

use culvert_flow::{
    object::Capabilities,
    rules::{ByteRate, Limits},
    tunnel::Tunnel,
};
use culvert_host::{
    access::Access,
    credentials::{Choice, Credential, Credentials},
    grants::EndpointGrant,
    http::{Bind, Http, Settings},
};
use culvert_manifest::units::parse_duration;
use serde_json::{Map, Value};

use crate::args::agent::Network as AgentNetwork;

/// A capability that a pipeline can deny, and the word that marks the property that does.
const ORDERED: &str = "ordered-listing";
/// The same; a connector that has the property keeps folders only where the pipeline asks for it.
const DIRECTORIES: &str = "directories";
/// The word that marks the property which picks one of a service's own endpoints, and its table of them.
const NETWORK: &str = "network";
const ENDPOINTS: &str = "x-endpoints";
/// The schema's word for who knows where credentials are, and the one that isn't AWS.
const CREDENTIALS: &str = "x-credentials";
const ALIBABA: &str = "alibaba";
/// Unless the pipeline says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A store that puts a large object together from its parts may take half a minute to answer; below
/// `limits.call_timeout`, after which the connector itself would be ended.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(45);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Least buffer of a connection in bytes: two of a TCP segment's largest size.
const LEAST_READ_AHEAD: usize = 8 * 1024;
/// One for each of the most workers that a pipeline may have.
const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// An end's endpoints and the way to them.
#[derive(Debug)]
pub(crate) struct Network {
    endpoints: Vec<EndpointGrant>,
    labels: Vec<String>,
    settings: Settings,
    credentials: Credentials,
    /// Capabilities of the connector that this store hasn't.
    denied: Vec<&'static str>,
}

/// The properties that were marked, by their word.
struct Marked(Vec<Property>);

struct Property {
    word: String,
    name: String,
    value: Value,
}

// === impl Network ===

impl Network {
    /// The engine's part of a table, and the rest as JSON for the connector. `agent`: on which network
    /// whoever runs this is.
    ///
    /// # Errors
    /// Names the key that's wrong.
    pub(crate) fn split(table: &Value, schema: &Value, agent: Option<AgentNetwork>) -> Result<(Self, String), String> {
        let mut rest = table.as_object().cloned().unwrap_or_default();
        let marked = Marked::take(&mut rest, schema);
        let settings = Settings {
            tls: false,
            ca_file: marked.text("ca-file").map(Into::into),
            proxy: marked.text("proxy").map(str::to_owned),
            bind: marked.parsed("bind", Bind::parse)?,
            connect_timeout: marked.duration("connect-timeout")?.unwrap_or(CONNECT_TIMEOUT),
            response_timeout: marked.duration("response-timeout")?.unwrap_or(RESPONSE_TIMEOUT),
            idle_timeout: marked.duration("idle-timeout")?.unwrap_or(IDLE_TIMEOUT),
            max_connections: marked.count("max-connections").unwrap_or(MAX_CONNECTIONS),
            read_ahead: None,
        };
        let credentials = marked.credentials(schema.get(CREDENTIALS).and_then(Value::as_str))?;
        let is_true = |word| marked.find(word).map(|property| property.value == Value::Bool(true));
        let mut denied = Vec::new();
        denied.extend(is_true(ORDERED).is_some_and(|ordered| !ordered).then_some(ORDERED));
        let keeps_folders = !has_word(schema, DIRECTORIES) || is_true(DIRECTORIES) == Some(true);
        denied.extend((!keeps_folders).then_some(DIRECTORIES));
        let mut network = Self { endpoints: Vec::new(), labels: Vec::new(), settings, credentials, denied };
        if let Some((name, url)) = own_endpoint(&rest, marked.text(NETWORK).or(agent.map(AgentNetwork::as_str)), schema)
        {
            network.grant(&url)?;
            rest.insert(name, Value::String(url));
        }
        Ok((network, Value::Object(rest).to_string()))
    }

    /// # Errors
    /// It isn't a URL of a server.
    pub(crate) fn grant(&mut self, url: &str) -> Result<(), String> {
        let endpoint = url
            .parse()
            .ok()
            .and_then(|uri| EndpointGrant::of(&uri))
            .ok_or_else(|| "its endpoint isn't of the form https://host or http://host:port".to_owned())?;
        self.settings.tls |= endpoint.scheme == "https";
        self.endpoints.push(endpoint);
        Ok(())
    }

    /// Grants, below each endpoint, the server of this name.
    pub(crate) fn grant_below(&mut self, label: String) {
        self.labels.push(label);
    }

    /// Where connections start, unless the table says it.
    pub(crate) fn start_from(&mut self, bind: &Bind) {
        self.settings.bind.get_or_insert_with(|| bind.clone());
    }

    pub(crate) fn grants(&self) -> Vec<EndpointGrant> {
        let below = self.endpoints.iter().flat_map(|endpoint| self.labels.iter().map(|label| endpoint.below(label)));
        self.endpoints.iter().cloned().chain(below).collect()
    }

    /// What this store can do of what its connector can.
    pub(crate) fn capabilities(&self, all: &Capabilities) -> Capabilities {
        Capabilities::new(all.iter().filter(|word| !self.denied.contains(word)).map(str::to_owned))
    }

    /// # Errors
    /// The roots can't be read, or the proxy's URL isn't one.
    pub(crate) fn access(&self, tunnel: &Tunnel, limits: Limits, workers: NonZeroUsize) -> Result<Access, String> {
        let http = match self.endpoints.is_empty() {
            true => None,
            false => {
                let read_ahead = limits.max_bandwidth.map(|rate| read_ahead(rate, workers));
                let settings = Settings { read_ahead, ..self.settings.clone() };
                Some(Http::new(settings, tunnel.clone())?)
            }
        };
        Ok(Access { http, credentials: self.credentials.clone() })
    }
}

/// The property for an endpoint, where the table has none, and the service's own for its other
/// properties: `{region}` in the schema's URL stands for what the table has there.
fn own_endpoint(table: &Map<String, Value>, network: Option<&str>, schema: &Value) -> Option<(String, String)> {
    let properties = schema.get("properties")?.as_object()?;
    let (name, _) = properties.iter().find(|(_, property)| property["x-grant"] == "endpoint")?;
    if table.contains_key(name) {
        return None;
    }
    let choice = properties.values().find(|property| property["x-engine"] == NETWORK)?;
    // What the agent is on may be no network of this service.
    let network = network.filter(|word| choice[ENDPOINTS].get(word).is_some());
    let network = network.or_else(|| choice["default"].as_str())?;
    let template = choice[ENDPOINTS][network].as_str()?.to_owned();
    let filled = table.iter().fold(template, |url, (name, value)| match value.as_str() {
        Some(value) => url.replace(&format!("{{{name}}}"), value),
        None => url,
    });
    Some((name.clone(), filled))
}

/// Whether a schema has a property that's marked with this word.
fn has_word(schema: &Value, word: &str) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().any(|(_, property)| property.get("x-engine").and_then(Value::as_str) == Some(word))
}

/// All workers' buffers together hold a twentieth of a second of the limit.
fn read_ahead(rate: ByteRate, workers: NonZeroUsize) -> usize {
    let bytes = rate.0.get() / 20 / workers.get() as u64;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(LEAST_READ_AHEAD)
}

// === impl Marked ===

impl Marked {
    fn take(table: &mut Map<String, Value>, schema: &Value) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object);
        let marked = properties.into_iter().flatten().filter_map(|(name, property)| {
            let word = property.get("x-engine")?.as_str()?.to_owned();
            // The connector has to know those too.
            let value = match [ORDERED, DIRECTORIES].contains(&word.as_str()) {
                true => table.get(name).cloned(),
                false => table.remove(name),
            };
            Some(Property { word, name: name.clone(), value: value? })
        });
        Self(marked.collect())
    }

    fn find(&self, word: &str) -> Option<&Property> {
        self.0.iter().find(|property| property.word == word)
    }

    fn text(&self, word: &str) -> Option<&str> {
        self.find(word)?.value.as_str()
    }

    fn parsed<T, E: Display>(&self, word: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, String> {
        let Some(property) = self.find(word) else { return Ok(None) };
        let text = property.value.as_str().unwrap_or_default();
        parse(text).map(Some).map_err(|problem| format!("{} = {text:?}: {problem}", property.name))
    }

    fn duration(&self, word: &str) -> Result<Option<Duration>, String> {
        self.parsed(word, |text| parse_duration(text).map_err(|invalid| invalid.to_string()))
    }

    fn count(&self, word: &str) -> Option<NonZeroUsize> {
        let count = self.find(word)?.value.as_u64()?;
        NonZeroUsize::new(usize::try_from(count).ok()?)
    }

    fn credentials(&self, known_to: Option<&str>) -> Result<Credentials, String> {
        if self.find("anonymous").is_some_and(|property| property.value == Value::Bool(true)) {
            return Ok(Credentials::default());
        }
        let secret = |word| self.text(word).map(|text| text.trim().to_owned());
        match (secret("access-key"), secret("secret")) {
            (Some(access_key), Some(secret_key)) => Ok(Credentials::given(Credential {
                access_key,
                secret: secret_key,
                session_token: secret("session-token"),
                expires: None,
            })),
            (None, None) => {
                let [profile, role] = ["profile", "role"].map(|word| self.text(word).map(str::to_owned));
                Ok(match known_to {
                    Some(ALIBABA) => Credentials::from_alibaba(Choice { profile, role }),
                    _ => Credentials::from_environment(profile),
                })
            }
            (Some(_), None) => Err(format!("{}: has no secret beside it", self.name_of("access-key"))),
            (None, Some(_)) => Err(format!("{}: has no key beside it", self.name_of("secret"))),
        }
    }

    fn name_of<'a>(&'a self, word: &'a str) -> &'a str {
        self.find(word).map_or(word, |property| &property.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        let words = [
            ("key", "access-key"),
            ("secret", "secret"),
            ("bind", "bind"),
            ("connect_timeout", "connect-timeout"),
            ("proxy", "proxy"),
        ];
        let properties: Map<_, _> =
            words.iter().map(|(name, word)| ((*name).to_owned(), json!({"x-engine": word}))).collect();
        json!({ "properties": properties })
    }

    #[test]
    fn the_connector_gets_no_secret_and_nothing_of_the_way() {
        let table = json!({"bucket": "b", "key": "k", "secret": "hunter2", "proxy": "http://u:hunter2@p:1"});
        let (network, rest) = Network::split(&table, &schema(), None).unwrap();
        assert_eq!(rest, r#"{"bucket":"b"}"#);
        assert!(!format!("{network:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_named_without_a_secret() {
        let wrong = |table: Value| Network::split(&table, &schema(), None).unwrap_err();
        assert_eq!(wrong(json!({"secret": "hunter2"})), "secret: has no key beside it");
        assert!(wrong(json!({"connect_timeout": "soon"})).starts_with("connect_timeout = \"soon\": "));
        assert!(wrong(json!({"bind": "not an interface"})).starts_with("bind = "));
    }

    #[test]
    fn a_region_has_endpoints_of_its_own() {
        let endpoints =
            json!({"public": "https://oss-{region}.example.com", "vpc": "https://oss-{region}-vpc.example.com"});
        let schema = json!({"properties": {
            "endpoint": {"x-grant": "endpoint"},
            "network": {"x-engine": "network", "default": "public", "x-endpoints": endpoints},
        }});
        let (public, vpc) = ("https://oss-r.example.com", "https://oss-r-vpc.example.com");
        for (table, agent, url) in [
            (json!({"region": "r"}), None, public),
            (json!({"region": "r", "network": "vpc"}), None, vpc),
            (json!({"region": "r"}), Some(AgentNetwork::Vpc), vpc),
            (json!({"region": "r", "network": "public"}), Some(AgentNetwork::Vpc), public),
            (json!({"region": "r", "network": "vpc"}), Some(AgentNetwork::Public), vpc),
        ] {
            let (network, rest) = Network::split(&table, &schema, agent).unwrap();
            assert_eq!(rest, json!({"region": "r", "endpoint": url}).to_string());
            assert_eq!(network.grants().len(), 1);
            assert!(network.settings.tls);
        }
        let given = json!({"region": "r", "endpoint": "http://a"});
        let (network, rest) = Network::split(&given, &schema, Some(AgentNetwork::Vpc)).unwrap();
        // What the table names itself is granted elsewhere.
        assert_eq!((network.grants().len(), rest), (0, json!({"region": "r", "endpoint": "http://a"}).to_string()));
    }

    #[test]
    fn a_bucket_has_a_server_of_its_own_below_the_endpoint() {
        let (mut network, _) = Network::split(&json!({}), &schema(), None).unwrap();
        network.grant("https://s3.example.com").unwrap();
        network.grant_below("archive".into());
        let hosts: Vec<_> = network.grants().into_iter().map(|it| it.host).collect();
        assert_eq!(hosts, ["s3.example.com", "archive.s3.example.com"]);
        assert!(network.grant("ftp://s3.example.com").is_err() && network.grant("s3.example.com").is_err());
    }
}
