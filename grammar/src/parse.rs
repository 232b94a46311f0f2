//! Parses a file item by item, and flows statement by statement.

use crate::ast::{Block, File, Item, Statement, StatementKind};
use crate::build::Build;
use crate::diagnostic::Diagnostic;
use crate::diagnostics;
use crate::expected;
use crate::habits;
use crate::heads;
use crate::keywords::{ItemWord, close_item_word};
use crate::pieces::{Piece, braces_in, statement_ranges};
use crate::rules::{FlowParser, Rule};
use crate::scan::{MAX_ERRORS, RawItem, Scan, offset, scan};
use crate::span::{FileId, Ident, Span, whole_characters};
use pest::Parser as _;
use pest::error::{Error, ErrorVariant, InputLocation};
use pest::iterators::Pairs;

/// The largest text that is parsed, in bytes.
pub const MAX_SOURCE: usize = 16 << 20;

/// Bytes that may be parsed again because of errors, over the whole file; after that, errors are no longer told apart.
const REPARSE_BUDGET: usize = 64 << 20;

/// What came of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Everything that could be parsed.
    pub file: File,
    /// What could not, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a file. It never fails as a whole: what is wrong is in the diagnostics, and the rest is in the tree.
/// A byte order mark, CRLF and tabs are accepted.
#[must_use]
pub fn parse(file: FileId, text: &str) -> Parsed {
    if text.len() > MAX_SOURCE {
        let at = Span::new(file, 0, 0);
        return Parsed { file: File::default(), diagnostics: vec![diagnostics::too_large(at, MAX_SOURCE)] };
    }
    let mut scanned = scan(file, text);
    let mut bad = std::mem::take(&mut scanned.bad);
    bad.sort_unstable();
    let found = std::mem::take(&mut scanned.diagnostics);
    let mut parser = Parser {
        id: file,
        text,
        scan: &scanned,
        bad,
        out: Parsed { file: File::default(), diagnostics: found },
        used_docs: Vec::new(),
        budget: REPARSE_BUDGET,
    };
    for item in &scanned.items {
        parser.item(item);
    }
    parser.finish()
}

struct Parser<'a> {
    id: FileId,
    text: &'a str,
    scan: &'a Scan,
    /// Places that are reported already and do not parse, in order.
    bad: Vec<u32>,
    out: Parsed,
    /// Indices into `scan.docs`.
    used_docs: Vec<usize>,
    budget: usize,
}

impl<'a> Parser<'a> {
    fn finish(mut self) -> Parsed {
        self.used_docs.sort_unstable();
        let unused = self.scan.docs.iter().enumerate().filter(|(index, _)| self.used_docs.binary_search(index).is_err());
        let unused = unused.flat_map(|(_, (_, lines))| self.scan.doc_lines.get(lines.clone()).unwrap_or_default());
        let last = self.scan.docs.last().map_or(0, |(_, lines)| lines.end);
        let trailing = self.scan.doc_lines.get(last..).unwrap_or_default();
        let all = self.scan.comments.iter().chain(unused).chain(trailing);
        let mut comments: Vec<Span> = all.map(|(start, end)| Span::new(self.id, *start, *end)).collect();
        comments.sort_unstable();
        self.out.file.comments = comments;
        self.out.diagnostics.sort_by_key(|found| found.labels.first().map_or(0, |label| label.span.start));
        self.out
    }

