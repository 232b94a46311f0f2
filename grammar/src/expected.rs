//! Turns the rules that the grammar tried at the place of an error into the user's words.

use crate::diagnostic::Diagnostic;
use crate::diagnostics;
use crate::habits;
use crate::keywords::is_keyword;
use crate::rules::Rule;
use crate::span::{FileId, Span, whole_characters};

/// Where the grammar stopped.
pub(crate) struct Place<'a> {
    pub(crate) file: FileId,
    /// The text as written.
    pub(crate) text: &'a str,
    /// The text as prepared for the grammar.
    pub(crate) clean: &'a str,
    pub(crate) at: usize,
}

impl Place<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        whole_characters(self.file, self.text, start, end)
    }

    /// What was found, with its surroundings.
    fn spot<'s>(&'s self, expected: &'s Expected, at: usize, end: usize) -> habits::Spot<'s> {
        let start = habits::statement_start(self.clean, at);
        let statement = self.clean.get(start..at).unwrap_or_default();
        habits::Spot { file: self.file, text: self.text, at, end, statement, start, expected: &expected.items }
    }

    /// Whether a comment before the error follows an operand and holds what a statement needs: its `//` was to divide.
    fn is_cut_by_comment(&self) -> bool {
        let end = self.clean.get(..self.at).unwrap_or_default().trim_end_matches([' ', '\n']).len();
        let operand =
            self.clean.get(..end).is_some_and(|before| before.ends_with(|c: char| is_word(c) || matches!(c, ')' | ']')));
        let line = self.text.get(end..).unwrap_or_default().lines().next().unwrap_or_default();
        let Some(comment) = line.trim_start().strip_prefix("//") else { return false };
        let comment = comment.trim();
        operand
            && comment.starts_with(|c: char| is_word(c) || c == '(')
            && (comment.ends_with(['{', '(', '[', ',']) || closes_more(comment))
    }

    /// Where the last thing before the error ends, when the error is at the end of a line or piece.
    fn end_of_line(&self) -> Option<usize> {
        let rest = self.clean.get(self.at..).unwrap_or_default();
        let ended = rest.trim_start_matches(' ').chars().next().is_none_or(|next| next == '\n');
        let before = self.clean.get(..self.at).unwrap_or_default();
        ended.then(|| before.trim_end_matches([' ', '\n']).len())
    }
}

/// The diagnostic for an error at `place`, where one of `rules` was expected.
pub(crate) fn diagnose(rules: &[Rule], place: &Place<'_>) -> Diagnostic {
    let found = answered(rules, place);
    if place.is_cut_by_comment() { found.help(diagnostics::SLASHES) } else { found }
}

fn answered(rules: &[Rule], place: &Place<'_>) -> Diagnostic {
    let mut expected = Expected::of(rules);
    let statement = place.clean.get(habits::statement_start(place.clean, place.at)..).unwrap_or_default();
    // Elsewhere `=` is only read in order to say that it is wrong.
    if expected.has("`:`") && !statement.starts_with("let") {
        expected.items.retain(|text| *text != "`=`");
    }
    if let Some(end) = place.end_of_line() {
        let at = place.span(end, end + 1);
        let diagnostic = diagnostics::unexpected(at, &expected.text(), "the end of the line");
        let next = place.text.get(place.at..).unwrap_or_default().trim_start();
        if expected.has("`{`") && next.starts_with('{') {
            return diagnostic.help("the `{` of a block stands on the line that it belongs to");
        }
        let spot = place.spot(&expected, end, end);
        return match habits::answer(&spot) {
            Some(answer) => habits::diagnostic(answer, &spot, diagnostic),
            None => help_for(&expected, &spot, "", diagnostic),
        };
    }
    // A piece can end before blanks, as a flow's head does before its body.
    let rest = place.clean.get(place.at..).unwrap_or_default();
    let start = place.at + rest.len() - rest.trim_start_matches(' ').len();
    let (found, end) = found(place.text, start);
    let at = place.span(start, end);
    let word = place.text.get(start..end).unwrap_or_default();
    let spot = place.spot(&expected, start, end);
    if let Some(answer) = habits::answer(&spot) {
        return habits::diagnostic(answer, &spot, diagnostics::unexpected(at, &expected.text(), &found));
    }
    if is_keyword(word) && followed_by(place.text, end, ':') && (expected.has("an expression") || expected.has("a name")) {
        return diagnostics::keyword_as_name(at, word);
    }
    if is_keyword(word) && expected.has("a name") {
        return diagnostics::keyword_as_name(at, word);
    }
    help_for(&expected, &spot, word, diagnostics::unexpected(at, &expected.text(), &found))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a bracket is closed that is not opened in the text.
pub(crate) fn closes_more(text: &str) -> bool {
    let mut depth = 0_i32;
    text.bytes().any(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        depth < 0
    })
}

