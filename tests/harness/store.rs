//! What tests need of a server with buckets, whatever its protocol: so that a store's tests are written
//! once. Runs no test.

use serde_json::Value;

/// A running server with authentication on, and an independent client for it.
pub(crate) trait Store {
    fn port(&self) -> u16;

    /// The keys of an end at a bucket of a server at this endpoint.
    fn end_at(&self, endpoint: &str, bucket: &str) -> String;

    /// What the independent client prints.
    fn ask(&self, arguments: &[&str]) -> String;

    /// The same as JSON.
    fn ask_json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ask(arguments)).unwrap()
    }

    /// Keys of uploads in parts that nobody completed or aborted.
    fn uploads(&self, bucket: &str) -> Vec<String> {
        serde_json::from_value(self.ask_json(&["uploads", bucket])).unwrap()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The keys of an end at a bucket of this server.
    fn bucket(&self, bucket: &str) -> String {
        self.end_at(&self.url(), bucket)
    }
}
