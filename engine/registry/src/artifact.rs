//! A connector as an OCI artifact, by the CNCF's "Wasm OCI artifact layout": a manifest, a configuration
//! and one layer. Takes nothing else, and knows no registry.

use culvert_manifest::Digest;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Of the manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const LAYER: &str = "application/wasm";
/// Where a component runs, in the layout's words.
const ARCHITECTURE: &str = "wasm";
const SYSTEM: &str = "wasip2";
/// The layout asks for a time; with the true one, the same component would have another digest each time
/// that it's pushed.
const CREATED: &str = "1970-01-01T00:00:00Z";
const OCI_SCHEMA: u32 = 2;

/// Largest manifest in bytes: one of ours has 700, and a registry needs to take 4 MiB.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Largest component in bytes, as where it's loaded.
pub(crate) const MAX_COMPONENT_BYTES: u64 = 256 << 20;

/// What a connector says of itself, for whoever looks at a registry.
#[derive(Debug, Clone, Default)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// What is pushed.
pub(crate) struct Artifact {
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
}

/// Where a manifest says that the component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// Of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    // The digits are those that it takes.
    Digest::from_hex(&hex).unwrap_or_else(|invalid| unreachable!("{invalid}"))
}

// === impl Artifact ===

impl Artifact {
    pub(crate) fn of(component: &[u8], about: &Description) -> Self {
        let layer = digest(component);
        let config = json!({
            "created": CREATED,
            "architecture": ARCHITECTURE,
            "os": SYSTEM,
            "layerDigests": [layer.to_string()],
            "component": { "exports": about.exports, "imports": about.imports },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": OCI_SCHEMA,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": digest(&config).to_string(), "size": config.len() },
            "layers": [{ "mediaType": LAYER, "digest": layer.to_string(), "size": component.len() }],
            "annotations": {
                "org.opencontainers.image.title": about.name,
                "org.opencontainers.image.version": about.version,
            },
        });
        Self { manifest: manifest.to_string().into_bytes(), config }
    }
}

// === impl Layer ===

impl Layer {
    /// The one layer of a manifest.
    ///
    /// # Errors
    /// A sentence about what it is instead of a connector's.
    pub(crate) fn of(manifest: &[u8]) -> Result<Self, String> {
        let manifest: Manifest =
            serde_json::from_slice(manifest).map_err(|error| format!("its manifest can't be read: {error}"))?;
        let is_ours = manifest.media_type.as_deref().is_none_or(|it| it == MANIFEST);
        let config = manifest.config.as_ref().map_or("none", |config| config.media_type.as_str());
        if manifest.schema_version != OCI_SCHEMA || !is_ours || config != CONFIG {
            return Err(format!(
                "it's no WebAssembly component: its configuration is of the type {config:?}, not {CONFIG}"
            ));
        }
        let [layer] = manifest.layers.as_slice() else {
            return Err(format!("it has {} layers, and a connector is one", manifest.layers.len()));
        };
        if layer.media_type != LAYER {
            return Err(format!("its layer is of the type {:?}, not {LAYER}", layer.media_type));
        }
        if layer.size > MAX_COMPONENT_BYTES {
            return Err(format!("its component has {} bytes; at most {MAX_COMPONENT_BYTES} are taken", layer.size));
        }
        let digest = layer.digest.strip_prefix("sha256:").map(Digest::from_hex);
        let Some(Ok(digest)) = digest else { return Err("its layer has no SHA-256 as its digest".to_owned()) };
        Ok(Self { digest, size: layer.size })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    fn artifact() -> Artifact {
        let about = Description { name: "mem".to_owned(), version: "1.0.0".to_owned(), ..Description::default() };
        Artifact::of(b"component", &about)
    }

    #[test]
    fn an_artifact_is_read_as_it_is_made() {
        let layer = Layer::of(&artifact().manifest).unwrap();
        assert_eq!(layer, Layer { digest: digest(b"component"), size: 9 });
        assert_eq!(artifact().manifest, artifact().manifest, "the same component has the same digest");
    }

    #[test]
    fn whatever_else_a_registry_has_is_refused() {
        let good = String::from_utf8(artifact().manifest).unwrap();
        let size = "\"size\":9";
        assert!(good.contains(size));
        for (from, to) in [
            (CONFIG, "application/vnd.oci.image.config.v1+json"),
            (LAYER, "application/vnd.oci.image.layer.v1.tar+gzip"),
            (MANIFEST, "application/vnd.oci.image.index.v1+json"),
            ("\"schemaVersion\":2", "\"schemaVersion\":1"),
            (size, "\"size\":268435457"),
            (size, "\"size\":-1"),
            ("\"layers\":[", "\"layers\":[{\"mediaType\":\"application/wasm\",\"digest\":\"sha256:00\",\"size\":1},"),
            ("\"layers\"", "\"blobs\""),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good, "{from}");
            assert!(Layer::of(bad.as_bytes()).is_err(), "{to}");
        }
        assert!(Layer::of(good.replace("sha256:", "sha512:").as_bytes()).is_err());
        assert!(Layer::of(b"").is_err() && Layer::of(b"[]").is_err());
    }
}
