//! A serde deserializer over a JSON value whose errors carry the path of the field and never the
//! value. Takes what `serde_json::Value` takes; borrows nothing.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor},
    forward_to_deserialize_any,
};
use serde_json::Value;

/// A value of the table.
pub(super) struct Node(Value);

/// Why a table doesn't fit: where, as `inner.list[2]` (empty at the top), and what belongs there.
#[derive(Debug)]
pub(super) struct Problem {
    path: String,
    expectation: String,
}

struct Fields {
    rest: serde_json::map::IntoIter,
    current: Option<(String, Value)>,
}

struct Items {
    rest: std::iter::Enumerate<std::vec::IntoIter<Value>>,
}

struct Variant {
    name: String,
    content: Option<Value>,
}

// === impl Problem ===

impl Problem {
    fn new(path: &str, expectation: String) -> Self {
        Self { path: path.to_owned(), expectation }
    }

    /// The same problem, seen from one level up.
    fn below(mut self, parent: &str) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{parent}{separator}{}", self.path);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the table" } else { &self.path };
        write!(formatter, "{path}: {}", self.expectation)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    /// The text of a type's own rule may repeat the value, so it isn't kept.
    fn custom<T: fmt::Display>(_text: T) -> Self {
        Self::new("", "isn't valid".to_owned())
    }

    fn invalid_type(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new("", format!("expected {expected}"))
    }

    fn invalid_value(_found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new("", format!("expected {expected}"))
    }

    fn invalid_length(_length: usize, expected: &dyn Expected) -> Self {
        Self::new("", format!("expected {expected}"))
    }

    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new("", format!("expected one of {}", words(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(field, format!("isn't known, expected one of {}", words(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(field, "is missing".to_owned())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(field, "is there twice".to_owned())
    }
}

// === impl Node ===

impl Node {
    pub(super) fn new(value: Value) -> Self {
        Self(value)
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (_, _, Some(value)) => visitor.visit_f64(value),
                _ => Err(Problem::new("", "expected a number".to_owned())),
            },
            Value::String(value) => visitor.visit_string(value),
            Value::Array(items) => visitor.visit_seq(Items { rest: items.into_iter().enumerate() }),
            Value::Object(fields) => visitor.visit_map(Fields { rest: fields.into_iter(), current: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let variant = match self.0 {
            Value::String(name) => Variant { name, content: None },
            Value::Object(fields) if fields.len() == 1 => match fields.into_iter().next() {
                Some((name, content)) => Variant { name, content: Some(content) },
                None => return Err(de::Error::unknown_variant("", variants)),
            },
            _ => return Err(de::Error::unknown_variant("", variants)),
        };
        visitor.visit_enum(variant)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

// === impl Fields ===

impl<'de> MapAccess<'de> for Fields {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        self.current = self.rest.next();
        let Some((name, _)) = &self.current else { return Ok(None) };
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let (name, value) =
            self.current.take().ok_or_else(|| Problem::new("", "expected a value for each name".to_owned()))?;
        seed.deserialize(Node(value)).map_err(|problem| problem.below(&name))
    }
}

// === impl Items ===

impl<'de> SeqAccess<'de> for Items {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some((index, value)) = self.rest.next() else { return Ok(None) };
        seed.deserialize(Node(value)).map(Some).map_err(|problem| problem.below(&format!("[{index}]")))
    }
}

// === impl Variant ===

impl<'de> EnumAccess<'de> for Variant {
    type Error = Problem;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content), Problem> {
        let variant = seed.deserialize(self.name.as_str().into_deserializer())?;
        Ok((variant, Content(self.content)))
    }
}

/// What an enum's variant holds.
pub(super) struct Content(Option<Value>);

impl<'de> de::VariantAccess<'de> for Content {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(Problem::new("", "expected a string".to_owned())),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        seed.deserialize(Node(self.0.unwrap_or(Value::Null)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        Node(self.0.unwrap_or(Value::Null)).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Problem> {
        Node(self.0.unwrap_or(Value::Null)).deserialize_any(visitor)
    }
}

fn words(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
