//! What a component exports and imports.

use std::collections::BTreeMap;
use std::fmt;

use crate::types::{Name, Type};

/// The sha256 of a component's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A component as a flow sees it.
#[derive(Clone, Debug)]
pub struct Component {
    /// Of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Exported functions in the order of the component.
    pub functions: Vec<Function>,
    /// Declared types by interface and name, for `plugin.type` in a flow. Names are in snake_case.
    pub types: BTreeMap<Name, Type>,
    /// Imported interfaces, such as `wasi:filesystem/types@0.2.6`.
    pub imports: Vec<String>,
    /// The whole world as WIT text.
    pub wit: String,
}

/// An exported function.
#[derive(Clone, Debug)]
pub struct Function {
    /// The exported interface it is in, as WIT writes it (`docs:read/api@1.0.0`); none at the top level.
    pub interface: Option<String>,
    /// Its name in WIT's kebab-case.
    pub wit_name: String,
    /// Its name in snake_case, by which a flow calls it.
    pub name: Name,
    /// Whether it is an `async func`.
    pub is_async: bool,
    /// Its first documentation line, where the component carries documentation.
    pub docs: Option<String>,
    /// Its types, or why a flow cannot call it.
    pub signature: Result<Signature, Refusal>,
}

/// Parameters and result of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Names (snake_case) with types.
    pub params: Vec<(Name, Type)>,
    /// The result; [`Type::Unit`] when there is none.
    pub result: Type,
}

/// Why a function cannot be called from a flow, such as "it uses the resource `pool`".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Signature {
    /// As WIT prints it: `func(text: string) -> list<string>`, names in snake_case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        for (index, (name, ty)) in self.params.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}: {ty}")?;
        }
        f.write_str(")")?;
        if self.result == Type::Unit { Ok(()) } else { write!(f, " -> {}", self.result) }
    }
}

impl Component {
    /// The functions that `name` or `interface.name` may mean, callable or not.
    pub fn find<'a>(&'a self, interface: Option<&'a str>, name: &'a str) -> impl Iterator<Item = &'a Function> {
        self.functions.iter().filter(move |function| {
            &*function.name == name && interface.is_none_or(|wanted| function.interface_name().as_deref() == Some(wanted))
        })
    }
}

impl Function {
    /// The last part of the interface's name in snake_case: `api` for `docs:read/api@1.0.0`.
    #[must_use]
    pub fn interface_name(&self) -> Option<String> {
        let full = self.interface.as_deref()?;
        let path = full.split('@').next().unwrap_or(full);
        Some(path.rsplit('/').next().unwrap_or(path).replace('-', "_"))
    }
}
