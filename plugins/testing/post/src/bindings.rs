//! What wit-bindgen makes of `wit/post`.
#![allow(unsafe_code, missing_docs, unused_qualifications, clippy::all, clippy::restriction)]

#[cfg(target_arch = "wasm32")]
use crate::Plugin;

wit_bindgen::generate!({
    path: ["../../../wit/plugin", "../../../wit/post"],
    world: "flowhost:post/post",
    additional_derives: [PartialEq],
    generate_all,
});

#[cfg(target_arch = "wasm32")]
export!(Plugin);