fn followed_by(text: &str, end: usize, sign: char) -> bool {
    text.get(end..).is_some_and(|rest| rest.trim_start_matches(' ').starts_with(sign))
}

/// What is likely meant, by what stands there.
fn help_for(expected: &Expected, spot: &habits::Spot<'_>, word: &str, diagnostic: Diagnostic) -> Diagnostic {
    let help = match word {
        "=>" if spot.statement.starts_with("mock ") => {
            "a pattern for each argument stands in parentheses: `mock component.function(_) => value`"
        }
        "catch" if expected.has("the end of the statement") => {
            "a failure is taken by `step else other`, or by `try { … } catch e { … }`"
        }
        "," if spot.statement.starts_with("assert ") => "a message follows `else`: `assert condition else \"message\"`",
        _ if expected.has("a text") && expected.has("`(`") && begins_value(word) => {
            "a topic is a text in quotes: `\"orders.new\"`"
        }
        "=>" if expected.has("`->`") => "the type of the result follows `->`",
        "=>" => {
            "a function `x => …` stands only as an argument, as in `sort_by(xs, x => x.key)`; work of its own is a `flow`, and for each item of a list there is `map x in list { … }`"
        }
        "+" | "-" | "*" | "/" if expected.has("an expression") => "a value stands on both sides of an operator",
        ":" if expected.has("`{`") => "blocks stand in braces: `{ … }`",
        "{" if ["assert ", "require "].iter().any(|word| spot.statement.starts_with(word)) => {
            "a record stands in parentheses here: `(name { field: value })`"
        }
        "<" if expected.has("`(`") && spot.first_word() == "flow" => {
            "a flow has no type parameters: write its types, `json` for what is untyped, or an `interface` for a component that varies"
        }
        _ if expected.items == ["`catch`"] => {
            "a `try` says what follows a failure: `try { … } catch e { … }`; of a step alone `step else other`"
        }
        "->" if expected.has("`=>`") => "an arm is written `pattern => value`",
        _ if expected.has("`,`") && begins_value(word) && word != "in" => "separate them by a comma",
        _ if expected.has("the end of the statement") && begins_value(word) => "begin a new statement on a new line",
        _ => match habits::shape(spot) {
            Some(shape) => shape,
            None if word == "," && expected.has("the end of the statement") => {
                "each statement stands on a line of its own: remove the `,`"
            }
            None if expected.has("`{`") => "blocks stand in braces: `{ … }`",
            None => return diagnostic,
        },
    };
    diagnostic.help(help)
}

fn begins_value(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '\'' | '(' | '['))
}

