//! What an object is given beside its bytes: type, metadata, class, tags, encryption, ACL. Refuses
//! metadata that a header can't hold.

use std::collections::HashMap;

use culvert_sdk::{
    error::{self, quote},
    types::{Error, Object},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{client::Store, object};

/// What the names of a source's own metadata begin with.
const USER: &str = "user.";

// === impl Store ===

impl Store {
    pub(super) fn content_type<'a>(&'a self, object: &'a Object) -> Option<&'a str> {
        object::value(object, "content-type").or(self.config.content_type.as_deref())
    }

    /// # Errors
    /// `unsupported` where a name or a value isn't fit for a header.
    pub(super) fn metadata(&self, object: &Object) -> Result<Option<HashMap<String, String>>, Error> {
        let kept = object.attributes.iter().filter_map(|it| Some((it.name.strip_prefix(USER)?, it.value.as_str())));
        let ours = self.config.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut metadata = HashMap::new();
        for (name, value) in kept.chain(ours) {
            let is_token =
                !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
            if !is_token || !value.bytes().all(|it| (b' '..=b'~').contains(&it)) {
                let (name, key) = (quote(name), quote(&object.key));
                return Err(error::unsupported(format!("the metadata {name} of {key} can't be sent in a header")));
            }
            metadata.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        Ok((!metadata.is_empty()).then_some(metadata))
    }

    /// As a query string, which is how the header has them.
    pub(super) fn tagging(&self) -> Option<String> {
        let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<_> =
            self.config.tags.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }
}
