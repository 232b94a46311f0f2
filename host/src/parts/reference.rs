//! What the text of a `use` is: a path, a name with a range of versions, or an image of an OCI registry.
//!
//! An image begins with `oci://`. A name has an `@`, no `/`, does not begin with `.`, and does not end in `.wasm` or `.wat`;
//! everything else is a path.

use std::fmt;
use std::path::PathBuf;

use catalog::Digest;
use lang::ComponentProblem;
use semver::VersionReq;

use super::problem;
use crate::program::parse_digest;

/// What a component is referred to by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Path(PathBuf),
    Named(Named),
    Image(Image),
}

/// `name@range`, or `namespace:name@range`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) range: VersionReq,
    text: String,
}

/// `oci://host/repository:tag@sha256:…`, with a tag, a digest, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// With its port.
    pub(super) host: String,
    pub(super) repository: String,
    pub(super) tag: Option<String>,
    /// Of the manifest.
    pub(super) digest: Option<Digest>,
}

const SCHEME: &str = "oci://";

/// Reads a reference.
pub(super) fn parse(text: &str) -> Result<Reference, ComponentProblem> {
    if let Some(rest) = text.strip_prefix(SCHEME) {
        return image(rest).map(Reference::Image);
    }
    let path = text.contains('/') || text.starts_with('.') || text.ends_with(".wasm") || text.ends_with(".wat");
    match text.split_once('@') {
        Some((name, range)) if !path => named(text, name, range).map(Reference::Named),
        _ => Ok(Reference::Path(PathBuf::from(text))),
    }
}

fn named(text: &str, full: &str, range: &str) -> Result<Named, ComponentProblem> {
    let (namespace, name) = match full.split_once(':') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, full),
    };
    if !is_name(name) || !namespace.is_none_or(is_name) {
        let help = "write `name@^1.2` or `namespace:name@^1.2`, with lower-case letters, digits and `-` in the names";
        return Err(problem(format!("`{full}` is not the name of a component"), help));
    }
    let range = VersionReq::parse(range).map_err(|error| {
        let help = match range.trim() {
            "" | "latest" => format!("`{full}@*` takes the highest version"),
            spaced if spaced.contains(' ') && !spaced.contains(',') => "put a comma between the parts: `>=1.2, <2`".to_owned(),
            _ => "write a range such as `^1.2`, `~1.2.3`, `=1.2.3`, `>=1.2, <2` or `*`".to_owned(),
        };
        problem(format!("`{range}` is not a range of versions: {error}"), help)
    })?;
    Ok(Named { namespace: namespace.map(str::to_owned), name: name.to_owned(), range, text: text.to_owned() })
}

/// Kebab-case, as WIT writes the names of packages.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn image(rest: &str) -> Result<Image, ComponentProblem> {
    let wrong = |what: &str| {
        problem(format!("its reference {what}"), "write `oci://registry.example.com/team/name:1.0`, or `…/name@sha256:…`")
    };
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest.strip_prefix("sha256:").and_then(parse_digest);
            (rest, Some(digest.ok_or_else(|| wrong("has no digest `sha256:` with 64 hexadecimal digits after its `@`"))?))
        }
        None => (rest, None),
    };
    let (host, path) = rest.split_once('/').ok_or_else(|| wrong("names no repository after the host"))?;
    let (repository, tag) = match path.rsplit_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (path, None),
    };
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(in_host) || host.starts_with(':') {
        return Err(wrong("has no proper host"));
    }
    let in_repository = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let is_part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(in_repository);
    if !repository.split('/').all(is_part) {
        return Err(wrong("has no proper repository: lower-case letters, digits, `.`, `_`, `-`, between `/`"));
    }
    let in_tag = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.chars().all(in_tag)) {
        return Err(wrong("has no proper tag after its `:`"));
    }
    if tag.is_none() && digest.is_none() {
        return Err(wrong("has neither a tag nor a digest"));
    }
    Ok(Image { host: host.to_owned(), repository: repository.to_owned(), tag: tag.map(str::to_owned), digest })
}

