//! A form of values for short-lived files of this program: it needs no type to be read, and keeps every bit.
//!
//! A value is a tag and what belongs to it; numbers are little-endian, lengths have 8 bytes.

use std::sync::Arc;

use crate::types::Name;
use crate::value::Value;

/// Appends the packed form of a value. What is held elsewhere is written as it is.
pub fn pack(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bool(x) => out.extend([0, u8::from(*x)]),
        Value::S8(x) => tagged(1, &x.to_le_bytes(), out),
        Value::S16(x) => tagged(2, &x.to_le_bytes(), out),
        Value::S32(x) => tagged(3, &x.to_le_bytes(), out),
        Value::S64(x) => tagged(4, &x.to_le_bytes(), out),
        Value::U8(x) => tagged(5, &x.to_le_bytes(), out),
        Value::U16(x) => tagged(6, &x.to_le_bytes(), out),
        Value::U32(x) => tagged(7, &x.to_le_bytes(), out),
        Value::U64(x) => tagged(8, &x.to_le_bytes(), out),
        Value::F32(x) => tagged(9, &x.to_le_bytes(), out),
        Value::F64(x) => tagged(10, &x.to_le_bytes(), out),
        Value::Char(x) => tagged(11, &u32::from(*x).to_le_bytes(), out),
        Value::String(text) => counted(12, text.as_bytes(), out),
        Value::Bytes(bytes) => counted(13, bytes, out),
        Value::List(items) => all(14, items, out, pack),
        Value::Tuple(items) => all(15, items, out, pack),
        Value::Record(fields) => all(16, fields, out, |(name, value), out| {
            bytes(name.as_bytes(), out);
            pack(value, out);
        }),
        Value::Variant(name, payload) => {
            counted(17, name.as_bytes(), out);
            option(payload.as_deref(), out);
        }
        Value::Enum(name) => counted(18, name.as_bytes(), out),
        Value::Flags(names) => all(19, names, out, |name, out| bytes(name.as_bytes(), out)),
        Value::Option(inner) => {
            out.push(20);
            option(inner.as_deref(), out);
        }
        Value::Result(Ok(payload)) => {
            out.push(21);
            option(payload.as_deref(), out);
        }
        Value::Result(Err(payload)) => {
            out.push(22);
            option(payload.as_deref(), out);
        }
        Value::Json(document) => counted(23, document.to_string().as_bytes(), out),
        Value::Dir(path) => counted(24, path.as_bytes(), out),
        Value::Duration(nanoseconds) => tagged(25, &nanoseconds.to_le_bytes(), out),
        Value::Unit => out.push(26),
        Value::Held(held) => pack(&held.open(), out),
    }
}

fn tagged(tag: u8, number: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(number);
}

fn counted(tag: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    bytes(text, out);
}

fn bytes(text: &[u8], out: &mut Vec<u8>) {
    length(text.len(), out);
    out.extend_from_slice(text);
}

fn length(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(count as u64).to_le_bytes());
}

fn all<T>(tag: u8, items: &[T], out: &mut Vec<u8>, each: impl Fn(&T, &mut Vec<u8>)) {
    out.push(tag);
    length(items.len(), out);
    items.iter().for_each(|item| each(item, out));
}

fn option(value: Option<&Value>, out: &mut Vec<u8>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        pack(value, out);
    }
}

