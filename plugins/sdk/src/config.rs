//! An endpoint's table into a type of the connector. Names the field that is wrong and what belongs
//! there; never repeats a value, which may be a secret.

mod value;

use serde::de::DeserializeOwned;

use crate::{error, types::Error};

/// Parses the JSON that `configure` gets. The host has checked it against the connector's schema, so
/// an error here means that schema and type disagree, or a rule that a schema can't say.
///
/// ```
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Config {
///     bucket: String,
///     #[serde(default)]
///     path_style: bool,
/// }
///
/// let config: Config = culvert_sdk::config::parse(r#"{"bucket": "archive"}"#).unwrap();
/// assert_eq!((config.bucket.as_str(), config.path_style), ("archive", false));
///
/// let error = culvert_sdk::config::parse::<Config>(r#"{"bucket": 1}"#).unwrap_err();
/// assert_eq!((error.code.as_str(), error.message.as_str()), ("invalid-config", "bucket: expected a string"));
/// ```
///
/// # Errors
/// `invalid-config`, beginning with the field's name.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    let table: serde_json::Value = serde_json::from_str(json).map_err(|problem| {
        // The text of serde_json's error may repeat a value; the position can't.
        let (line, column) = (problem.line(), problem.column());
        error::invalid_config(format!("the table isn't valid JSON at line {line}, column {column}"))
    })?;
    T::deserialize(value::Node::new(table)).map_err(|problem| error::invalid_config(problem.to_string()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Keep,
        Follow,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(try_from = "u16")]
    struct Even(u16);

    impl TryFrom<u16> for Even {
        type Error = String;

        fn try_from(value: u16) -> Result<Self, String> {
            if value.is_multiple_of(2) { Ok(Self(value)) } else { Err(format!("{value} is odd")) }
        }
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        name: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        secret: String,
        count: Option<u8>,
        mode: Option<Mode>,
        even: Option<Even>,
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<i64>,
        #[serde(default)]
        ratio: f64,
    }

    fn message(json: &str) -> String {
        let error = parse::<Config>(json).expect_err("the table is wrong");
        assert_eq!(error.code, "invalid-config");
        error.message
    }

    #[test]
    fn takes_every_shape() {
        let json = r#"{"secret": "s", "count": 3, "mode": "follow", "even": 4, "inner": {"name": "n"}, "list": [-1], "ratio": 1}"#;
        let config = Config {
            secret: "s".into(),
            count: Some(3),
            mode: Some(Mode::Follow),
            even: Some(Even(4)),
            inner: Some(Inner { name: "n".into() }),
            list: vec![-1],
            ratio: 1.0,
        };
        assert_eq!(parse::<Config>(json), Ok(config));
        assert_eq!(parse::<Config>(r#"{"secret": "s", "count": null}"#).map(|config| config.count), Ok(None));
    }

    #[test]
    fn names_the_field_and_what_belongs_there() {
        assert_eq!(message("{}"), "secret: is missing");
        assert_eq!(message(r#"{"secret": "s", "count": true}"#), "count: expected u8");
        assert_eq!(message(r#"{"secret": "s", "mode": "copy"}"#), "mode: expected one of `keep`, `follow`");
        assert_eq!(message(r#"{"secret": "s", "inner": {"name": 1}}"#), "inner.name: expected a string");
        assert_eq!(message(r#"{"secret": "s", "inner": {}}"#), "inner.name: is missing");
        assert_eq!(message(r#"{"secret": "s", "list": [1, "x"]}"#), "list[1]: expected i64");
        assert_eq!(message(r#"{"secret": "s", "even": 3}"#), "even: isn't valid");
        assert_eq!(
            message(r#"{"secret": "s", "inner": {"other": 1}}"#),
            "inner.other: isn't known, expected one of `name`"
        );
    }

    #[test]
    fn never_repeats_a_value() {
        for json in [
            r#"{"secret": ["hunter2"]}"#,
            r#"{"secret": {"hunter2": 1}}"#,
            r#"{"secret": "s", "count": "hunter2"}"#,
            r#"{"secret": "s", "mode": "hunter2"}"#,
            r#"{"secret": "s", "mode": {"hunter2": 1}}"#,
            r#"{"secret": "hunter2"#,
            r#""hunter2""#,
        ] {
            assert!(!message(json).contains("hunter2"), "{json}: {}", message(json));
        }
    }
}
