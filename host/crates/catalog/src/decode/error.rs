//! Why bytes are not a component that flows can use.

use super::MAX_COMPONENT_SIZE;

/// Why bytes are not a component that flows can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No WebAssembly at all.
    #[error("it is not a WebAssembly component: {what}")]
    NotWasm {
        /// What it seems to be, such as "it looks like an HTML page".
        what: String,
    },
    /// WebAssembly, but a core module.
    #[error(
        "it is a core WebAssembly module, not a component: make it a component with the target `wasm32-wasip2` or with `wasm-tools component new`"
    )]
    CoreModule,
    /// The binary form of a WIT package: types without code.
    #[error("it is a WIT package in binary form, which holds types and no code: use the component that was built from it")]
    WitPackage,
    /// It ends too early.
    #[error("the component is truncated: it ends at byte {offset} in the middle of an item; build or copy it again")]
    Truncated {
        /// Where, from the start of the file.
        offset: u64,
    },
    /// It is damaged, or uses something that no validator knows.
    #[error("the component is invalid at byte {offset}: {message}")]
    Invalid {
        /// Where, from the start of the file.
        offset: u64,
        /// What the validator says.
        message: String,
    },
    /// Nothing in it can be called.
    #[error("the component exports no function: its world needs an `export` of a function or of an interface with functions")]
    NoFunctions,
    /// It is larger than [`MAX_COMPONENT_SIZE`].
    #[error("the component has {size} bytes, and {max} are allowed", max = MAX_COMPONENT_SIZE)]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
}

impl From<wasmparser::BinaryReaderError> for DecodeError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        let offset = error.offset() as u64;
        if error.message().contains("unexpected end") {
            return Self::Truncated { offset };
        }
        Self::Invalid { offset, message: error.message().to_owned() }
    }
}
