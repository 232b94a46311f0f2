//! Every diagnostic of loading and checking, one small function each, so that wording lives in one place.
//!
//! Lower case, no full stop, the user's words in backticks; the first label is the place of the mistake,
//! the second the other place that matters; the help says how to mend it.

pub(crate) mod arms;
pub(crate) mod calls;
pub(crate) mod files;
pub(crate) mod foreign;
pub(crate) mod forms;
pub(crate) mod generics;
pub(crate) mod hooks;
pub(crate) mod lookalikes;
pub(crate) mod messages;
pub(crate) mod names;
pub(crate) mod planned;
pub(crate) mod roles;
pub(crate) mod secrets;
pub(crate) mod settings;
pub(crate) mod trials;
pub(crate) mod triggers;
pub(crate) mod types;

/// `` `a`, `b` and `c` ``.
pub(crate) fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    const MOST: usize = 12;
    let mut quoted: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    if quoted.len() > MOST {
        let more = quoted.len() - MOST;
        quoted.truncate(MOST);
        return format!("{} and {more} more", quoted.join(", "));
    }
    match quoted.pop() {
        None => String::new(),
        Some(last) if quoted.is_empty() => last,
        Some(last) => format!("{} and {last}", quoted.join(", ")),
    }
}

/// "did you mean `x`?", or else the second text.
pub(crate) fn meant(close: Option<&str>, otherwise: impl FnOnce() -> String) -> String {
    close.map_or_else(otherwise, |name| format!("did you mean `{name}`?"))
}
