//! Random flows that are right by construction: each compiles without errors, and its plan is whole.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lang::check_plan;
use lang::plan::NodeKind;
use lang::render::{Format, render};

use crate::cases::compiled;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ty {
    Number,
    Flag,
    Text,
    Maybe,
    Numbers,
    Texts,
}

const TYPES: [Ty; 6] = [Ty::Number, Ty::Flag, Ty::Text, Ty::Maybe, Ty::Numbers, Ty::Texts];

/// Writes one flow. A name is written only where it is known, and an expression only where its type fits.
struct Writer {
    random: fastrand::Rng,
    known: Vec<(String, Ty)>,
    names: u32,
}

impl Writer {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn known(&mut self, ty: Ty) -> Option<String> {
        let fitting: Vec<&String> = self.known.iter().filter(|(_, known)| *known == ty).map(|(name, _)| name).collect();
        if fitting.is_empty() { None } else { Some(fitting[self.random.usize(..fitting.len())].clone()) }
    }

    fn literal(&mut self, ty: Ty) -> String {
        let n = self.random.u32(1..90);
        match ty {
            Ty::Number => n.to_string(),
            Ty::Flag => format!("({n} > 50)"),
            Ty::Text => format!("\"t{n}\""),
            // A bare `none` would leave its type open.
            Ty::Maybe => format!("(if {n} > 50 {{ some(1) }} else {{ none }})"),
            Ty::Numbers => format!("[{n}, 2]"),
            Ty::Texts => format!("[\"a{n}\", \"b\"]"),
        }
    }

    /// An expression without steps.
    fn pure(&mut self, ty: Ty, depth: u32) -> String {
        if depth == 0 || self.random.u8(..4) == 0 {
            return self.known(ty).unwrap_or_else(|| self.literal(ty));
        }
        let (depth, one) = (depth - 1, self.random.u8(..));
        let mut a = |ty| self.pure(ty, depth);
        match ty {
            Ty::Number => match one % 4 {
                0 => format!("({} + {})", a(Ty::Number), a(Ty::Number)),
                1 => format!("max({}, {})", a(Ty::Number), a(Ty::Number)),
                2 => format!("({} ?? {})", a(Ty::Maybe), a(Ty::Number)),
                _ => format!("(if {} {{ {} }} else {{ {} }})", a(Ty::Flag), a(Ty::Number), a(Ty::Number)),
            },
            Ty::Flag => match one % 4 {
                0 => format!("({} < {})", a(Ty::Number), a(Ty::Number)),
                1 => format!("({} and not {})", a(Ty::Flag), a(Ty::Flag)),
                2 => format!("contains({}, {})", a(Ty::Texts), a(Ty::Text)),
                _ => format!("({} == {})", a(Ty::Text), a(Ty::Text)),
            },
            Ty::Text => match one % 3 {
                0 => format!("({} + {})", a(Ty::Text), a(Ty::Text)),
                1 => format!("\"<${{{}}}>\"", a(Ty::Number)),
                _ => format!("join({}, \"-\")", a(Ty::Texts)),
            },
            Ty::Maybe => self.literal(ty),
            Ty::Numbers => format!("concat([{}, {}])", a(Ty::Numbers), a(Ty::Numbers)),
            Ty::Texts => {
                let list = self.pure(Ty::Texts, depth);
                let (item, kept) = (self.name(), self.known.len());
                self.known.push((item.clone(), Ty::Text));
                let (each, condition) = (self.pure(Ty::Text, depth), self.pure(Ty::Flag, depth));
                self.known.truncate(kept);
                format!("[{each} for {item} in {list} if {condition}]")
            }
        }
    }

