//! What wit-bindgen makes of `wit/cashcow`.
#![allow(unsafe_code, missing_docs, unused_qualifications, clippy::all, clippy::restriction)]

#[cfg(target_arch = "wasm32")]
use crate::Plugin;

wit_bindgen::generate!({
    path: ["../../wit/plugin", "../../wit/cashcow"],
    world: "flowhost:cashcow/cashcow",
    additional_derives: [PartialEq, Clone],
    generate_all,
});

#[cfg(target_arch = "wasm32")]
export!(Plugin);
