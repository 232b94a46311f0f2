//! Components made from WIT text: they have its types, and their functions trap.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// The bytes of a component with the world of a WIT text, which holds one package with one world.
///
/// # Errors
/// What is wrong with the text.
pub fn component_from_wit(wit: &str) -> Result<Vec<u8>, String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("component.wit", wit).map_err(chain)?;
    let world = resolve.select_world(&[package], None).map_err(chain)?;
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(chain)?;
    let encoder = ComponentEncoder::default().module(&module).map_err(chain)?;
    encoder.validate(true).encode().map_err(chain)
}

fn chain(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
