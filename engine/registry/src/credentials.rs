//! Who one is at a registry: three variables, or what `docker login` wrote. Prints no secret, and gives
//! none to a registry that it wasn't written down for.

use std::{
    collections::BTreeMap,
    env,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use crate::error::Error;

/// Largest `config.json` that's read, in bytes: one has a few hundred.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Names the registry that the other two are for.
const REGISTRY: &str = "CULVERT_REGISTRY";
const USER: &str = "CULVERT_REGISTRY_USER";
const PASSWORD: &str = "CULVERT_REGISTRY_PASSWORD";
/// Docker writes its own registry's credentials under another name than the one in references.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_INDEX: &str = "index.docker.io";
/// By this name a helper gives a token instead of a password.
const TOKEN: &str = "<token>";

/// `config.json`, as far as it's about registries.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    /// User, colon and password, in base64.
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Those for a registry; nobody where none are written down.
///
/// # Errors
/// They are, and can't be taken.
pub(crate) fn find(registry: &str) -> Result<RegistryAuth, Error> {
    if let Some(found) = from_variables(registry)? {
        return Ok(found);
    }
    let Some(path) = path() else { return Ok(RegistryAuth::Anonymous) };
    let shown = path.display();
    let text = match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
        Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
            return Err(Error::refused(format!("the credentials in {shown}: more than {MAX_FILE_BYTES} bytes")));
        }
        _ => std::fs::read_to_string(&path)
            .map_err(|error| Error::refused(format!("the credentials in {shown}: {error}")))?,
    };
    // Its message would show what stands there.
    let file: File = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::refused(format!("the credentials in {shown}: not what docker writes (line {line}, column {column})"))
    })?;
    let helper = file.cred_helpers.get(registry).or_else(|| {
        // Docker writes an empty entry for a registry whose credentials its store has.
        file.creds_store.as_ref().filter(|_| file.auths.contains_key(registry))
    });
    if let Some(helper) = helper {
        return ask(helper, registry);
    }
    let of_registry = |name: &str| {
        let name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
        let name = name.split('/').next();
        name == Some(registry) || registry == DOCKER_HUB && name == Some(DOCKER_HUB_INDEX)
    };
    let entry = file.auths.iter().find(|(name, _)| of_registry(name));
    entry.map_or(Ok(RegistryAuth::Anonymous), |(_, entry)| {
        entry.read().map_err(|what| Error::refused(format!("the credentials for {registry} in {shown}: {what}")))
    })
}

fn from_variables(registry: &str) -> Result<Option<RegistryAuth>, Error> {
    let [named, user, password] = [REGISTRY, USER, PASSWORD].map(|name| env::var(name).ok());
    match (named, user, password) {
        (Some(named), Some(user), Some(password)) if named == registry => Ok(Some(RegistryAuth::Basic(user, password))),
        (Some(_), Some(_), Some(_)) | (None, None, None) => Ok(None),
        _ => Err(Error::refused(format!(
            "{REGISTRY}, {USER} and {PASSWORD} go together: the first says which registry gets the others; set all three or none"
        ))),
    }
}

fn path() -> Option<PathBuf> {
    let folder = env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".docker")));
    folder.map(|folder| folder.join("config.json"))
}

/// Asks `docker-credential-<helper>`, as docker does.
fn ask(helper: &str, registry: &str) -> Result<RegistryAuth, Error> {
    let program = format!("docker-credential-{helper}");
    let failed = |what: &dyn std::fmt::Display| {
        Error::refused(format!(
            "the credentials for {registry} from {program}: {what}; `docker login {registry}` renews them"
        ))
    };
    if helper.contains(['/', '\0']) {
        return Err(failed(&"a helper's name has no slash"));
    }
    let mut command = Command::new(&program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(registry.as_bytes()).map_err(|error| failed(&error))?;
    }
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if !output.status.success() {
        return Err(failed(&output.status));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|_| failed(&"not what a helper answers"))?;
    if answer.username == TOKEN {
        return Err(failed(&"an identity token, which the engine can't use; log in with a user and a password"));
    }
    Ok(RegistryAuth::Basic(answer.username, answer.secret))
}

// === impl Entry ===

impl Entry {
    fn read(&self) -> Result<RegistryAuth, &'static str> {
        if self.identitytoken.as_ref().is_some_and(|token| !token.is_empty()) {
            return Err("an identity token, which the engine can't use; log in with a user and a password");
        }
        let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) else { return Ok(RegistryAuth::Anonymous) };
        let decoded = STANDARD.decode(auth.trim()).map_err(|_| "auth isn't base64")?;
        let decoded = String::from_utf8(decoded).map_err(|_| "auth isn't UTF-8")?;
        let (user, password) = decoded.split_once(':').ok_or("auth has no colon between user and password")?;
        Ok(RegistryAuth::Basic(user.to_owned(), password.trim_end_matches('\0').to_owned()))
    }
}
