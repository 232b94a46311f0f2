//! The words of the language: which are keywords, and which are kept for later versions.

/// What a word is kept for, when it belongs to a form that this version does not have.
pub(crate) fn reserved_for(word: &str) -> Option<&'static str> {
    Some(match word {
        "race" => "running arms against each other",
        "any" => "waiting for the first of several arms",
        "wait" => "waiting for a time, a signal or a message",
        "emit" => "sending an event",
        "ask" => "asking an agent",
        "undo" => "compensation",
        "hook" => "hooks",
        "on" => "triggers",
        "test" => "tests",
        "role" => "roles of agents",
        "run" => "running a plan",
        "recursive" => "recursion",
        _ => return None,
    })
}

/// Whether the word is a keyword, also of a later version; as a name it is written `%name`.
#[must_use]
pub fn is_keyword(name: &str) -> bool {
    matches!(
        name,
        "after"
            | "and"
            | "as"
            | "catch"
            | "class"
            | "else"
            | "enum"
            | "false"
            | "flow"
            | "for"
            | "foreach"
            | "if"
            | "import"
            | "in"
            | "let"
            | "loop"
            | "map"
            | "match"
            | "none"
            | "not"
            | "or"
            | "package"
            | "phase"
            | "record"
            | "reduce"
            | "require"
            | "return"
            | "seq"
            | "true"
            | "try"
            | "until"
            | "use"
            | "variant"
            | "while"
            | "with"
    ) || reserved_for(name).is_some()
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
    /// `flow`
    Flow,
    /// An item of a later version: `hook`, `on`, `test`, `role`.
    Later,
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
            "flow" => Self::Flow,
            "hook" | "on" | "test" | "role" => Self::Later,
            _ if foreign_item(word).is_some() => Self::Foreign,
            _ => Self::Stray,
        }
    }
}

/// What another language's item word is called here.
pub(crate) fn foreign_item(word: &str) -> Option<&'static str> {
    match word {
        "function" | "def" | "fn" | "func" | "fun" | "workflow" | "task" | "proc" => Some("flow"),
        "struct" | "interface" | "message" | "dataclass" => Some("record"),
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
    use super::{is_keyword, reserved_for};

    #[test]
    fn words_of_later_forms_are_keywords() {
        for word in "race any wait emit ask undo hook on test role run recursive".split(' ') {
            assert!(is_keyword(word) && reserved_for(word).is_some(), "{word}");
        }
        for word in "max some ok err list result text clock class_ lets".split(' ') {
            assert!(!is_keyword(word), "{word}");
        }
    }
}