    fn step(&mut self, ty: Ty, depth: u32) -> String {
        let mut a = |ty| self.pure(ty, depth);
        let called = match ty {
            Ty::Number => format!("tools.add({}, {})", a(Ty::Number), a(Ty::Number)),
            Ty::Flag => format!("tools.flag({})", a(Ty::Number)),
            Ty::Text => format!("tools.join({}, {})", a(Ty::Text), a(Ty::Text)),
            Ty::Maybe => format!("tools.maybe({})", a(Ty::Number)),
            Ty::Numbers => return format!("[tools.number(), tools.double({})]", a(Ty::Number)),
            Ty::Texts => format!("tools.list({})", a(Ty::Text)),
        };
        match self.random.u8(..6) {
            0 => format!("{called} with {{ retry: {}, timeout: 30s }}", self.random.u8(1..9)),
            1 => format!("{called} else {}", self.pure(ty, depth)),
            2 => match self.known.last() {
                Some((name, _)) => format!("{called} after {name}"),
                None => called,
            },
            _ => called,
        }
    }

    /// What stands behind `let x =`: an expression, a step or a form.
    fn value(&mut self, ty: Ty, depth: u32) -> String {
        if depth == 0 {
            return if self.random.bool() { self.step(ty, 1) } else { self.pure(ty, 2) };
        }
        let inner = depth - 1;
        match self.random.u8(..9) {
            0 => format!("if {} {} else {}", self.pure(Ty::Flag, 2), self.block(ty, inner, &[]), self.block(ty, inner, &[])),
            1 => {
                let (subject, bound) = (self.pure(Ty::Maybe, 1), self.name());
                let some = self.block(ty, inner, &[(&bound, Ty::Number)]);
                format!("match {subject} {{\nsome({bound}) => {some}\nnone => {}\n}}", self.block(ty, inner, &[]))
            }
            2 => {
                let (acc, item) = (self.name(), self.name());
                let (first, list) = (self.pure(ty, 1), self.pure(Ty::Texts, 1));
                let body = self.block(ty, inner, &[(&acc, ty), (&item, Ty::Text)]);
                format!("reduce {acc} = {first}, {item} in {list} {body}")
            }
            3 => {
                let (first, now) = (self.pure(ty, 1), self.name());
                let kept = self.known.len();
                self.known.push((now.clone(), ty));
                let until = format!("tools.flag({})", self.pure(Ty::Number, 1));
                self.known.truncate(kept);
                format!(
                    "loop {now} = {first} until {until} max {} {}",
                    self.random.u8(1..9),
                    self.block(ty, inner, &[(&now, ty)])
                )
            }
            4 => {
                let (body, caught) = (self.block(ty, inner, &[]), self.name());
                format!("try {body} catch {caught} {}", self.block(ty, inner, &[]))
            }
            5 => format!("seq {}", self.block(ty, inner, &[])),
            6 | 7 => self.list_form(ty, inner),
            _ => format!("{}({}, {})", helper(ty), self.pure(Ty::Number, 1), self.pure(Ty::Text, 1)),
        }
    }

    /// A form whose value is one of a list, or the list.
    fn list_form(&mut self, ty: Ty, depth: u32) -> String {
        let item = self.name();
        match ty {
            Ty::Numbers => {
                let list = self.pure(Ty::Texts, 1);
                format!("map {item} in {list} {}", self.block(Ty::Number, depth, &[(&item, Ty::Text)]))
            }
            Ty::Texts => {
                let list = self.pure(Ty::Numbers, 1);
                let body = self.block(Ty::Text, depth, &[(&item, Ty::Number)]);
                format!("map {item} in {list} with {{ parallel: 4 }} {body}")
            }
            Ty::Number | Ty::Text => {
                let (other, list) = (self.name(), self.pure(if ty == Ty::Number { Ty::Numbers } else { Ty::Texts }, 1));
                format!("reduce {item}, {other} in {list} {}", self.block(ty, depth, &[(&item, ty), (&other, ty)]))
            }
            Ty::Flag | Ty::Maybe => self.step(ty, 1),
        }
    }

    /// A block that ends with a value of the type; the bound names are known in it.
    fn block(&mut self, ty: Ty, depth: u32, bound: &[(&str, Ty)]) -> String {
        let kept = self.known.len();
        self.known.extend(bound.iter().map(|(name, ty)| ((*name).to_owned(), *ty)));
        let mut text = "{\n".to_owned();
        self.statements(&mut text, depth);
        let value = if self.random.bool() { self.step(ty, 1) } else { self.pure(ty, 2) };
        writeln!(text, "{value}\n}}").unwrap();
        self.known.truncate(kept);
        text.trim_end().to_owned()
    }

