//! A request about an object before it's signed: what it's about and what it says. Has no body and knows no server.

use std::borrow::Cow;

use crate::key::escaped;

/// Names of headers are in lower case.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) method: &'static str,
    /// The bucket's own.
    pub(crate) key: &'a str,
    /// Unescaped, in the order of their names.
    query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
}

// === impl Draft ===

impl<'a> Draft<'a> {
    pub(crate) fn new(method: &'static str, key: &'a str) -> Self {
        Self { method, key, query: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let at = self.query.partition_point(|(each, _)| *each < name);
        self.query.insert(at, (name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Nothing where there is no value.
    pub(crate) fn maybe_header(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// The query as the URL has it and as it's signed. This connector's names need no escape.
    pub(crate) fn query_text(&self) -> String {
        let pairs: Vec<_> = self.query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        pairs.join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped_and_in_order() {
        let draft = Draft::new("PUT", "a").query("uploadId", "a+/=ü").query("partNumber", "7");
        assert_eq!(draft.query_text(), "partNumber=7&uploadId=a%2B%2F%3D%C3%BC");
    }
}