/// The value with this packed form; none when it is not one.
#[must_use]
pub fn unpack(packed: &[u8]) -> Option<Value> {
    let mut rest = Rest(packed);
    let value = rest.value()?;
    rest.0.is_empty().then_some(value)
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.number().map(u8::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.number()?)).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn all<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.length()?;
        // Each item takes a byte at least, so a wrong count makes no large list.
        let mut items = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            items.push(each(self)?);
        }
        Some(items)
    }

    fn option(&mut self) -> Option<Option<Arc<Value>>> {
        match self.byte()? {
            0 => Some(None),
            _ => Some(Some(Arc::new(self.value()?))),
        }
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.byte()? {
            0 => Value::Bool(self.byte()? != 0),
            1 => Value::S8(i8::from_le_bytes(self.number()?)),
            2 => Value::S16(i16::from_le_bytes(self.number()?)),
            3 => Value::S32(i32::from_le_bytes(self.number()?)),
            4 => Value::S64(i64::from_le_bytes(self.number()?)),
            5 => Value::U8(self.byte()?),
            6 => Value::U16(u16::from_le_bytes(self.number()?)),
            7 => Value::U32(u32::from_le_bytes(self.number()?)),
            8 => Value::U64(u64::from_le_bytes(self.number()?)),
            9 => Value::F32(f32::from_le_bytes(self.number()?)),
            10 => Value::F64(f64::from_le_bytes(self.number()?)),
            11 => Value::Char(char::from_u32(u32::from_le_bytes(self.number()?))?),
            12 => Value::string(self.text()?),
            13 => {
                let length = self.length()?;
                Value::Bytes(self.take(length)?.into())
            }
            14 => Value::list(self.all(Self::value)?),
            15 => Value::tuple(self.all(Self::value)?),
            16 => Value::record(self.all(|rest| Some((Name::from(rest.text()?), rest.value()?)))?),
            17 => Value::Variant(self.text()?.into(), self.option()?),
            18 => Value::Enum(self.text()?.into()),
            19 => Value::Flags(self.all(|rest| rest.text().map(Name::from))?.into()),
            20 => Value::Option(self.option()?),
            21 => Value::Result(Ok(self.option()?)),
            22 => Value::Result(Err(self.option()?)),
            23 => Value::Json(Arc::new(serde_json::from_str(self.text()?).ok()?)),
            24 => Value::Dir(self.text()?.into()),
            25 => Value::Duration(u64::from_le_bytes(self.number()?)),
            26 => Value::Unit,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{pack, unpack};
    use crate::value::Value;

    fn one_of_each() -> Vec<Value> {
        let document = serde_json::json!({ "a": [1, -2, 0.1, 1e300, null, true, "é\u{1f600}\n"] });
        vec![
            Value::Bool(true),
            Value::S8(i8::MIN),
            Value::S16(i16::MIN),
            Value::S32(i32::MIN),
            Value::S64(i64::MIN),
            Value::U8(u8::MAX),
            Value::U16(u16::MAX),
            Value::U32(u32::MAX),
            Value::U64(u64::MAX),
            Value::F32(-0.1),
            Value::F64(f64::MIN_POSITIVE),
            Value::Char('\u{1f600}'),
            Value::string("é\u{1f600}\n\0"),
            Value::Bytes([0, 255].into()),
            Value::list([]),
            Value::list([Value::Unit, Value::Unit]),
            Value::tuple([Value::Bool(false), Value::string("")]),
            Value::record([("b", Value::U8(1)), ("a", Value::none())]),
            Value::Variant("case".into(), None),
            Value::Variant("case".into(), Some(Arc::new(Value::some(Value::none())))),
            Value::Enum("red".into()),
            Value::Flags(["read".into(), "write".into()].into()),
            Value::Result(Ok(None)),
            Value::Result(Err(Some(Arc::new(Value::string("no"))))),
            Value::Json(Arc::new(document)),
            Value::Dir("/a".into()),
            Value::Duration(1),
        ]
    }

    #[test]
    fn every_value_comes_back_with_every_bit() {
        for value in one_of_each().into_iter().chain([Value::list(one_of_each())]) {
            let mut packed = Vec::new();
            pack(&value, &mut packed);
            let read = unpack(&packed).unwrap();
            assert_eq!(read, value);
            assert_eq!(read.size(), value.size(), "{value:?}");
            for length in 0..packed.len() {
                assert_eq!(unpack(&packed[..length]), None, "{value:?} cut after {length} bytes");
            }
            packed.push(0);
            assert_eq!(unpack(&packed), None, "{value:?} and a byte more");
        }
        let mut packed = Vec::new();
        pack(&Value::F64(f64::from_bits(0x7ff8_0000_0000_1234)), &mut packed);
        let Some(Value::F64(nan)) = unpack(&packed) else { panic!("no number") };
        assert_eq!(nan.to_bits(), 0x7ff8_0000_0000_1234);
        assert_eq!(unpack(&[255]), None);
    }
}
