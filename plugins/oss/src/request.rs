//! A request to OSS before it's signed: what it's about and what it says. Has no body and knows no
//! server.

use crate::key::{escaped, escaped_path};

/// Names of headers are in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) method: &'static str,
    /// The bucket's own key; none where it's about the bucket.
    pub(crate) key: Option<String>,
    /// Unescaped. A value that's empty isn't written.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
}

// === impl Draft ===

impl Draft {
    pub(crate) fn of_bucket(method: &'static str) -> Self {
        Self { method, key: None, query: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn of_object(method: &'static str, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..Self::of_bucket(method) }
    }

    /// With an empty value, the name stands alone: a part of the object, `?uploads`.
    pub(crate) fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Nothing where there is no value.
    pub(crate) fn maybe_header(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// The key as a URL's path has it; empty for the bucket.
    pub(crate) fn path(&self) -> String {
        escaped_path(self.key.as_deref().unwrap_or_default())
    }

    /// The query as the URL has it and as V4 signs it: sorted by escaped name, then by escaped value.
    pub(crate) fn query_text(&self) -> String {
        let mut pairs: Vec<_> = self.query.iter().map(|(name, value)| (escaped(name), escaped(value))).collect();
        pairs.sort();
        let pairs = pairs.into_iter().map(|(name, value)| match value.as_str() {
            "" => name,
            value => format!("{name}={value}"),
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// A header's value, trimmed; empty where there is none.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.headers.iter().find(|(each, _)| each == name).map_or("", |(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped_and_sorted() {
        let draft =
            Draft::of_object("GET", "a b/ü").query("uploads", "").query("encoding-type", "url").query("a+", "b c");
        assert_eq!(draft.query_text(), "a%2B=b%20c&encoding-type=url&uploads");
        assert_eq!(draft.path(), "a%20b/%C3%BC");
    }
}
