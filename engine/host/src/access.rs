//! What an end of a pipeline has beside its grants to reach its endpoints: a way and an identity.
//! Says nothing about what may be reached.

use crate::{credentials::Credentials, http::Http};

/// Shared by all instances of one end; by default no way and no identity.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// None where no endpoint is granted.
    pub http: Option<Http>,
    pub credentials: Credentials,
}
