//! The fleet that a command is about: connected to once, when it's first needed. Keeps no secret.

use std::{
    env,
    ffi::OsString,
    fs,
    path::Path,
    process,
    sync::{Arc, OnceLock},
};

use culvert_fleet::{Credentials, Fleet, Secret, Server};
use culvert_flow::error::Code;

use crate::{
    args::{self, Places},
    exit::Failure,
};

/// A password's variable: an argument would be seen by everybody on the machine.
const PASSWORD: &str = "CULVERT_FLEET_PASSWORD";
/// Longest credentials file, in bytes: some hundred times one.
const MAX_BYTES: u64 = 256 * 1024;

/// The connection, once there is one; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection(Arc<OnceLock<Fleet>>);

/// The fleet that was named; none: this machine's state folder is meant.
///
/// # Errors
/// It can't be reached, or what says who one is can't be read.
pub(crate) fn fleet(places: &Places) -> Result<Option<Fleet>, Failure> {
    let asked = &places.fleet;
    let Some(url) = &asked.url else { return Ok(None) };
    if let Some(fleet) = asked.connection.0.get() {
        return Ok(Some(fleet.clone()));
    }
    let failed = |error: culvert_flow::error::Error| {
        let is_wrong = error.code == Code::INVALID_CONFIG;
        if is_wrong { Failure::usage(error.message) } else { Failure::could_not_go_on(error.message) }
    };
    let server = Server::new(url, credentials(asked)?, asked.ca.clone()).map_err(failed)?;
    if let Some(path) = &asked.ca {
        fs::metadata(path).map_err(|error| Failure::usage(format!("--fleet-ca {}: {error}", path.display())))?;
    }
    let fleet = Fleet::connect(&server, &format!("culvert {}", process::id())).map_err(failed)?;
    Ok(Some(asked.connection.0.get_or_init(|| fleet).clone()))
}

/// The arguments with which another `engine` reaches the same fleet. Variables are inherited.
pub(crate) fn arguments(places: &Places) -> Vec<OsString> {
    let args::fleet::Fleet { url, user, password_file, credentials, nkey, ca, .. } = &places.fleet;
    let texts = [("--fleet", url), ("--fleet-user", user)];
    let texts = texts.into_iter().map(|(name, text)| (name, text.as_ref().map(OsString::from)));
    let files = [
        ("--fleet-password-file", password_file),
        ("--fleet-credentials", credentials),
        ("--fleet-nkey", nkey),
        ("--fleet-ca", ca),
    ];
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    let files = files.into_iter().map(|(name, path)| (name, path.as_deref().map(absolute)));
    texts.chain(files).filter_map(|(name, value)| Some([name.into(), value?])).flatten().collect()
}

fn credentials(asked: &args::fleet::Fleet) -> Result<Credentials, Failure> {
    let given = [asked.user.is_some(), asked.credentials.is_some(), asked.nkey.is_some()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(Failure::usage("of --fleet-user, --fleet-credentials and --fleet-nkey one can be given"));
    }
    if let Some(path) = &asked.credentials {
        return Ok(Credentials::File(read("--fleet-credentials", path)?));
    }
    if let Some(path) = &asked.nkey {
        return Ok(Credentials::Seed(read("--fleet-nkey", path)?));
    }
    let Some(user) = &asked.user else { return Ok(Credentials::None) };
    let password = match &asked.password_file {
        Some(path) => read("--fleet-password-file", path)?,
        None => Secret::new(env::var(PASSWORD).map_err(|_| {
            Failure::usage(format!(
                "--fleet-user {user}: its password is missing; set {PASSWORD}, or give --fleet-password-file"
            ))
        })?),
    };
    Ok(Credentials::Password { user: user.clone(), password })
}

/// A file's text, without the line's end behind it.
fn read(argument: &str, path: &Path) -> Result<Secret, Failure> {
    let failed = |what: String| Failure::usage(format!("{argument} {}: {what}", path.display()));
    let length = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > MAX_BYTES {
        return Err(failed(format!("it has {length} bytes; at most {MAX_BYTES} are read")));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}
