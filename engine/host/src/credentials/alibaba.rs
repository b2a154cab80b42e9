//! The places where Alibaba Cloud's tools look for an identity: the environment, a profile of its CLI,
//! the metadata service of an ECS instance. Keeps nothing that it finds, and asks no service for a
//! role's temporary key but the instance's own.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use aws_smithy_types::date_time::{DateTime, Format};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use super::Credential;

/// What the environment's names begin with.
const VARIABLES: &str = "ALIBABA_CLOUD_";
/// The metadata service of every ECS instance.
const METADATA: &str = "http://100.100.100.200";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
/// How long the service's token is asked to last, in seconds: it's used at once.
const TOKEN_SECONDS: &str = "60";
/// The service is on the same machine; elsewhere nobody answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Longest answer of the service, and longest profile file, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Which of the places counts, where the pipeline says so; all in their order where it doesn't.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// A profile of the CLI.
    pub profile: Option<String>,
    /// The role of this ECS instance.
    pub role: Option<String>,
}

/// The places as they are on one machine.
pub(super) struct Places {
    choice: Choice,
    /// Without [`VARIABLES`] in front.
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    metadata: String,
}

// === impl Places ===

impl Places {
    pub(super) fn of_this_machine(choice: Choice) -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix(VARIABLES)?.to_owned();
            Some((name, value.into_string().ok().filter(|value| !value.is_empty())?))
        });
        let home = std::env::var_os("HOME").map(PathBuf::from);
        Self { choice, variables: variables.collect(), home, metadata: METADATA.to_owned() }
    }

    /// # Errors
    /// What was looked for and isn't there, without a secret.
    pub(super) async fn find(&self) -> Result<Credential, String> {
        if let Some(role) = &self.choice.role {
            return self.of_role(Some(role)).await;
        }
        let named = |name: &str| self.variables.get(name).cloned();
        if self.choice.profile.is_none()
            && let (Some(access_key), Some(secret)) = (named("ACCESS_KEY_ID"), named("ACCESS_KEY_SECRET"))
        {
            return Ok(Credential { access_key, secret, session_token: named("SECURITY_TOKEN"), expires: None });
        }
        if let Some(found) = self.of_profile().await? {
            return Ok(found);
        }
        if named("ECS_METADATA_DISABLED").is_some_and(|value| value == "true") {
            return Err(missing());
        }
        let role = named("ECS_METADATA");
        self.of_role(role.as_deref()).await.map_err(|problem| format!("{}; {problem}", missing()))
    }

    /// None where there is no profile and none was asked for.
    async fn of_profile(&self) -> Result<Option<Credential>, String> {
        let wanted = self.choice.profile.as_ref().or_else(|| self.variables.get("PROFILE"));
        let Some(path) = self.home.as_ref().map(|home| home.join(".aliyun/config.json")) else { return Ok(None) };
        let shown = path.display().to_string();
        let text = match std::fs::read(&path) {
            Ok(text) if text.len() <= MAX_BYTES => text,
            Ok(_) => return Err(format!("{shown} has more than {MAX_BYTES} bytes")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && wanted.is_none() => return Ok(None),
            Err(error) => return Err(format!("{shown} can't be read: {error}")),
        };
        // The parser's own message may show a value.
        let file: Value = serde_json::from_slice(&text).map_err(|_| format!("{shown} isn't JSON"))?;
        let name = match wanted {
            Some(name) => name.as_str(),
            None => file["current"].as_str().unwrap_or("default"),
        };
        let profiles = file["profiles"].as_array().into_iter().flatten();
        let Some(profile) = profiles.into_iter().find(|it| it["name"] == name) else {
            return Err(format!("{shown} has no profile {name:?}"));
        };
        let text = |field: &str| profile[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let mode = text("mode").unwrap_or_else(|| "AK".to_owned());
        let session_token = match mode.as_str() {
            "AK" => None,
            "StsToken" => text("sts_token"),
            "EcsRamRole" => return self.of_role(text("ram_role_name").as_deref()).await.map(Some),
            other => {
                return Err(format!(
                    "the profile {name:?} of {shown} has the mode {other:?}: AK, StsToken and EcsRamRole are known"
                ));
            }
        };
        match (text("access_key_id"), text("access_key_secret")) {
            (Some(access_key), Some(secret)) => {
                Ok(Some(Credential { access_key, secret, session_token, expires: None }))
            }
            _ => Err(format!("the profile {name:?} of {shown} has no key")),
        }
    }

    /// Of a role of this instance; of the one that it has where none is named.
    async fn of_role(&self, role: Option<&str>) -> Result<Credential, String> {
        let token = self.token().await?;
        let found;
        let role = match role {
            Some(role) => role,
            None => {
                found = self.asked(ROLES, token.as_deref()).await?;
                found.trim()
            }
        };
        let answer = self.asked(&format!("{ROLES}{role}"), token.as_deref()).await?;
        // The parser's own message may show a value.
        let malformed = || format!("the metadata service's answer for the role {role:?} isn't a credential");
        let answer: Value = serde_json::from_str(&answer).map_err(|_| malformed())?;
        let text = |field: &str| answer[field].as_str().map(str::to_owned).ok_or_else(malformed);
        let expires = DateTime::from_str(&text("Expiration")?, Format::DateTime).map_err(|_| malformed())?;
        Ok(Credential {
            access_key: text("AccessKeyId")?,
            secret: text("AccessKeySecret")?,
            session_token: Some(text("SecurityToken")?),
            expires: Some(SystemTime::try_from(expires).map_err(|_| malformed())?),
        })
    }

    /// What hardened instances want with every request. Others may not know it, which is refused only
    /// where the environment says that there are none.
    async fn token(&self) -> Result<Option<String>, String> {
        let header = ("x-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_SECONDS);
        match self.exchange(Method::PUT, "/latest/api/token", Some(header)).await {
            Ok((StatusCode::OK, token)) => Ok(Some(token)),
            Ok(_) if self.variables.get("IMDSV1_DISABLED").is_none_or(|value| value != "true") => Ok(None),
            Ok((status, _)) => Err(format!("the metadata service gave no token: status {}", status.as_u16())),
            Err(problem) => Err(problem),
        }
    }

    async fn asked(&self, path: &str, token: Option<&str>) -> Result<String, String> {
        let header = token.map(|token| ("x-aliyun-ecs-metadata-token", token));
        match self.exchange(Method::GET, path, header).await? {
            (StatusCode::OK, answer) => Ok(answer),
            (status, _) => Err(format!("the metadata service answered {path} with status {}", status.as_u16())),
        }
    }

    /// Directly: no proxy leads to this machine's own service.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        header: Option<(&str, &str)>,
    ) -> Result<(StatusCode, String), String> {
        let failed = |what: &str| format!("the metadata service at {} {what}", self.metadata);
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.metadata));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| failed("can't be asked for this role"))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let exchange = async {
            let answer = client.request(request).await.map_err(|_| failed("wasn't reached"))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
            let body = body.map_err(|_| failed("broke off its answer"))?.to_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        tokio::time::timeout(ANSWER_WITHIN, exchange).await.map_err(|_| failed("didn't answer in time"))?
    }
}

fn missing() -> String {
    "no credentials were found in ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, in \
     ~/.aliyun/config.json or at the ECS metadata service: set the keys in the pipeline, or one of those"
        .to_owned()
}

#[cfg(test)]
mod tests;