/// What stands at `at`, as an error message says it, and where it ends.
pub(crate) fn found(text: &str, at: usize) -> (String, usize) {
    const MAX_SHOWN: usize = 24;
    let rest = text.get(at..).unwrap_or_default();
    let Some(first) = rest.chars().next() else { return ("the end of the file".into(), text.len()) };
    let length = match first {
        '`' => return ("a backtick".into(), at + 1),
        '\n' | '\r' => return ("the end of the line".into(), at + 1),
        '"' => {
            let line = rest.split('\n').next().unwrap_or_default();
            let inner = line.get(1..).unwrap_or_default();
            return ("a text".into(), at + inner.find('"').map_or(line.trim_end().len(), |length| length + 2));
        }
        _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        _ => {
            let pairs = ["=>", "->", "==", "!=", "<=", ">=", "??", "&&", "||", ":=", "..", "::", "++", "+=", "-="];
            pairs.iter().find(|pair| rest.starts_with(**pair)).map_or(first.len_utf8(), |pair| pair.len())
        }
    };
    let word = rest.get(..length).unwrap_or_default();
    let shown: String = word.chars().take(MAX_SHOWN).collect();
    let more = if shown.len() < word.len() { "…" } else { "" };
    (format!("`{}{more}`", shown.escape_debug()), at + length)
}

/// The symbols that would have been right, without repetition, the telling ones only.
struct Expected {
    items: Vec<&'static str>,
}

impl Expected {
    fn of(rules: &[Rule]) -> Self {
        let mut telling = Vec::new();
        let mut weak = Vec::new();
        for rule in rules {
            match symbol(*rule) {
                Symbol::Telling(text) if !telling.contains(&text) => telling.push(text),
                Symbol::Weak(text) if !weak.contains(&text) => weak.push(text),
                _ => {}
            }
        }
        // A value can begin in many ways; which of them is no help.
        if telling.contains(&"an expression") {
            telling.retain(|text| !matches!(*text, "a text" | "a number" | "a name" | "`(`" | "`[`" | "`{`" | "a statement"));
        }
        // A name's `:` and a function's `=>` are rarer than a forgotten comma.
        if telling.contains(&"`,`") && telling.contains(&"`)`") {
            telling.retain(|text| !matches!(*text, "`:`" | "`=>`"));
        }
        if telling.contains(&"`->`") {
            telling.retain(|text| *text != "the end of the statement");
        }
        if telling.contains(&"a statement") {
            telling.retain(|text| *text != "the end of the line");
        }
        let mut items = if telling.is_empty() { weak } else { telling };
        items.sort_by_key(|text| !matches!(*text, "`,`" | "an expression" | "a name"));
        Self { items }
    }

    fn has(&self, text: &str) -> bool {
        self.items.contains(&text)
    }

