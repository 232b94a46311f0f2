//! What stands outside of flows in other languages.

use super::is_word;

/// The mistake in a line that begins no declaration.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    /// How much of the line to underline.
    pub(crate) length: usize,
    /// What to write instead.
    pub(crate) help: &'static str,
    /// Whether what is underlined is another language's.
    pub(crate) foreign: bool,
}

/// What a line that begins no declaration was meant to be.
pub(crate) fn item(line: &str) -> Option<Item> {
    let length = line.find(|c: char| !is_word(c)).unwrap_or(line.len());
    let word = line.get(..length)?;
    let rest = line.get(length..)?.trim_start();
    let foreign = |length, help| Some(Item { length, help, foreign: true });
    if line.starts_with("---") {
        return foreign(3, YAML);
    }
    if line.starts_with("- ") {
        return foreign(1, YAML);
    }
    if line.starts_with('@') {
        return foreign(line.len(), "policy stands before the body of a flow: `flow main() with { retry: 3 } { … }`");
    }
    if !word.is_empty() && rest.starts_with(':') && !rest.contains('=') {
        return foreign(length + 1, YAML);
    }
    word_help(word)
        .and_then(|help| foreign(length, help))
        .or_else(|| value_help(word, rest).map(|help| Item { length, help, foreign: false }))
}

const YAML: &str = "this is a script, not a list of keys: declare `flow main() { … }`, where each step is a call such as `let text = component.function(argument)`";

fn word_help(word: &str) -> Option<&'static str> {
    Some(match word {
        "async" => "write `flow name(…) { … }` alone: whatever uses the result of a step waits for it",
        "pub" | "export" | "public" | "private" | "static" | "abstract" | "default" => {
            "write `flow name(…) { … }` alone: every declaration of a file can be imported"
        }
        "resource" | "data" | "module" | "provider" | "terraform" | "backend" | "job" | "step" => {
            "a step is a call inside a flow: `flow main() { component.function(argument) }`"
        }
        "variable" | "input" | "inputs" | "param" | "parameter" | "params" => {
            "what a run is given is a parameter of its flow: `flow main(topic: string) { … }`"
        }
        "output" | "outputs" => "what a run gives is the result of its flow: `flow main() -> string { … }`",
        "locals" | "local" => "values stand inside of a flow: `let name = value`",
        "type" | "typedef" | "typealias" | "data_class" => "types are declared with `record`, `enum` or `variant`",
        "impl" | "trait" | "protocol" | "extends" => "types have no functions: declare flows that take them",
        "mod" | "namespace" => "each file is a module of its own: `import \"tools.flow\" { name }`",
        "version" | "syntax" | "apiVersion" => "remove it: a file needs no version; `package owner:name@1.0.0` can give it one",
        "SELECT" | "select" | "INSERT" | "CREATE" => "a list is filtered inside of a flow: `[x for x in list if condition]`",
        "end" => "a block ends with `}`",
        "from" | "include" | "using" => "write `import \"lib.flow\" { name }`",
        "require" => "it stands inside of a flow: `flow main() { require condition else \"message\" }`",
        _ => return None,
    })
}

fn value_help(word: &str, rest: &str) -> Option<&'static str> {
    let assigns = (rest.starts_with('=') && !rest.starts_with("==")) || (rest.starts_with(':') && rest.contains('='));
    let declares = matches!(word, "let" | "const" | "var" | "val" | "final") && !rest.is_empty();
    (declares || (assigns && !word.is_empty())).then_some(
        "a value stands inside of a flow: `let name = value`, or is a parameter with a default: `flow main(limit: u32 = 3)`",
    )
}

/// Whether the first word of a stray line declares the name that follows it.
pub(crate) fn declares(word: &str) -> bool {
    matches!(
        word,
        "let"
            | "const"
            | "var"
            | "val"
            | "final"
            | "type"
            | "pub"
            | "export"
            | "public"
            | "private"
            | "static"
            | "async"
            | "default"
    ) || crate::keywords::foreign_item(word).is_some()
}