impl Reference {
    /// Whether `host lock --update=NAME` means this one.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let own = match self {
            Self::Path(_) => return false,
            Self::Named(named) => named.name == name || named.full_name() == name,
            Self::Image(image) => image.name() == name || image.repository.rsplit('/').next() == Some(name),
        };
        own || self.to_string() == name
    }
}

impl Named {
    /// With the namespace.
    pub(super) fn full_name(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}:{}", self.name))
    }
}

impl Image {
    /// Without tag and digest.
    pub(super) fn name(&self) -> String {
        format!("{SCHEME}{}/{}", self.host, self.repository)
    }

    /// What its registry is asked for: the digest where there is one, since a tag may move.
    pub(super) fn version(&self) -> String {
        self.digest.map_or_else(|| self.tag.clone().unwrap_or_default(), |digest| digest.to_string())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Named(named) => f.write_str(&named.text),
            Self::Image(image) => image.fmt(f),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Reference, parse};

    fn kind(text: &str) -> &'static str {
        match parse(text).unwrap() {
            Reference::Path(_) => "path",
            Reference::Named(_) => "name",
            Reference::Image(_) => "image",
        }
    }

    #[test]
    fn the_three_kinds() {
        for path in ["text.wasm", "a/b", "./x@1", "../x@^1", "/x@1", "x", "x@1.wasm", "a@b/c.wasm", "catalogue/q@^1", "x.wat", ""]
        {
            assert_eq!(kind(path), "path", "{path}");
        }
        for name in ["text@^1", "text@1.2", "acme:finance@>=1.2, <2", "a-b2@*", "text@~1.2.3", "text@1.x"] {
            assert_eq!(kind(name), "name", "{name}");
        }
        let digest = format!("sha256:{}", "0a".repeat(32));
        for image in [
            "oci://ghcr.io/a/b:1".to_owned(),
            format!("oci://[::1]:5000/a@{digest}"),
            format!("oci://localhost:5000/a.b/c_d/e-f:V1.0_x@{digest}"),
        ] {
            assert_eq!(kind(&image), "image", "{image}");
            assert_eq!(parse(&image).unwrap().to_string(), image);
        }
    }

    #[test]
    fn what_is_neither_says_how_to_write_it() {
        for (text, message, help) in [
            ("Text@^1", "`Text` is not the name of a component", "lower-case"),
            ("a:b:c@1", "`a:b:c` is not the name of a component", "namespace:name"),
            ("@1", "`` is not the name", "write `name@^1.2`"),
            ("text@", "`` is not a range of versions", "`text@*` takes the highest version"),
            ("text@latest", "`latest` is not a range of versions", "`text@*` takes the highest version"),
            ("text@>=1 <2", "is not a range of versions", "put a comma"),
            ("text@one", "`one` is not a range of versions", "`^1.2`"),
            ("oci://ghcr.io", "names no repository", "oci://registry.example.com"),
            ("oci://ghcr.io/a/b", "neither a tag nor a digest", "oci://"),
            ("oci://ghcr.io/A/b:1", "no proper repository", "oci://"),
            ("oci://ghcr.io//b:1", "no proper repository", "oci://"),
            ("oci://user@host/b:1", "no digest", "oci://"),
            ("oci:///b:1", "no proper host", "oci://"),
            ("oci://a/b:", "no proper tag", "oci://"),
            ("oci://a/b@sha256:12", "no digest", "oci://"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.message.contains(message), "{text}: {}", found.message);
            assert!(found.help.clone().unwrap_or_default().contains(help), "{text}: {:?}", found.help);
        }
    }

    #[test]
    fn an_update_names_what_it_means() {
        let called = |reference: &str, name: &str| parse(reference).unwrap().is_called(name);
        assert!(called("acme:finance@^1", "finance") && called("acme:finance@^1", "acme:finance"));
        assert!(called("finance@^1", "finance@^1") && !called("finance@^1", "acme:finance"));
        assert!(called("oci://h/a/b:1", "oci://h/a/b") && called("oci://h/a/b:1", "b") && !called("oci://h/a/b:1", "a"));
    }
}