    fn clean(&self, start: u32, end: u32) -> &'a str {
        self.scan.clean.get(start as usize..end as usize).unwrap_or_default()
    }

    fn span(&self, start: u32, end: u32) -> Span {
        whole_characters(self.id, self.text, start as usize, end as usize)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.out.diagnostics.len() < MAX_ERRORS {
            self.out.diagnostics.push(diagnostic);
        }
    }

    fn item(&mut self, raw: &RawItem) {
        if raw.refused {
            return self.broken(raw);
        }
        let rule = match raw.word {
            ItemWord::Flow => return self.flow(raw),
            ItemWord::Test => return self.test(raw),
            ItemWord::Foreign | ItemWord::Stray => return self.not_an_item(raw),
            ItemWord::Package => Rule::lone_package,
            ItemWord::Import => Rule::lone_import,
            ItemWord::Use => Rule::lone_use,
            ItemWord::Record => Rule::lone_record,
            ItemWord::Enum => Rule::lone_enum,
            ItemWord::Variant => Rule::lone_variant,
            ItemWord::Class => Rule::lone_class,
            ItemWord::Interface => Rule::lone_interface,
            ItemWord::Role => Rule::lone_role,
            ItemWord::Hook => Rule::lone_hook,
            ItemWord::Trigger => Rule::lone_trigger,
        };
        let mut piece = Piece::new(self.scan, self.id, raw.start, raw.end);
        let word = raw.word;
        let built = self.piece(rule, &mut piece, |build, pairs| {
            if word == ItemWord::Package { build.package(pairs).map(Err) } else { build.item(word, pairs).map(Ok) }
        });
        match built.flatten() {
            Some(Err(package)) => self.out.file.package = Some(package),
            // What is left of a broken declaration would be reported again wherever it is used.
            Some(Ok(_)) if piece.has_holes() && raw.word != ItemWord::Class && raw.word != ItemWord::Use => self.broken(raw),
            Some(Ok(item)) => self.out.file.items.push(item),
            None => self.broken(raw),
        }
    }

    /// Remembers the names that an item would have declared.
    fn broken(&mut self, raw: &RawItem) {
        let text = self.clean(raw.start, raw.end.min(raw.start.saturating_add(4096)));
        let words = words_of(text);
        let at = |(start, word): (usize, &str)| {
            let start = raw.start + offset(start);
            Ident { name: word.into(), span: Span::new(self.id, start, start + offset(word.len())) }
        };
        let names: Vec<Ident> = match raw.word {
            ItemWord::Use => {
                let after_as = words.into_iter().skip_while(|(_, word)| *word != "as").nth(1);
                after_as.map(at).into_iter().collect()
            }
            ItemWord::Import => words.into_iter().skip(1).map(at).collect(),
            ItemWord::Package | ItemWord::Hook | ItemWord::Trigger | ItemWord::Test => Vec::new(),
            ItemWord::Foreign | ItemWord::Stray => declared_by(text).into_iter().map(at).collect(),
            _ => words.into_iter().nth(1).map(at).into_iter().collect(),
        };
        self.out.file.broken.extend(names);
    }

    fn not_an_item(&mut self, raw: &RawItem) {
        let first = self.clean(raw.start, raw.end);
        let word = words_of(first).first().filter(|(start, _)| *start == 0).map_or("", |(_, word)| *word);
        let at = self.span(raw.start, raw.start + offset(word.len()));
        let found = match raw.word {
            _ if self.is_reported(raw) => None,
            ItemWord::Foreign => Some(diagnostics::foreign_declaration(at, word)),
            _ => Some(self.stray(raw)),
        };
        if let Some(found) = found {
            self.report(found);
        }
        self.broken(raw);
    }

    /// Text that begins no item.
    fn stray(&self, raw: &RawItem) -> Diagnostic {
        let line = self.text.get(raw.start as usize..).unwrap_or_default().lines().next().unwrap_or_default();
        let habit = habits::item(line.trim_end());
        if let Some(habits::Item { length, help, foreign: true }) = habit {
            let at = self.span(raw.start, raw.start + offset(length));
            return diagnostics::foreign(at, line.get(..length).unwrap_or_default(), help);
        }
        let (found, end) = expected::found(self.text, raw.start as usize);
        let at = self.span(raw.start, offset(end));
        if let Some(habit) = habit {
            return diagnostics::not_an_item(at, &found).help(habit.help);
        }
        let close = close_item_word(self.text.get(at.range()).unwrap_or_default());
        diagnostics::not_an_item(at, &found).help(match close {
            Some(word) => format!("did you mean `{word}`?"),
            None => "what runs stands inside the braces of a flow: `flow main() { … }`".to_owned(),
        })
    }

    fn is_reported(&self, raw: &RawItem) -> bool {
        let first = self.bad.partition_point(|at| *at < raw.start);
        self.bad.get(first).is_some_and(|at| *at < raw.end)
    }

    fn flow(&mut self, raw: &RawItem) {
        let head_end = raw.body.map_or(raw.end, |(open, _)| open);
        let mut head = Piece::new(self.scan, self.id, raw.start, head_end);
        let built = self.piece(Rule::flow_head, &mut head, |build, pairs| build.flow_head(pairs));
        let Some(mut flow) = built.flatten().filter(|_| !head.has_holes()) else {
            self.other_parameters(raw.start, head_end);
            return self.broken(raw);
        };
        let Some((open, close)) = raw.body else {
            let at = self.span(raw.end.saturating_sub(1), raw.end);
            self.report(diagnostics::no_body(at, "flow", &flow.name.name));
            return self.broken(raw);
        };
        flow.body = self.body(raw, open, close);
        flow.span = self.span(raw.start, close);
        flow.span.end = flow.span.end.max(flow.body.span.end);
        self.out.file.items.push(Item::Flow(flow));
    }

    /// Reports what is wrong with the parameters of a head beside what was reported of it.
    fn other_parameters(&mut self, start: u32, end: u32) {
        for range in heads::parameters(self.clean(start, end)) {
            let (start, end) = (start + offset(range.start), start + offset(range.end));
            let told = |found: &Diagnostic| found.labels.first().is_some_and(|label| (start..=end).contains(&label.span.start));
            let bad = self.bad.partition_point(|at| *at < start);
            if self.out.diagnostics.iter().any(told) || self.bad.get(bad).is_some_and(|at| *at < end) {
                continue;
            }
            let mut piece = Piece::new(self.scan, self.id, start, end);
            self.piece(Rule::lone_param, &mut piece, |build, pairs| build.lone_param(pairs));
        }
    }

    fn test(&mut self, raw: &RawItem) {
        let head_end = raw.body.map_or(raw.end, |(open, _)| open);
        let mut head = Piece::new(self.scan, self.id, raw.start, head_end);
        let built = self.piece(Rule::test_head, &mut head, |build, pairs| build.test_head(pairs));
        let Some(mut test) = built.flatten() else { return };
        let Some((open, close)) = raw.body else {
            let at = self.span(raw.end.saturating_sub(1), raw.end);
            return self.report(diagnostics::no_body(at, "test", &test.name.value));
        };
        test.body = self.body(raw, open, close);
        test.span = self.span(raw.start, close);
        self.out.file.items.push(Item::Test(test));
    }

    /// The body of a flow or test; nothing may follow it.
    fn body(&mut self, raw: &RawItem, open: u32, close: u32) -> Block {
        let body = Block { statements: self.statements(open, close), span: self.span(open, close) };
        let rest = self.clean(close, raw.end);
        let blanks = rest.len() - rest.trim_start().len();
        if !rest.trim().is_empty() && !self.is_reported(&RawItem { start: close, ..*raw }) {
            let start = close as usize + blanks;
            let (found, end) = expected::found(self.text, start);
            self.report(diagnostics::unexpected(self.span(offset(start), offset(end)), "the next declaration", &found));
        }
        body
    }

    fn statements(&mut self, open: u32, close: u32) -> Vec<Statement> {
        let mut statements = Vec::new();
        let ranges =
            statement_ranges(braces_in(&self.scan.marks, open + 1, close.saturating_sub(1)), open + 1, close.saturating_sub(1));
        for (start, end) in ranges {
            let text = self.clean(start, end);
            let lead = text.len() - text.trim_start().len();
            let (start, end) = (start + offset(lead), start + offset(text.trim_end().len()));
            if start < end {
                statements.push(self.statement(start, end));
            }
        }
        statements
    }

    fn statement(&mut self, start: u32, end: u32) -> Statement {
        let mut piece = Piece::new(self.scan, self.id, start, end);
        let built = self.piece(Rule::lone_statement, &mut piece, |build, pairs| build.lone_statement(pairs));
        built.flatten().unwrap_or_else(|| {
            let span = self.span(start, end);
            Statement { kind: StatementKind::Error { binds: piece.whole_binds() }, span }
        })
    }

    /// Parses a piece, cutting out what does not parse, until the rest does. `None` when nothing is left.
    fn piece<T>(
        &mut self,
        rule: Rule,
        piece: &mut Piece<'a>,
        build: impl FnOnce(&mut Build<'_>, Pairs<'_, Rule>) -> T,
    ) -> Option<T> {
        let first = self.bad.partition_point(|at| *at < piece.start());
        let bad: Vec<u32> = self.bad.iter().skip(first).take_while(|at| **at < piece.end()).copied().collect();
        for at in bad {
            if !piece.is_cut_out(at) && !piece.cut(at) {
                return None;
            }
        }
        loop {
            match FlowParser::parse(rule, piece.text()) {
                Ok(pairs) => {
                    let mut builder =
                        Build::new(self.id, self.text, piece, self.scan, &mut self.out.diagnostics, &mut self.used_docs);
                    return Some(build(&mut builder, pairs));
                }
                Err(error) => {
                    let at = piece.start() + offset(position(&error));
                    if !piece.is_hole(at) {
                        self.syntax_error(&error, at);
                    }
                    let affordable = self.budget.checked_sub(piece.text().len());
                    self.budget = affordable.unwrap_or(0);
                    if affordable.is_none() || !piece.cut(at) {
                        return None;
                    }
                }
            }
        }
    }

    fn syntax_error(&mut self, error: &Error<Rule>, at: u32) {
        let rules = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
            ErrorVariant::CustomError { .. } => {
                // Pest ends the parse when the thread's stack runs low.
                let at = self.span(at, at + 1);
                return self.report(diagnostics::too_deep(
                    at,
                    "levels of nesting for this thread's stack",
                    crate::scan::MAX_NESTING,
                ));
            }
        };
        let place = expected::Place { file: self.id, text: self.text, clean: &self.scan.clean, at: at as usize };
        self.report(expected::diagnose(rules, &place));
    }
}

