//! What wit-bindgen makes of `wit/team`.
#![allow(unsafe_code, missing_docs, unused_qualifications, clippy::all, clippy::restriction)]

#[cfg(target_arch = "wasm32")]
use crate::Plugin;

wit_bindgen::generate!({
    path: ["../../wit/plugin", "../../wit/team"],
    world: "flowhost:team/team",
    additional_derives: [PartialEq],
    generate_all,
});

#[cfg(target_arch = "wasm32")]
export!(Plugin);
