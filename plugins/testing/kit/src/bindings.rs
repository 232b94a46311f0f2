//! What wit-bindgen makes of `wit/kit`.
#![allow(unsafe_code, missing_docs, unused_qualifications, clippy::all, clippy::restriction)]

#[cfg(target_arch = "wasm32")]
use crate::Plugin;

wit_bindgen::generate!({
    path: ["../../../wit/plugin", "../../../wit/kit"],
    world: "flowhost:kit/kit",
    additional_derives: [PartialEq],
    generate_all,
});

#[cfg(target_arch = "wasm32")]
export!(Plugin);