    fn statements(&mut self, text: &mut String, depth: u32) {
        for _ in 0..self.random.u32(..=2 + depth) {
            if self.random.u8(..8) == 0 {
                writeln!(text, "require {} else {}", self.pure(Ty::Flag, 1), self.pure(Ty::Text, 1)).unwrap();
                continue;
            }
            let ty = TYPES[self.random.usize(..TYPES.len())];
            let value = self.value(ty, depth);
            let name = self.name();
            writeln!(text, "let {name} = {value}").unwrap();
            self.known.push((name, ty));
        }
    }

    fn flow(&mut self) -> String {
        let mut text = "use \"tools.wasm\" as tools\n".to_owned();
        for ty in TYPES {
            self.known = vec![("n".to_owned(), Ty::Number), ("t".to_owned(), Ty::Text)];
            let body = self.step(ty, 1);
            writeln!(text, "flow {}(n: s64, t: string) -> {} {{\n{body}\n}}", helper(ty), written(ty)).unwrap();
        }
        self.known = vec![("n".to_owned(), Ty::Number), ("ts".to_owned(), Ty::Texts), ("ns".to_owned(), Ty::Numbers)];
        let ty = TYPES[self.random.usize(..TYPES.len())];
        let body = self.block(ty, 3, &[]);
        writeln!(text, "flow main(n: s64, ts: list<string>, ns: list<s64>) -> {} {body}", written(ty)).unwrap();
        text
    }
}

fn helper(ty: Ty) -> &'static str {
    match ty {
        Ty::Number => "a_number",
        Ty::Flag => "a_flag",
        Ty::Text => "a_text",
        Ty::Maybe => "a_maybe",
        Ty::Numbers => "some_numbers",
        Ty::Texts => "some_texts",
    }
}

fn written(ty: Ty) -> &'static str {
    match ty {
        Ty::Number => "s64",
        Ty::Flag => "bool",
        Ty::Text => "string",
        Ty::Maybe => "option<s64>",
        Ty::Numbers => "list<s64>",
        Ty::Texts => "list<string>",
    }
}

fn kind(node: &NodeKind) -> &'static str {
    match node {
        NodeKind::Call(_) => "call",
        NodeKind::Flow { .. } => "flow",
        NodeKind::If { .. } => "if",
        NodeKind::Match { .. } => "match",
        NodeKind::Map { .. } => "map",
        NodeKind::Fold { .. } => "fold",
        NodeKind::Tree { .. } => "tree",
        NodeKind::Loop { .. } => "loop",
        NodeKind::Try { .. } => "try",
        NodeKind::Block { .. } => "block",
        NodeKind::Require { .. } => "require",
        _ => "other",
    }
}

#[test]
fn random_flows_compile_to_whole_plans() {
    let mut kinds = BTreeSet::new();
    for seed in 0..150 {
        let mut writer = Writer { random: fastrand::Rng::with_seed(seed), known: Vec::new(), names: 0 };
        let text = writer.flow();
        let compilation = compiled(&text);
        assert!(!compilation.has_errors(), "seed {seed}: {:#?}\n{text}", compilation.diagnostics);
        let plan = compilation.plan.unwrap();
        check_plan(&plan).unwrap_or_else(|problem| panic!("seed {seed}: {problem}\n{text}"));
        assert_eq!(plan.digest(), compiled(&text).plan.unwrap().digest(), "seed {seed}");
        assert!(!render(&plan, Format::Table).is_empty());
        kinds.extend(plan.nodes.values().map(|node| kind(&node.kind)));
    }
    // Enough of each form, so that the test says something.
    for form in ["call", "flow", "if", "match", "map", "fold", "tree", "loop", "try", "block", "require"] {
        assert!(kinds.contains(form), "no flow has a {form}");
    }
}
