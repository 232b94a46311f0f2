//! The ledger: a file of lines.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Adds a line; one write, so that lines of steps that run at once do not mix.
pub(crate) fn write(folder: &str, sign: char, item: &str) -> Result<(), String> {
    let path = Path::new(folder).join("ledger.txt");
    let line = format!("{sign} {}\n", item.replace(['\n', '\r'], " "));
    let written = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| file.write_all(line.as_bytes()));
    written.map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn entries_are_lines() {
        let folder = std::env::temp_dir().join(format!("flowhost-ledger-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let name = folder.to_str().unwrap();
        write(name, '+', "a\nb").unwrap();
        write(name, '-', "c").unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("ledger.txt")).unwrap(), "+ a b\n- c\n");
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(write(name, '+', "x").unwrap_err().contains("cannot be written"));
    }
}
