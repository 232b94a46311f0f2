//! Every diagnostic of the parser, one small constructor each, so that the wording lives in one file.

use crate::diagnostic::Diagnostic;
use crate::keywords::foreign_item;
use crate::span::Span;

const SYNTAX: &str = "flow::syntax";
const UNCLOSED: &str = "flow::unclosed";
const FOREIGN: &str = "flow::foreign_syntax";
const RESERVED: &str = "flow::reserved";
const NUMBER: &str = "flow::number";

/// What helps where `//` was meant to divide.
pub(crate) const SLASHES: &str = "`//` begins a comment, up to the end of the line; to divide, write `/`";

/// Something else stands where the grammar expects certain symbols.
pub(crate) fn unexpected(at: Span, expected: &str, found: &str) -> Diagnostic {
    Diagnostic::error(SYNTAX, format!("expected {expected}, found {found}"), at, format!("expected {expected}"))
}

/// Text between items that begins none.
pub(crate) fn not_an_item(at: Span, found: &str) -> Diagnostic {
    let message = format!("expected a declaration such as `use`, `record` or `flow`, found {found}");
    Diagnostic::error(SYNTAX, message, at, "this begins no declaration")
}

/// `function f() { }` and its like.
pub(crate) fn foreign_declaration(at: Span, word: &str) -> Diagnostic {
    let ours = foreign_item(word).unwrap_or("flow");
    if ours == "import" {
        return foreign(at, word, "write `import \"lib.flow\" { name }`; a component is named by `use \"file.wasm\" as name`");
    }
    foreign(at, word, &format!("write `{ours}`"))
}

/// Syntax of another language, with what to write instead.
pub(crate) fn foreign(at: Span, theirs: &str, help: &str) -> Diagnostic {
    Diagnostic::error(FOREIGN, format!("`{theirs}` is not part of this language"), at, "from another language").help(help)
}

/// A word or sign that has a meaning here, but not at this place.
pub(crate) fn misplaced(at: Span, word: &str, help: &str) -> Diagnostic {
    Diagnostic::error(FOREIGN, format!("`{word}` cannot stand here"), at, "not possible here").help(help)
}

/// `list.map(…)`.
pub(crate) fn map_method(at: Span) -> Diagnostic {
    misplaced(at, "map", "write `map x in list { … }`, or `[value for x in list]` without steps")
}

/// `const { a, b } = …`.
pub(crate) fn taken_apart(at: Span) -> Diagnostic {
    misplaced(at, "{", crate::habits::TAKE_APART)
}

/// `;` at a statement's end.
pub(crate) fn semicolon(at: Span) -> Diagnostic {
    Diagnostic::error(FOREIGN, "statements are not ended by `;`", at, "not needed")
        .help("a line's end ends the statement; remove the `;`")
}

/// `if x:` and `else:`.
pub(crate) fn block_colon(at: Span, word: &str) -> Diagnostic {
    let help = match word {
        "for" | "foreach" => "write `map x in list { … }`, which gives a list, or `reduce` to carry a value along",
        "while" => "every loop has a bound: `loop x = start until condition max n { next }`",
        "match" => "write `match x { pattern => value, _ => other }`",
        "try" => "write `try { … } catch e { … }`",
        _ => "write the block in braces: `{ … }`",
    };
    Diagnostic::error(FOREIGN, "a block is not opened by `:`", at, "expected `{`").help(help)
}

/// `# comment` or `/* comment */`.
pub(crate) fn foreign_comment(at: Span, theirs: &str) -> Diagnostic {
    Diagnostic::error(FOREIGN, format!("`{theirs}` does not begin a comment"), at, "")
        .help("comments begin with `//` and end with the line")
}

/// `'text'`.
pub(crate) fn single_quotes(at: Span) -> Diagnostic {
    Diagnostic::error(FOREIGN, "texts stand in double quotes", at, "in single quotes")
        .help("write `\"…\"`; `'c'` is a single character")
}

