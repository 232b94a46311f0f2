//! Lists in both of their forms: values, and the bytes of a `list<u8>`.

use catalog::{Type, Value};

use super::{EvalError, Evaluator};

/// What a list of bytes and any other list have in common.
#[derive(Clone, Copy)]
pub(super) enum ListView<'a> {
    Values(&'a [Value]),
    Bytes(&'a [u8]),
}

/// The items of a list.
pub(super) fn view(value: &Value) -> Result<ListView<'_>, EvalError> {
    match value {
        Value::List(items) => Ok(ListView::Values(items)),
        Value::Bytes(bytes) => Ok(ListView::Bytes(bytes)),
        _ => Err(EvalError::internal("a value is not a list")),
    }
}

impl<'a> ListView<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Values(items) => items.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    pub(super) fn get(self, index: usize) -> Option<Value> {
        match self {
            Self::Values(items) => items.get(index).cloned(),
            Self::Bytes(bytes) => bytes.get(index).copied().map(Value::U8),
        }
    }

    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = Value> + 'a {
        (0..self.len()).filter_map(move |index| self.get(index))
    }

    /// Some of its items, in any order, as a list of the same form.
    pub(super) fn rebuild(self, items: impl Iterator<Item = Value>) -> Value {
        match self {
            Self::Values(_) => Value::list(items),
            Self::Bytes(_) => Value::Bytes(items.filter_map(|item| byte(&item)).collect()),
        }
    }
}

fn byte(value: &Value) -> Option<u8> {
    match value {
        Value::U8(byte) => Some(*byte),
        Value::Held(held) => byte(&held.open()),
        _ => None,
    }
}

/// A list that is being built within the size that is allowed.
pub(super) enum ListBuilder {
    Values { items: Vec<Value>, size: u64 },
    Bytes(Vec<u8>),
}

impl ListBuilder {
    /// For items of this type.
    pub(super) fn of(item: &Type) -> Self {
        if *item == Type::U8 { Self::Bytes(Vec::new()) } else { Self::Values { items: Vec::new(), size: 0 } }
    }

    /// Of the same form as another list.
    pub(super) fn like(list: ListView<'_>) -> Self {
        match list {
            ListView::Values(_) => Self::Values { items: Vec::new(), size: 0 },
            ListView::Bytes(_) => Self::Bytes(Vec::new()),
        }
    }

    pub(super) fn push(&mut self, item: Value, evaluator: &mut Evaluator<'_>) -> Result<(), EvalError> {
        match self {
            Self::Values { items, size } => {
                let added = item.size();
                if item.is_document() {
                    // The size of a document is found by walking through it.
                    evaluator.spend_bytes(added)?;
                }
                *size = size.saturating_add(added);
                evaluator.allow_size(*size)?;
                items.push(item);
            }
            Self::Bytes(bytes) => {
                evaluator.allow_size(bytes.len() as u64 + 1)?;
                bytes.push(byte(&item).ok_or_else(|| EvalError::internal("an item of a `list<u8>` is not a `u8`"))?);
            }
        }
        Ok(())
    }

    pub(super) fn extend(&mut self, list: ListView<'_>, evaluator: &mut Evaluator<'_>) -> Result<(), EvalError> {
        evaluator.spend(list.len() as u64)?;
        list.iter().try_for_each(|item| self.push(item, evaluator))
    }

    pub(super) fn finish(self) -> Value {
        match self {
            Self::Values { items, .. } => Value::list(items),
            Self::Bytes(bytes) => Value::Bytes(bytes.into()),
        }
    }
}
