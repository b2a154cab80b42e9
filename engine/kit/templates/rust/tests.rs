//! What can be tested without an engine: pure functions. The host's functions panic here.

#[test]
fn a_table_is_taken() {
{{#source}}    assert!(culvert_sdk::config::parse::<super::source::Config>(r#"{"path": "/store"}"#).is_ok());
{{#sink}}    assert!(culvert_sdk::config::parse::<super::sink::Config>(r#"{"path": "/store"}"#).is_ok());
}