fn position(error: &Error<Rule>) -> usize {
    match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    }
}

/// The names that lines which begin no item would have declared.
fn declared_by(text: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let words = words_of(line);
        let imports = words.iter().any(|(_, word)| *word == "import");
        if !line.starts_with([' ', '}', ')']) {
            let declared = words.into_iter().skip_while(|(_, word)| habits::declares(word));
            names.extend(declared.take(if imports { usize::MAX } else { 1 }).map(|(at, word)| (start + at, word)));
        }
        start += line.len();
    }
    names
}

/// The words outside of quotes, with their offsets.
fn words_of(text: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut quoted = false;
    let mut start = None;
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        if letter == '"' {
            quoted = !quoted;
        }
        if !quoted && (letter.is_ascii_alphanumeric() || letter == '_') {
            start.get_or_insert(at);
        } else if let Some(from) = start.take() {
            words.extend(text.get(from..at).map(|word| (from, word)));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use crate::is_keyword;
    use crate::rules::{FlowParser, Rule};
    use pest::Parser as _;

    /// Each word of the grammar's text is a keyword there exactly when it is one for [`is_keyword`].
    #[test]
    fn grammar_and_keywords_agree() {
        let letters = |c: char| !c.is_ascii_alphabetic();
        let grammar = include_str!("flow.pest");
        let words = include_str!("keywords.rs").split(letters).chain(grammar.split(letters));
        let mut keywords = 0;
        for word in words.filter(|word| !word.is_empty()) {
            let parsed = FlowParser::parse(Rule::name, word).is_ok_and(|pairs| pairs.as_str() == word);
            assert_eq!(parsed, !is_keyword(word), "{word}");
            keywords += usize::from(!parsed);
        }
        assert!(keywords > 40);
    }
}
