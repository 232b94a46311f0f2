//! Digests of types.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::Type;
use sha2::{Digest as _, Sha256};

/// Digests of types. Shared parts are digested once: written out, a type can be far larger than in memory.
#[derive(Default)]
pub(super) struct Types {
    known: HashMap<*const (), [u8; 32]>,
}

impl Types {
    pub(super) fn digest(&mut self, ty: &Type) -> [u8; 32] {
        match ty {
            Type::List(item) => combine("list", [self.arc(item)].map(Some), []),
            Type::Option(some) => combine("option", [self.arc(some)].map(Some), []),
            Type::Result(ok, err) => {
                let parts = [ok, err].map(|part| part.as_ref().map(|part| self.arc(part)));
                combine("result", parts, [])
            }
            Type::Tuple(members) => self.shared(Arc::as_ptr(members).cast(), |this| {
                let parts: Vec<_> = members.iter().map(|member| Some(this.digest(member))).collect();
                combine("tuple", parts, [])
            }),
            Type::Record(record) => self.shared(Arc::as_ptr(record).cast(), |this| {
                let parts: Vec<_> = record.fields.iter().map(|(_, ty)| Some(this.digest(ty))).collect();
                combine("record", parts, record.fields.iter().map(|(name, _)| &**name))
            }),
            Type::Variant(variant) => self.shared(Arc::as_ptr(variant).cast(), |this| {
                let parts: Vec<_> = variant.cases.iter().map(|(_, ty)| ty.as_ref().map(|ty| this.digest(ty))).collect();
                combine("variant", parts, variant.cases.iter().map(|(name, _)| &**name))
            }),
            Type::Enum(cases) => combine("enum", [], cases.cases.iter().map(|name| &**name)),
            Type::Flags(flags) => combine("flags", [], flags.names.iter().map(|name| &**name)),
            // The others are their own name.
            scalar => combine(&scalar.to_string(), [], []),
        }
    }

    fn arc(&mut self, ty: &Arc<Type>) -> [u8; 32] {
        self.shared(Arc::as_ptr(ty).cast(), |this| this.digest(ty))
    }

    fn shared(&mut self, address: *const (), digest: impl FnOnce(&mut Self) -> [u8; 32]) -> [u8; 32] {
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        let digest = digest(self);
        self.known.insert(address, digest);
        digest
    }
}

/// The digest of a type from its word, its members' types and its members' names.
fn combine<'n>(
    word: &str,
    parts: impl IntoIterator<Item = Option<[u8; 32]>>,
    names: impl IntoIterator<Item = &'n str>,
) -> [u8; 32] {
    let mut sink = Sha256::new();
    let mut text = |text: &str| {
        sink.update((text.len() as u64).to_le_bytes());
        sink.update(text.as_bytes());
    };
    text(word);
    names.into_iter().for_each(&mut text);
    for part in parts {
        sink.update([u8::from(part.is_some())]);
        sink.update(part.unwrap_or_default());
    }
    sink.finalize().into()
}
