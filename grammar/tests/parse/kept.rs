//! The inputs that fuzzing found to reach something new: each is answered by the parser and, without errors, by the formatter.

use crate::dump::dump;
use crate::round_trip::formatted;
use grammar::{FileId, parse};
use std::fs;
use std::path::Path;

/// The inputs of the kept corpus: for each its length, a newline, the input and a newline.
fn inputs() -> Vec<String> {
    let packed = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/flow.inputs")).unwrap();
    let mut rest = packed.as_slice();
    let mut inputs = Vec::new();
    while let Some(digits) = rest.iter().position(|byte| *byte == b'\n') {
        let length: usize = std::str::from_utf8(&rest[..digits]).unwrap().parse().unwrap();
        let (input, after) = rest[digits + 1..].split_at(length);
        inputs.push(String::from_utf8_lossy(input).into_owned());
        rest = &after[1..];
    }
    inputs
}

#[test]
fn kept_inputs_are_answered() {
    let inputs = inputs();
    let mut whole = 0;
    for text in &inputs {
        let parsed = parse(FileId(0), text);
        dump(text, &parsed.file);
        assert!(parsed.diagnostics.iter().all(|found| found.code != "flow::internal"), "{text}");
        whole += usize::from(formatted(text).is_some());
    }
    assert!(inputs.len() > 100 && whole > 20, "{whole} of {} inputs have no errors", inputs.len());
}
