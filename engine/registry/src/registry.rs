//! One registry: a connector's artifact out of it and into it. Everything that comes is held against the
//! digest by which it was asked for; a tag says which that is, and nothing more.

use std::time::Duration;

use culvert_manifest::{Digest, Reference};
use oci_client::{Reference as Place, RegistryOperation};
use reqwest::header::HeaderValue;

use crate::{
    artifact::{Artifact, LAYER, Layer, MANIFEST, MAX_COMPONENT_BYTES, MAX_MANIFEST_BYTES, digest},
    cache::Cache,
    credentials,
    error::Error,
    transport::Transport,
};

pub use crate::artifact::Description;

/// Longest that a pull or a push may take: 256 MiB at 1.2 Mbit/s.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// What a caller may do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// Plain HTTP to a registry on another machine.
    pub insecure: bool,
}

/// A connector as it was pulled or pushed.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// Of the manifest: what the registry calls the artifact.
    pub digest: Digest,
    /// Of the component.
    pub sha256: Digest,
    pub component: Vec<u8>,
}

/// Where a reference leads.
pub struct Registry {
    transport: Transport,
    reference: Reference,
    place: Place,
}

// === impl Pulled ===

impl Pulled {
    /// What was pulled before; none if a part of it isn't there.
    ///
    /// # Errors
    /// It was changed on disk.
    pub fn cached(cache: &Cache, manifest: &Digest) -> Result<Option<Self>, Error> {
        let Some(bytes) = cache.get(manifest)? else { return Ok(None) };
        let layer = Layer::of(&bytes).map_err(|what| Error::refused(format!("the artifact {manifest}: {what}")))?;
        let component = cache.get(&layer.digest)?;
        Ok(component.map(|component| Self { digest: manifest.clone(), sha256: layer.digest, component }))
    }
}

// === impl Registry ===

impl Registry {
    /// Connects to nothing.
    ///
    /// # Errors
    /// The credentials can't be read.
    pub fn of(reference: &Reference, terms: Terms) -> Result<Self, Error> {
        let Reference { registry, name, tag, digest } = reference;
        let auth = credentials::find(registry)?;
        let plain = terms.insecure || reference.is_loopback();
        let transport = Transport::new(registry, plain, terms.insecure, auth)?;
        let place = match (digest, tag) {
            (Some(digest), _) => Place::with_digest(registry.clone(), name.clone(), digest.to_string()),
            (None, tag) => Place::with_tag(registry.clone(), name.clone(), tag.clone().unwrap_or_default()),
        };
        Ok(Self { transport, reference: reference.clone(), place })
    }

    /// The connector, and into the cache with it.
    ///
    /// # Errors
    /// The registry can't be reached, has no such connector or something else by its digest.
    pub fn pull(&self, cache: &Cache) -> Result<Pulled, Error> {
        block_on(async {
            let reference = &self.reference;
            let manifest = self.manifest().await?;
            let found = digest(&manifest);
            if let Some(wanted) = reference.digest.as_ref().filter(|wanted| **wanted != found) {
                return Err(other(reference, "a manifest", &found, wanted));
            }
            let layer = Layer::of(&manifest).map_err(|what| Error::refused(format!("{reference}: {what}")))?;
            let component = match cache.get(&layer.digest)? {
                Some(component) => component,
                None => self.layer(&layer).await?,
            };
            let sha256 = cache.put(&component)?;
            cache.put(&manifest)?;
            Ok(Pulled { digest: found, sha256, component })
        })
    }

    /// What a tag stands for now: the digest of the manifest.
    ///
    /// # Errors
    /// The registry can't be reached or has no such tag.
    pub fn resolve(&self) -> Result<Digest, Error> {
        block_on(async { self.manifest().await.map(|manifest| digest(&manifest)) })
    }

    /// Puts a component there, under the reference's tag.
    ///
    /// # Errors
    /// The registry can't be reached or doesn't take it.
    pub fn push(&self, component: Vec<u8>, about: &Description) -> Result<Pulled, Error> {
        if component.len() as u64 > MAX_COMPONENT_BYTES {
            let size = component.len();
            return Err(Error::refused(format!(
                "the component has {size} bytes; at most {MAX_COMPONENT_BYTES} are taken"
            )));
        }
        let Artifact { manifest, config } = Artifact::of(&component, about);
        let (found, sha256) = (digest(&manifest), digest(&component));
        block_on(async {
            let (transport, place) = (&self.transport, &self.place);
            let failed = |what: &'static str| move |error| transport.failed(&error, what);
            transport.authenticate(place, RegistryOperation::Push).await?;
            for blob in [component.clone(), config] {
                let digest = digest(&blob).to_string();
                let pushed = transport.client().push_blob(place, blob, &digest).await;
                pushed.map_err(failed("pushing a part of the connector"))?;
            }
            let kind = HeaderValue::from_static(MANIFEST);
            let pushed = transport.client().push_manifest_raw(place, manifest, kind).await;
            pushed.map_err(failed("pushing the connector's manifest"))
        })?;
        Ok(Pulled { digest: found, sha256, component })
    }

    async fn manifest(&self) -> Result<Vec<u8>, Error> {
        let reference = &self.reference;
        let named = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        };
        let path = format!("manifests/{named}");
        let manifest = self.transport.get((&self.place, &path), MANIFEST, MAX_MANIFEST_BYTES).await?;
        manifest.ok_or_else(|| {
            let registry = &reference.registry;
            Error::refused(format!(
                "{reference}: the registry {registry} has no such connector; see its name and its {}",
                match reference.digest {
                    Some(_) => "digest",
                    None => "tag",
                }
            ))
        })
    }

    async fn layer(&self, layer: &Layer) -> Result<Vec<u8>, Error> {
        let reference = &self.reference;
        let path = format!("blobs/{}", layer.digest);
        let component = self.transport.get((&self.place, &path), LAYER, layer.size).await?;
        let component = component.ok_or_else(|| {
            Error::refused(format!("{reference}: the registry has its manifest and not its component; push it again"))
        })?;
        let found = digest(&component);
        if found != layer.digest {
            return Err(other(reference, "a component", &found, &layer.digest));
        }
        Ok(component)
    }
}

/// Something else than what was asked for.
fn other(reference: &Reference, what: &str, found: &Digest, wanted: &Digest) -> Error {
    Error::refused(format!(
        "{reference}: the registry sends {what} with the digest {found} instead of {wanted}; something on the way or in \
         the registry has changed it, and nothing of it is kept"
    ))
}

/// On a runtime of its own: whoever asks waits, but not for a registry that sends a byte now and then.
fn block_on<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::unreachable(format!("can't start a runtime: {error}")))?;
    let bounded = runtime.block_on(async { tokio::time::timeout(DEADLINE, asked).await });
    bounded
        .unwrap_or_else(|_| Err(Error::unreachable(format!("the registry didn't come to an end within {DEADLINE:?}"))))
}
