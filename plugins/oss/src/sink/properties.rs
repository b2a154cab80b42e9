//! What an object is given beside its bytes: type, metadata, class, tags, encryption, ACL. Refuses
//! metadata that a header can't hold.

use culvert_sdk::{
    error::{self, quote},
    types::{Error, Object},
};

use crate::{
    client::Store,
    key::escaped,
    object::{self, USER},
    request::Draft,
};

// === impl Store ===

impl Store {
    /// All but the ACL, which an upload in parts is given at its end.
    ///
    /// # Errors
    /// `unsupported` where metadata isn't fit for a header.
    pub(super) fn described(&self, draft: Draft, object: &Object) -> Result<Draft, Error> {
        let kind = object::value(object, "content-type").or(self.config.content_type.as_deref());
        let draft = self.stored_as(draft).maybe_header("content-type", kind);
        self.metadata(draft.maybe_header("x-oss-tagging", self.tagging()), object)
    }

    /// Class and encryption.
    pub(super) fn stored_as(&self, draft: Draft) -> Draft {
        let config = &self.config;
        draft
            .maybe_header("x-oss-storage-class", config.storage_class.as_deref())
            .maybe_header("x-oss-server-side-encryption", config.encryption.as_deref())
            .maybe_header("x-oss-server-side-encryption-key-id", config.kms_key_id.as_deref())
    }

    pub(super) fn with_acl(&self, draft: Draft) -> Draft {
        draft.maybe_header("x-oss-object-acl", self.config.acl.as_deref())
    }

    /// For requests that carry an object's bytes.
    pub(crate) fn limited(&self, draft: Draft) -> Draft {
        draft.maybe_header("x-oss-traffic-limit", self.config.traffic_limit.map(|bits| bits.to_string()))
    }

    fn metadata(&self, mut draft: Draft, object: &Object) -> Result<Draft, Error> {
        let ours = &self.config.metadata;
        let kept = object.attributes.iter().filter_map(|it| Some((it.name.strip_prefix(USER)?, it.value.as_str())));
        let kept = kept.filter(|(name, _)| !ours.keys().any(|own| own.eq_ignore_ascii_case(name)));
        let ours = ours.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in kept.chain(ours) {
            // The service takes letters, digits and hyphens.
            let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
            if !is_name || !value.bytes().all(|it| (b' '..=b'~').contains(&it)) {
                let (name, key) = (quote(name), quote(&object.key));
                return Err(error::unsupported(format!("the metadata {name} of {key} can't be sent in a header")));
            }
            draft = draft.header(&format!("x-oss-meta-{}", name.to_ascii_lowercase()), value);
        }
        Ok(draft)
    }

    /// As a query string, which is how the header has them.
    pub(super) fn tagging(&self) -> Option<String> {
        let pairs: Vec<_> =
            self.config.tags.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }
}