    fn text(&self) -> String {
        match self.items.as_slice() {
            [] => "something else".into(),
            [one] => (*one).into(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }
}

/// How a rule is called before a user.
enum Symbol {
    /// Named whenever it was possible.
    Telling(&'static str),
    /// Named only when nothing else was possible: what can follow almost anything.
    Weak(&'static str),
    /// Never named.
    Hidden,
}

fn symbol(rule: Rule) -> Symbol {
    keyword_symbol(rule).map_or_else(|| form_symbol(rule), Symbol::Telling)
}

fn keyword_symbol(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::kw_as => "`as`",
        Rule::kw_catch => "`catch`",
        Rule::kw_class => "`class`",
        Rule::kw_enum => "`enum`",
        Rule::kw_flow => "`flow`",
        Rule::kw_import => "`import`",
        Rule::kw_in => "`in`",
        Rule::kw_package => "`package`",
        Rule::kw_record => "`record`",
        Rule::kw_interface => "`interface`",
        Rule::kw_role => "`role`",
        Rule::kw_hook => "`hook`",
        Rule::kw_test => "`test`",
        Rule::kw_on => "`on`",
        Rule::kw_of => "`of`",
        Rule::kw_plan => "`plan`",
        Rule::kw_schedule | Rule::schedule => "`schedule`",
        Rule::kw_event | Rule::on_event => "`event`",
        Rule::kw_webhook | Rule::on_webhook => "`webhook`",
        Rule::kw_fails | Rule::mock_fails => "`fails`",
        Rule::kw_max => "`max`",
        Rule::kw_until => "`until`",
        Rule::kw_use => "`use`",
        Rule::kw_variant => "`variant`",
        Rule::arrow => "`->`",
        Rule::assign => "`=`",
        Rule::colon => "`:`",
        Rule::comma | Rule::trailing_comma => "`,`",
        Rule::fat_arrow | Rule::lambda_body => "`=>`",
        Rule::langle => "`<`",
        Rule::lcurly | Rule::nested | Rule::block | Rule::import_names | Rule::arms => "`{`",
        Rule::lparen | Rule::params | Rule::field_defs | Rule::patterns => "`(`",
        Rule::lsquare | Rule::grants => "`[`",
        Rule::rangle => "`>`",
        Rule::rcurly => "`}`",
        Rule::rparen => "`)`",
        Rule::rsquare => "`]`",
        _ => return None,
    })
}

/// Everything that is not one sign or word. Exhaustive, so that a new rule cannot reach a user by its name.
#[expect(clippy::too_many_lines, reason = "an exhaustive match of short arms")]
fn form_symbol(rule: Rule) -> Symbol {
    match rule {
        Rule::EOI | Rule::nl => Symbol::Telling("the end of the statement"),
        Rule::word | Rule::name | Rule::field | Rule::ident | Rule::ident_char | Rule::tuple_field => Symbol::Telling("a name"),
        Rule::package_word | Rule::version => Symbol::Telling("a package name"),
        Rule::type_expr | Rule::generic_word | Rule::flow_type => Symbol::Telling("a type"),
        Rule::function_def => Symbol::Telling("a function `name(param: type) -> type`"),
        Rule::hook_target | Rule::star => Symbol::Telling("what it is called for"),
        Rule::path => Symbol::Telling("`component.function`"),
        Rule::name_pat | Rule::literal_pat | Rule::tuple_pat | Rule::record_pat | Rule::pattern | Rule::minus => {
            Symbol::Telling("a pattern")
        }
        Rule::arm => Symbol::Telling("an arm `pattern => value`"),
        Rule::setting | Rule::settings => Symbol::Telling("a setting `key: value`"),
        Rule::grant => Symbol::Telling("a capability"),
        Rule::param | Rule::field_def => Symbol::Telling("a `name: type`"),
        Rule::field_init | Rule::field_pat => Symbol::Telling("a field"),
        Rule::enum_case | Rule::case_def => Symbol::Telling("a case"),
        Rule::import_name | Rule::import_from => Symbol::Telling("a name"),
        Rule::raw_text | Rule::text | Rule::raw_chunk | Rule::chunk | Rule::escaped | Rule::interpolation => {
            Symbol::Telling("a text")
        }
        Rule::expr | Rule::head | Rule::operand | Rule::head_operand | Rule::core | Rule::atom | Rule::form | Rule::number => {
            Symbol::Telling("an expression")
        }
        Rule::prefix | Rule::paren | Rule::list | Rule::char | Rule::literal_word | Rule::arg => Symbol::Telling("an expression"),
        Rule::if_form | Rule::match_form | Rule::map_form | Rule::reduce_form | Rule::loop_form | Rule::seq_form => {
            Symbol::Telling("an expression")
        }
        Rule::phase_form | Rule::try_form | Rule::for_form | Rule::while_form => Symbol::Telling("an expression"),
        Rule::race_form | Rule::any_form | Rule::wait_form | Rule::emit_form | Rule::ask_form | Rule::run_form => {
            Symbol::Telling("an expression")
        }
        Rule::bare | Rule::bare_operand => Symbol::Telling("an expression"),
        Rule::topic => Symbol::Telling("a text"),
        Rule::kw_race | Rule::kw_any | Rule::kw_wait | Rule::kw_emit | Rule::kw_ask | Rule::kw_run => Symbol::Hidden,
        Rule::kw_signal | Rule::kw_message | Rule::wait_signal | Rule::wait_message | Rule::kw_always => Symbol::Hidden,
        Rule::kw_mock | Rule::kw_assert | Rule::kw_times | Rule::kw_takes | Rule::mock_times | Rule::mock_takes => Symbol::Hidden,
        Rule::mock_target | Rule::mock_ask | Rule::mock_plan | Rule::mock_signal | Rule::mock_message | Rule::mock_call => {
            Symbol::Telling("`component.function(…)`")
        }
        Rule::race_arm => Symbol::Telling("a statement"),
        Rule::kw_if | Rule::kw_match | Rule::kw_map | Rule::kw_for | Rule::kw_while | Rule::kw_reduce | Rule::kw_loop => {
            Symbol::Hidden
        }
        Rule::kw_seq | Rule::kw_phase | Rule::kw_try | Rule::kw_allow | Rule::kw_elif | Rule::kw_from => Symbol::Hidden,
        Rule::statement | Rule::let_stmt | Rule::expr_stmt | Rule::require_stmt | Rule::return_stmt | Rule::lone_statement => {
            Symbol::Telling("a statement")
        }
        Rule::mock_stmt | Rule::assert_stmt => Symbol::Telling("a statement"),
        Rule::let_word | Rule::kw_require | Rule::kw_return => Symbol::Telling("a statement"),
        Rule::fold_head | Rule::tree_head => Symbol::Telling("`=` or `,`"),
        Rule::bin_op | Rule::postfix | Rule::call | Rule::index | Rule::record_lit => Symbol::Weak("an operator"),
        Rule::attached | Rule::with_clause | Rule::after_clause | Rule::cast | Rule::kw_cast => Symbol::Weak("an operator"),
        Rule::kw_with | Rule::kw_else | Rule::kw_after | Rule::else_if => Symbol::Weak("an operator"),
        Rule::kw_undo | Rule::undo => Symbol::Weak("an operator"),
        Rule::recursive | Rule::kw_recursive | Rule::flow_result => Symbol::Weak("an operator"),
        Rule::arg_value | Rule::yaml_value | Rule::comprehension | Rule::hole | Rule::sep | Rule::keyword | Rule::WHITESPACE => {
            Symbol::Hidden
        }
        Rule::flow_head | Rule::lone_param | Rule::lone_package | Rule::lone_import | Rule::lone_use | Rule::lone_record => {
            Symbol::Hidden
        }
        Rule::lone_enum | Rule::lone_variant | Rule::lone_class | Rule::lone_interface | Rule::lone_role => Symbol::Hidden,
        Rule::lone_hook | Rule::lone_trigger | Rule::test_head => Symbol::Hidden,
        Rule::kw_as
        | Rule::kw_catch
        | Rule::kw_class
        | Rule::kw_enum
        | Rule::kw_flow
        | Rule::kw_import
        | Rule::kw_in
        | Rule::kw_package
        | Rule::kw_record
        | Rule::kw_interface
        | Rule::kw_role
        | Rule::kw_hook
        | Rule::kw_test
        | Rule::kw_on
        | Rule::kw_of
        | Rule::kw_plan
        | Rule::kw_schedule
        | Rule::schedule
        | Rule::kw_event
        | Rule::on_event
        | Rule::kw_webhook
        | Rule::on_webhook
        | Rule::kw_fails
        | Rule::mock_fails
        | Rule::kw_max
        | Rule::arms
        | Rule::field_defs
        | Rule::patterns
        | Rule::kw_until
        | Rule::kw_use
        | Rule::kw_variant
        | Rule::arrow
        | Rule::assign
        | Rule::colon
        | Rule::comma
        | Rule::trailing_comma
        | Rule::fat_arrow
        | Rule::lambda_body
        | Rule::langle
        | Rule::lcurly
        | Rule::block
        | Rule::import_names
        | Rule::lparen
        | Rule::params
        | Rule::lsquare
        | Rule::grants
        | Rule::rangle
        | Rule::rcurly
        | Rule::rparen
        | Rule::rsquare
        | Rule::nested => Symbol::Hidden,
    }
}
