//! `host plugin new`: a folder with a plugin in Rust that builds at once.

use std::path::Path;

use crate::exit::{Exit, Problem};
use crate::output::Output;

/// The files of a new plugin. `{{name}}` and `{{name_snake}}` are replaced.
const TEMPLATE: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.tmpl")),
    ("src/lib.rs", include_str!("template/lib.rs.tmpl")),
    ("wit/world.wit", include_str!("template/world.wit.tmpl")),
    ("README.md", include_str!("template/README.md.tmpl")),
];

/// Makes the folder `parent/name`.
pub(crate) fn create(output: Output, name: &str, parent: &Path) -> Result<(), Problem> {
    check_name(name)?;
    let folder = parent.join(name);
    if folder.exists() {
        return Err(Problem::usage(format!("`{}` is already there", folder.display())).help("choose another name or `--path`"));
    }
    for (file, text) in TEMPLATE {
        let path = folder.join(file);
        let text = text.replace("{{name_snake}}", &name.replace('-', "_")).replace("{{name}}", name);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
        written.map_err(|error| Problem::new(Exit::Plugin, format!("`{}` cannot be written: {error}", path.display())))?;
    }
    output.document(&serde_json::json!({ "folder": folder }), || {
        format!("made `{0}`\nbuild it with `host plugin build {0}`", folder.display())
    });
    Ok(())
}

fn check_name(name: &str) -> Result<(), Problem> {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.len() <= 64 && name.split('-').all(word) {
        return Ok(());
    }
    Err(Problem::usage(format!("`{name}` is not a name of WIT"))
        .help("use lower-case words joined by `-`, each beginning with a letter, such as `word-count`"))
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_kebab_case() {
        for good in ["a", "word-count", "v2", "to-utf8"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-", "a-", "2a", "a--b", "a_b", "Word", "../x", "a/b", "é"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
