//! The transforms that a pipeline names: loaded, their tables checked, and asked what they do. Grants them
//! nothing, whatever their schemas ask for.

use std::{fmt::Display, path::Path};

use culvert_host::{runtime::Runtime, transform::TransformEndpoint};
use culvert_manifest::{Pipeline, Problems};

use super::limits;
use crate::{
    args::Places,
    connectors::{self, Asked, pinned::Pins},
    exit::Failure,
};

/// In their order.
#[derive(Default)]
pub(super) struct Transforms {
    endpoints: Vec<TransformEndpoint>,
    /// What tells them from others, without secrets; empty without any.
    identity: String,
}

// === impl Transforms ===

impl Transforms {
    /// The outer error is about a connector, the inner one about the tables.
    pub(super) fn load(
        runtime: &Runtime,
        (file, places): (&Path, &Places),
        pipeline: &Pipeline,
    ) -> Result<Result<Self, Problems>, Failure> {
        let (mut all, mut wrong) = (Self::default(), Problems::default());
        for (index, table) in pipeline.transforms.iter().enumerate() {
            let located = |what: &dyn Display| Failure::usage(format!("{}: transform[{index}].{what}", file.display()));
            let connector = connectors::load(runtime, Asked::of(table, Pins::Beside(file)), places)
                .map_err(|failure| located(&format_args!("connector: {failure}")))?;
            let Some(schema) = connector.description().transform_schema.clone() else {
                let name = &connector.description().name;
                return Err(located(&format_args!("connector: the connector {name:?} can't be a transform")));
            };
            let config = match table.check(&schema) {
                Ok(config) => config.expose().to_string(),
                Err(problems) => {
                    wrong.append(problems);
                    continue;
                }
            };
            let endpoint = TransformEndpoint::new(connector, config, limits(&pipeline.limits));
            all.endpoints.push(endpoint.map_err(|error| located(&error.message))?);
            all.identity.push_str(&format!("\ntransform {}\n{}", index + 1, table.identity(&schema)));
        }
        if wrong.iter().next().is_some() { Ok(Err(wrong)) } else { Ok(Ok(all)) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    pub(super) fn endpoints(&self) -> Vec<TransformEndpoint> {
        self.endpoints.clone()
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().map(|endpoint| endpoint.connector().digest())
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }
}
