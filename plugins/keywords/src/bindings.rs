//! What wit-bindgen makes of `wit/keywords`.
#![allow(unsafe_code, missing_docs, unused_qualifications, clippy::all, clippy::restriction)]

#[cfg(target_arch = "wasm32")]
use crate::Plugin;

wit_bindgen::generate!({
    path: ["../../wit/keywords"],
    world: "flowhost:keywords/keywords",
    additional_derives: [PartialEq],
    generate_all,
});

#[cfg(target_arch = "wasm32")]
export!(Plugin);
