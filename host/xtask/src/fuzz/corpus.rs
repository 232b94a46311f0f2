//! What fuzzing starts from: the project's own files, and inputs that earlier runs found, kept in one file for each kind.
//!
//! Such a file holds, for each input, its length in decimal, a newline, the input, and a newline.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, str};

use anyhow::Context;

use crate::process;

/// The folder `name` of the fuzzers' workspace.
pub(crate) fn folder(name: &str) -> PathBuf {
    process::root().join("grammar/fuzz").join(name)
}

/// All inputs of a kind in one folder, which is made anew.
pub(crate) fn seeds(kind: &str) -> anyhow::Result<PathBuf> {
    let folder = folder("target").join("seeds").join(kind);
    own_files(kind, &folder)?;
    for (number, input) in unpack(&kept(kind)).iter().enumerate() {
        fs::write(folder.join(format!("kept-{number}")), input)?;
    }
    Ok(folder)
}

/// Puts the project's own files of a kind into an empty folder and gives their names there.
pub(crate) fn own_files(kind: &str, folder: &Path) -> anyhow::Result<Vec<String>> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let root = process::root();
    let listed = process::read(Command::new("git").current_dir(&root).args(["ls-files", &format!("*.{kind}")]))?;
    let mut names = Vec::new();
    // A file that is deleted and not yet committed is listed too.
    for path in listed.lines().filter(|path| root.join(path).exists()) {
        let name = path.replace('/', "+");
        fs::copy(root.join(path), folder.join(&name))?;
        names.push(name);
    }
    Ok(names)
}

/// Keeps the files of a folder as the inputs of a kind, and gives how many they are.
pub(crate) fn keep(kind: &str, folder: &Path) -> anyhow::Result<usize> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder)? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort();
    fs::write(kept(kind), pack(&inputs)).with_context(|| format!("{} cannot be written", kept(kind).display()))?;
    Ok(inputs.len())
}

fn kept(kind: &str) -> PathBuf {
    folder("corpus").join(format!("{kind}.inputs"))
}

fn pack(inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut packed = Vec::new();
    for input in inputs {
        packed.extend_from_slice(format!("{}\n", input.len()).as_bytes());
        packed.extend_from_slice(input);
        packed.push(b'\n');
    }
    packed
}

/// The inputs of a file; what is damaged or missing is left out.
fn unpack(path: &Path) -> Vec<Vec<u8>> {
    let packed = fs::read(path).unwrap_or_default();
    let mut rest = packed.as_slice();
    let mut inputs = Vec::new();
    while let Some((input, after)) = first_of(rest) {
        inputs.push(input.to_vec());
        rest = after;
    }
    inputs
}

fn first_of(packed: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = packed.iter().position(|byte| *byte == b'\n')?;
    let (length, rest) = packed.split_at_checked(digits)?;
    let length: usize = str::from_utf8(length).ok()?.parse().ok()?;
    let (input, rest) = rest.get(1..)?.split_at_checked(length)?;
    Some((input, rest.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::{first_of, kept, pack, unpack};

    #[test]
    fn inputs_are_packed_and_unpacked() {
        let inputs = [b"a\n3\nb".to_vec(), Vec::new(), vec![0, 255]];
        let packed = pack(&inputs);
        let (first, rest) = first_of(&packed).unwrap();
        let (second, rest) = first_of(rest).unwrap();
        let (third, rest) = first_of(rest).unwrap();
        assert_eq!(([first, second, third], rest), ([&*inputs[0], &*inputs[1], &*inputs[2]], &b""[..]));
        assert_eq!(first_of(b"7\nabc\n"), None);
    }

    #[test]
    fn what_is_kept_can_be_read() {
        for kind in ["flow", "wasm"] {
            let inputs = unpack(&kept(kind));
            assert!(inputs.len() > 100, "{kind}: {}", inputs.len());
            assert_eq!(pack(&inputs), std::fs::read(kept(kind)).unwrap(), "{kind}");
        }
    }
}