/// `` `text` ``.
pub(crate) fn backticks(at: Span) -> Diagnostic {
    Diagnostic::error(FOREIGN, "texts stand in double quotes", at, "in backticks")
        .help("write `\"hello ${name}\"`; a text of several lines stands between `\"\"\"`")
}

/// `'''text'''`.
pub(crate) fn triple_quotes(at: Span) -> Diagnostic {
    Diagnostic::error(FOREIGN, "texts stand in double quotes", at, "in single quotes")
        .help("a text of several lines stands between `\"\"\"`")
}

/// “text”.
pub(crate) fn smart_quotes(at: Span) -> Diagnostic {
    Diagnostic::error(FOREIGN, "texts stand in straight quotes", at, "typographic quotes").help("write `\"…\"`")
}

/// `=` where a comparison is meant.
pub(crate) fn assign_in_condition(at: Span) -> Diagnostic {
    Diagnostic::error(FOREIGN, "`=` does not compare", at, "this is how `let` gives a name its value")
        .help("write `==` to compare")
}

/// `x = 5` as a statement.
pub(crate) fn assignment(at: Span, name: &str) -> Diagnostic {
    Diagnostic::error(FOREIGN, "a name is bound once and not assigned to", at, "assignment")
        .help(format!("bind a new name with `let {name} = …`; a value that changes step by step is a `loop` or a `reduce`"))
}

/// `f(a = 1)` or `r { a = 1 }`.
pub(crate) fn equals_for_colon(at: Span, name: &str) -> Diagnostic {
    Diagnostic::error(FOREIGN, format!("the value of `{name}` follows a `:`"), at, "expected `:`")
        .help(format!("write `{name}: …`"))
}

/// `name: value` as a statement.
pub(crate) fn yaml_statement(at: Span, name: &str) -> Diagnostic {
    Diagnostic::error(FOREIGN, format!("`{name}: …` is not a statement"), at, "expected `=` after `let` and the name").help(
        match crate::habits::key(name) {
            Some(help) => help.to_owned(),
            None => format!("write `let {name} = …`, or a record: `type {{ {name}: … }}`"),
        },
    )
}

/// `var x = 1` and `const x = 1`.
pub(crate) fn foreign_let(at: Span, theirs: &str) -> Diagnostic {
    foreign(at, theirs, "write `let name = …`; names never change")
}

/// `import a from "lib.flow"`.
pub(crate) fn import_from(at: Span, names: &str, path: &str) -> Diagnostic {
    Diagnostic::error(FOREIGN, "an import names its file first", at, "this order is another language's").help(
        if path.ends_with(".wasm") {
            format!("a component is named, and its functions called by that name: `use \"{path}\" as name`")
        } else {
            format!("write `import \"{path}\" {{ {names} }}`")
        },
    )
}

/// `import "lib.flow"` without names.
pub(crate) fn import_without_names(at: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "the import names nothing", at, "expected `{` and names")
        .help("write `import \"lib.flow\" { name, other as name }`")
}

/// `while c { }`.
pub(crate) fn while_loop(at: Span) -> Diagnostic {
    foreign(at, "while", "every loop has a bound: `loop x = start until condition max n { next }`")
}

/// `for x in xs { }`.
pub(crate) fn for_loop(at: Span, theirs: &str) -> Diagnostic {
    foreign(at, theirs, "write `map x in xs { … }`, which gives a list, or `reduce` to carry a value along")
}

/// `match x { p -> v }`.
pub(crate) fn thin_arrow(at: Span) -> Diagnostic {
    Diagnostic::error(FOREIGN, "`->` stands before a result type only", at, "expected `=>`").help("write `=>`")
}

/// `if c { } else x` without braces.
pub(crate) fn else_without_braces(at: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "a branch of `if` stands in braces", at, "expected `{`").help("write `else { … }`")
}

/// A keyword where a name is expected.
pub(crate) fn keyword_as_name(at: Span, word: &str) -> Diagnostic {
    Diagnostic::error(RESERVED, format!("`{word}` is a keyword and not a name"), at, "expected a name")
        .help(format!("write `%{word}` to use it as a name"))
}

