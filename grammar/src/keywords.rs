//! The words of the language, and what other languages say for them.

/// Whether the word is a keyword; as a name it is written `%name`.
#[must_use]
pub fn is_keyword(name: &str) -> bool {
    matches!(
        name,
        "after"
            | "and"
            | "any"
            | "as"
            | "ask"
            | "catch"
            | "class"
            | "else"
            | "emit"
            | "enum"
            | "false"
            | "flow"
            | "for"
            | "foreach"
            | "hook"
            | "if"
            | "import"
            | "in"
            | "let"
            | "loop"
            | "map"
            | "match"
            | "none"
            | "not"
            | "on"
            | "or"
            | "package"
            | "phase"
            | "race"
            | "record"
            | "recursive"
            | "reduce"
            | "require"
            | "return"
            | "role"
            | "run"
            | "seq"
            | "test"
            | "true"
            | "try"
            | "undo"
            | "until"
            | "use"
            | "variant"
            | "wait"
            | "while"
            | "with"
    )
}

/// What begins an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemWord {
    /// `package`
    Package,
    /// `import`
    Import,
    /// `use`
    Use,
    /// `record`
    Record,
    /// `enum`
    Enum,
    /// `variant`
    Variant,
    /// `class`
    Class,
    /// `interface`
    Interface,
    /// `role`
    Role,
    /// `flow`
    Flow,
    /// `hook`
    Hook,
    /// `on`
    Trigger,
    /// `test`
    Test,
    /// What other languages call a flow or a record.
    Foreign,
    /// Nothing that begins an item.
    Stray,
}

impl ItemWord {
    /// What the word begins when it stands at the beginning of a line outside all braces.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "package" => Self::Package,
            "import" => Self::Import,
            "use" => Self::Use,
            "record" => Self::Record,
            "enum" => Self::Enum,
            "variant" => Self::Variant,
            "class" => Self::Class,
            "interface" => Self::Interface,
            "role" => Self::Role,
            "flow" => Self::Flow,
            "hook" => Self::Hook,
            "on" => Self::Trigger,
            "test" => Self::Test,
            _ if foreign_item(word).is_some() => Self::Foreign,
            _ => Self::Stray,
        }
    }
}

/// The word that begins an item and that a word differs from by one letter, or by two neighbours that changed places.
pub(crate) fn close_item_word(word: &str) -> Option<&'static str> {
    const WORDS: [&str; 11] =
        ["package", "import", "record", "enum", "variant", "class", "interface", "role", "flow", "hook", "test"];
    WORDS.into_iter().find(|known| word != *known && is_close(word.as_bytes(), known.as_bytes()))
}

fn is_close(written: &[u8], known: &[u8]) -> bool {
    let same = written.iter().zip(known).take_while(|(a, b)| a == b).count();
    let (written, known) = (written.get(same..).unwrap_or_default(), known.get(same..).unwrap_or_default());
    match (written, known) {
        ([a, b, after @ ..], [c, d, rest @ ..]) if a == d && b == c && after == rest => true,
        ([_, after @ ..], [_, rest @ ..]) if after == rest => true,
        ([_, after @ ..], rest) if after == rest => true,
        (after, [_, rest @ ..]) => after == rest,
        _ => false,
    }
}

/// What another language's item word is called here.
pub(crate) fn foreign_item(word: &str) -> Option<&'static str> {
    match word {
        "function" | "def" | "fn" | "func" | "fun" | "workflow" | "task" | "proc" => Some("flow"),
        "struct" | "message" | "dataclass" => Some("record"),
        "union" => Some("variant"),
        "include" | "from" | "using" => Some("import"),
        _ => None,
    }
}

/// Functions of the pure library; `x-len(y)` stays a subtraction.
pub(crate) fn is_library_function(name: &str) -> bool {
    matches!(
        name,
        "len" | "keys" | "join" | "split" | "contains" | "min" | "max" | "sum" | "sort_by" | "zip" | "range" | "json" | "abs"
    )
}

#[cfg(test)]
mod tests {
    use super::is_keyword;

    #[test]
    fn words_that_only_some_places_know_are_names() {
        for word in "race any wait emit ask undo hook on test role run recursive".split(' ') {
            assert!(is_keyword(word), "{word}");
        }
        for word in "max some ok err list result text clock class_ lets mock assert signal message plan interface of".split(' ') {
            assert!(!is_keyword(word), "{word}");
        }
    }
}
