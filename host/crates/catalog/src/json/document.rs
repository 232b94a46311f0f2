//! JSON text to a tree.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};

/// The tree of a JSON text. The parser stops at a nesting of 128.
///
/// Not `serde_json::from_str::<Value>`: when any crate of the build turns on `serde_json/raw_value`, that one takes an object
/// with a certain key for JSON inside a string and parses it anew, so a hostile text nests as deep as it likes.
pub(super) fn parse_document(text: &str) -> serde_json::Result<Json> {
    serde_json::from_str::<Document>(text).map(|document| document.0)
}

struct Document(Json);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree).map(Self)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, x: bool) -> Result<Json, E> {
        Ok(Json::Bool(x))
    }

    fn visit_i64<E>(self, x: i64) -> Result<Json, E> {
        Ok(Json::Number(x.into()))
    }

    fn visit_u64<E>(self, x: u64) -> Result<Json, E> {
        Ok(Json::Number(x.into()))
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Json, E> {
        Number::from_f64(x).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, x: &str) -> Result<Json, E> {
        Ok(Json::String(x.to_owned()))
    }

    fn visit_string<E>(self, x: String) -> Result<Json, E> {
        Ok(Json::String(x))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(Document(item)) = items.next_element()? {
            out.push(item);
        }
        Ok(Json::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let mut out = Map::new();
        while let Some((name, Document(value))) = fields.next_entry::<String, Document>()? {
            out.insert(name, value);
        }
        Ok(Json::Object(out))
    }
}