/// `read-file` where a name is expected.
pub(crate) fn kebab_case(at: Span, written: &str) -> Diagnostic {
    Diagnostic::error("flow::kebab_case", format!("`{written}` is not a name"), at, "names are written with `_`")
        .help(format!("write `{}`", written.replace('-', "_")))
}

/// A letter outside ASCII in a name.
pub(crate) fn not_ascii(at: Span, written: &str) -> Diagnostic {
    Diagnostic::error(SYNTAX, format!("`{written}` is not a name"), at, "names are letters `a` to `z`, digits and `_`")
        .help("texts in quotes may hold any letter")
}

/// A bracket that is never closed.
pub(crate) fn unclosed(at: Span, bracket: &str, end: Span) -> Diagnostic {
    let closer = closer(bracket);
    Diagnostic::error(UNCLOSED, format!("`{bracket}` is not closed"), at, "opened here")
        .and(end, format!("expected `{closer}` before this"))
        .help(format!("add the missing `{closer}`"))
}

/// A bracket whose partner stands in a comment.
pub(crate) fn closed_in_comment(at: Span, bracket: &str, comment: Span) -> Diagnostic {
    let closer = closer(bracket);
    Diagnostic::error(UNCLOSED, format!("`{bracket}` is not closed"), at, "opened here")
        .and(comment, format!("a comment, and the `{closer}` in it closes nothing"))
        .help(SLASHES)
}

/// `if a // 2 == 0 {`.
pub(crate) fn brace_in_comment(at: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "the `{` of this block stands in a comment", at, "a comment").help(SLASHES)
}

/// A `${` whose text or line ends before its `}`.
pub(crate) fn unclosed_interpolation(at: Span, end: Span) -> Diagnostic {
    Diagnostic::error(UNCLOSED, "`${` is not closed", at, "opened here")
        .and(end, "expected `}` before the end of the line")
        .help("close it with `}`, or write `\\${` for these two characters")
}

/// A closing bracket that closes nothing.
pub(crate) fn unopened(at: Span, bracket: &str, enclosing: Option<Span>) -> Diagnostic {
    let found = Diagnostic::error(UNCLOSED, format!("`{bracket}` closes nothing"), at, "no bracket of its kind is open here");
    match enclosing {
        Some(open) => found.and(open, "the innermost open bracket").help("remove it, or add the bracket that it should close"),
        None => found.help("remove it, or add the bracket that it should close"),
    }
}

/// `(a]`.
pub(crate) fn mismatched(open_at: Span, open: &str, at: Span, found: &str) -> Diagnostic {
    let closer = closer(open);
    Diagnostic::error(UNCLOSED, format!("`{open}` is closed by `{found}`"), at, format!("expected `{closer}`"))
        .and(open_at, "opened here")
}

/// A text whose line ends before its closing quote.
pub(crate) fn unclosed_text(at: Span, end: Span, raw: bool) -> Diagnostic {
    if raw {
        return Diagnostic::error(UNCLOSED, "the text is not closed", at, "begins here")
            .and(end, "the file ends here")
            .help("close it with `\"\"\"`");
    }
    Diagnostic::error(UNCLOSED, "the text is not closed", at, "begins here")
        .and(end, "the line ends here")
        .help("close it with `\"`; a text of several lines stands between `\"\"\"`")
}

/// A backtick or three single quotes without their partner.
pub(crate) fn unclosed_foreign_text(at: Span, end: Span, quote: &str) -> Diagnostic {
    let what = if quote == "`" { "a backtick" } else { "`'''`" };
    Diagnostic::error(UNCLOSED, format!("{what} begins a text that is not closed"), at, "begins here")
        .and(end, "the file ends here")
        .help("texts stand in double quotes: `\"…\"`; a text of several lines stands between `\"\"\"`")
}

/// A `'` without its partner.
pub(crate) fn unclosed_char(at: Span) -> Diagnostic {
    Diagnostic::error(UNCLOSED, "`'` is not closed", at, "begins here").help("a character is written `'c'`, a text `\"…\"`")
}

