//! `engine connector push`: a component into a registry, once it has said that it's a connector. Overwrites a
//! tag as registries do; what it stood for stays under its digest.

use std::path::Path;

use culvert_host::loader::Connector;
use culvert_manifest::Reference;
use culvert_registry::{Description, Registry, Terms};

use crate::{
    args::{Places, connector::Push as Asked},
    assembly::runtime,
    connectors::pinned::failure,
    exit::{Exit, Failure},
    output,
};

/// # Errors
/// It's no connector, or the registry doesn't take it.
pub(super) fn execute(asked: &Asked, places: &Places) -> Result<Exit, Failure> {
    let to: Reference =
        asked.to.parse().map_err(|invalid| Failure::usage(format!("the place {:?}: {invalid}", asked.to)))?;
    if to.digest.is_some() {
        return Err(Failure::usage(format!("{to}: the digest follows from the component; write a tag alone")));
    }
    let path = Path::new(&asked.file);
    let component = Connector::read(path).map_err(Failure::usage)?;
    let connector =
        Connector::load(&runtime(places)?, &path.display().to_string(), &component).map_err(Failure::usage)?;
    let about = Description {
        name: connector.description().name.clone(),
        version: connector.description().version.clone(),
        imports: connector.imports().to_vec(),
        exports: connector.exports().to_vec(),
    };
    let terms = Terms { insecure: asked.insecure };
    let pushed = Registry::of(&to, terms).and_then(|registry| registry.push(component, &about)).map_err(failure)?;
    let pinned = Reference { tag: None, ..to.pinned(&pushed.digest) };
    output::line(&format!("pushed     {to}\nconnector  {pinned}\nsha256     {}", pushed.sha256.hex()));
    Ok(Exit::Done)
}