/// Nesting or a chain beyond the limits.
pub(crate) fn too_deep(at: Span, what: &str, limit: u32) -> Diagnostic {
    Diagnostic::error("flow::too_deep", format!("more than {limit} {what}"), at, "the limit is reached here")
        .help("bind parts of it to names with `let`, or move them to a flow of their own")
}

/// A file beyond the limit.
pub(crate) fn too_large(at: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("flow::too_large", format!("the file is larger than {} MiB", limit >> 20), at, "")
        .help("split it and use `import`")
}

/// `a < b < c`.
pub(crate) fn comparison_chain(first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("flow::comparison_chain", "comparisons do not chain", second, "second comparison")
        .and(first, "first comparison")
        .help("join two comparisons with `and`: `a < b and b < c`")
}

/// An unknown escape.
pub(crate) fn bad_escape(at: Span, written: &str) -> Diagnostic {
    Diagnostic::error("flow::escape", format!("`{written}` is not an escape"), at, "unknown escape")
        .help("the escapes are `\\\"`, `\\\\`, `\\n`, `\\t`, `\\r`, `\\u{…}` and `\\${`; write `\\\\` for a backslash")
}

/// A `\u{…}` that names no character.
pub(crate) fn bad_code_point(at: Span, written: &str) -> Diagnostic {
    Diagnostic::error("flow::escape", format!("`{written}` names no character"), at, "not a code point")
        .help("write one to six hexadecimal digits between the braces, at most 10ffff and no surrogate")
}

/// A number beyond what its kind can hold.
pub(crate) fn number_too_large(at: Span, written: &str, limit: &str) -> Diagnostic {
    Diagnostic::error(NUMBER, format!("`{written}` is too large"), at, format!("the largest is {limit}"))
}

/// A number with an unknown unit.
pub(crate) fn bad_unit(at: Span, written: &str, unit: &str) -> Diagnostic {
    Diagnostic::error(NUMBER, format!("`{unit}` is not a unit"), at, format!("in `{written}`"))
        .help("durations end in `ns`, `us`, `ms`, `s`, `m`, `h` or `d`, sizes in `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`")
}

/// A unit after a decimal.
pub(crate) fn decimal_unit(at: Span, written: &str) -> Diagnostic {
    Diagnostic::error(NUMBER, format!("`{written}` is a decimal with a unit"), at, "expected a whole number before the unit")
        .help("use a smaller unit, as in `1500ms` for one and a half seconds")
}

/// A text with `${ }` where a plain one is needed.
pub(crate) fn interpolation_here(at: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "this text is fixed before the flow runs", at, "`${ }` is not possible here")
        .help("write `\\${` for these characters")
}

/// Something that must be a bare name is not.
pub(crate) fn not_a_name(at: Span, before: &str) -> Diagnostic {
    Diagnostic::error(SYNTAX, format!("expected a name before `{before}`"), at, "not a name")
}

/// `list` without `<t>` and its like.
pub(crate) fn type_arguments(at: Span, word: &str) -> Diagnostic {
    let form = match word {
        "list" => "`list<t>`",
        "option" => "`option<t>`",
        "tuple" => "`tuple<a, b>`",
        _ => "`result<t, e>`, `result<_, e>`, `result<t>` or `result`",
    };
    Diagnostic::error(SYNTAX, format!("`{word}` has the wrong number of types"), at, format!("expected {form}"))
}

/// A flow or test without a body.
pub(crate) fn no_body(at: Span, what: &str, name: &str) -> Diagnostic {
    let form = if what == "flow" { "flow name() { … }" } else { "test \"name\" { … }" };
    Diagnostic::error(SYNTAX, format!("the {what} `{name}` has no body"), at, "expected `{` after this")
        .help(format!("the body stands in braces that open on the same line: `{form}`"))
}

/// Drift between grammar and builder; the text is at fault for nothing.
pub(crate) fn internal(at: Span) -> Diagnostic {
    Diagnostic::error("flow::internal", "this could not be understood", at, "a defect of the parser")
        .help("please report it with this text")
}

fn closer(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}
