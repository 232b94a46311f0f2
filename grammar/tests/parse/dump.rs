//! Writes a tree compactly: one line per item and statement, expressions in prefix form.
//!
//! It also checks what holds for every tree: spans are inside the text, and a name stands where it says.

use grammar::ast::{
    Arg, Block, Expr, ExprKind, FieldDef, File, FunctionDef, GrantExpr, Hook, HookTarget, Item, Mock, MockAnswer, MockTarget,
    Pattern, PatternKind, Postfix, Setting, SettingValue, Statement, StatementKind, TextPart, Trigger, TriggerKind, TypeExpr,
    TypeKind, UnaryOp, With,
};
use grammar::{Ident, Span};
use std::fmt::Write as _;

struct Dump<'a> {
    text: &'a str,
    out: String,
    depth: usize,
}

pub(crate) fn dump(text: &str, file: &File) -> String {
    let mut dump = Dump { text, out: String::new(), depth: 0 };
    if let Some(package) = &file.package {
        let version = package.version.as_ref().map_or(String::new(), |version| format!("@{}", version.name));
        dump.line(&format!("package {}:{}{version}", package.namespace.name, package.name.name));
    }
    file.items.iter().for_each(|item| dump.item(item));
    for comment in &file.comments {
        let shown = dump.at(*comment).trim_end().to_owned();
        dump.line(&format!("comment {shown}"));
    }
    for name in &file.broken {
        let shown = dump.name(name);
        dump.line(&format!("broken {shown}"));
    }
    dump.out
}

impl<'a> Dump<'a> {
    fn line(&mut self, text: &str) {
        writeln!(self.out, "{:indent$}{text}", "", indent = self.depth * 2).unwrap();
    }

    fn at(&self, span: Span) -> &'a str {
        let found = self.text.get(span.range());
        found.unwrap_or_else(|| panic!("{span:?} is outside of the text"))
    }

    fn name(&self, ident: &Ident) -> String {
        let written = self.at(ident.span);
        let plain: String = written.trim_start_matches('%').replace('-', "_");
        if plain.is_ascii() {
            assert_eq!(plain, *ident.name, "the span of a name");
        }
        ident.name.to_string()
    }

    fn docs(&mut self, docs: &[Box<str>]) {
        docs.iter().for_each(|doc| self.line(&format!("/// {doc}")));
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Import(import) => {
                let name = |name: &grammar::ast::ImportName| match &name.alias {
                    Some(alias) => format!("{} as {}", self.name(&name.name), self.name(alias)),
                    None => self.name(&name.name),
                };
                let names: Vec<String> = import.names.iter().map(name).collect();
                let with = self.with(import.with.as_ref());
                self.line(&format!("import {:?} [{}]{with}", import.path.value, names.join(", ")));
            }
            Item::Use(item) => {
                let with = self.with(item.with.as_ref());
                self.line(&format!("use {:?} as {}{with}", item.source.value, self.name(&item.alias)));
            }
            Item::Record(record) => {
                self.docs(&record.docs);
                self.line(&format!("record {}", self.name(&record.name)));
                self.fields(&record.fields);
            }
            Item::Enum(item) => {
                self.docs(&item.docs);
                let cases: Vec<String> = item.cases.iter().map(|case| self.name(case)).collect();
                self.line(&format!("enum {} {}", self.name(&item.name), cases.join(" ")));
            }
            Item::Variant(item) => {
                self.docs(&item.docs);
                let case = |case: &grammar::ast::CaseDef| {
                    let ty = case.ty.as_ref().map_or(String::new(), |ty| format!("({})", self.ty(ty)));
                    format!("{}{ty}", self.name(&case.name))
                };
                let cases: Vec<String> = item.cases.iter().map(case).collect();
                self.line(&format!("variant {} {}", self.name(&item.name), cases.join(" ")));
            }
            Item::Class(class) => {
                self.docs(&class.docs);
                let settings = self.settings(&class.settings);
                self.line(&format!("class {} {settings}", self.name(&class.name)));
            }
            Item::Flow(flow) => self.flow(flow),
            Item::Interface(item) => {
                self.docs(&item.docs);
                self.line(&format!("interface {}", self.name(&item.name)));
                self.depth += 1;
                for function in &item.functions {
                    self.function("", function);
                }
                self.depth -= 1;
            }
            Item::Role(role) => self.function("role ", role),
            Item::Hook(hook) => self.hook(hook),
            Item::Trigger(trigger) => self.trigger(trigger),
            Item::Test(test) => {
                self.docs(&test.docs);
                self.line(&format!("test {:?}", test.name.value));
                let body = self.block(&test.body);
                self.out.push_str(&body);
            }
        }
    }

    fn function(&mut self, word: &str, function: &FunctionDef) {
        self.docs(&function.docs);
        let param = |param: &FieldDef| format!("{}: {}", self.name(&param.name), self.ty(&param.ty));
        let params: Vec<String> = function.params.iter().map(param).collect();
        let result = function.result.as_ref().map_or(String::new(), |ty| format!(" -> {}", self.ty(ty)));
        self.line(&format!("{word}{}({}){result}", self.name(&function.name), params.join(", ")));
    }

    fn hook(&mut self, hook: &Hook) {
        self.docs(&hook.docs);
        let target = match &hook.target {
            None => String::new(),
            Some(HookTarget::All) => " *".into(),
            Some(HookTarget::Component(name)) => format!(" {}.*", self.name(name)),
            Some(HookTarget::Function(name, function)) => format!(" {}.{}", self.name(name), self.name(function)),
            Some(HookTarget::Name(name)) => format!(" {}", self.name(name)),
            Some(HookTarget::Topic(topic)) => format!(" {:?}", topic.value),
        };
        let (phase, event) = (self.name(&hook.phase), self.name(&hook.event));
        self.line(&format!("hook {phase} {event}{target} -> {}{}", self.expr(&hook.handler), self.with(hook.with.as_ref())));
    }

    fn trigger(&mut self, trigger: &Trigger) {
        self.docs(&trigger.docs);
        let kind = match &trigger.kind {
            TriggerKind::Schedule(cron, None) => format!("schedule {:?}", cron.value),
            TriggerKind::Schedule(cron, Some(zone)) => format!("schedule {:?} in {:?}", cron.value, zone.value),
            TriggerKind::Event(topic) => format!("event {:?}", topic.value),
            TriggerKind::Webhook(path) => format!("webhook {:?}", path.value),
        };
        self.line(&format!("on {kind} -> {}({})", self.name(&trigger.flow), self.args(&trigger.args)));
    }

    fn fields(&mut self, fields: &[FieldDef]) {
        self.depth += 1;
        for field in fields {
            self.docs(&field.docs);
            self.line(&format!("{}: {}", self.name(&field.name), self.ty(&field.ty)));
        }
        self.depth -= 1;
    }

    fn flow(&mut self, flow: &grammar::ast::Flow) {
        assert!(self.at(flow.span).starts_with("flow"), "the span of a flow");
        self.docs(&flow.docs);
        let result = flow.result.as_ref().map_or(String::new(), |ty| format!(" -> {}", self.ty(ty)));
        let with = self.with(flow.with.as_ref());
        let recursive = flow.recursive.as_ref().map_or(String::new(), |bound| format!(" recursive max {}", self.expr(bound)));
        self.line(&format!("flow {}{result}{recursive}{with}", self.name(&flow.name)));
        self.depth += 1;
        for param in &flow.params {
            self.docs(&param.docs);
            let default = param.default.as_ref().map_or(String::new(), |default| format!(" = {}", self.expr(default)));
            self.line(&format!("param {}: {}{default}", self.name(&param.name), self.ty(&param.ty)));
        }
        self.depth -= 1;
        let body = self.block(&flow.body);
        self.out.push_str(&body);
    }

    fn ty(&self, ty: &TypeExpr) -> String {
        let inner = |ty: &Option<Box<TypeExpr>>| ty.as_ref().map_or("_".to_owned(), |ty| self.ty(ty));
        match &ty.kind {
            TypeKind::Named(name) => self.name(name),
            TypeKind::Member(a, b) => format!("{}.{}", self.name(a), self.name(b)),
            TypeKind::List(item) => format!("list<{}>", self.ty(item)),
            TypeKind::Option(item) => format!("option<{}>", self.ty(item)),
            TypeKind::Result(ok, err) => format!("result<{}, {}>", inner(ok), inner(err)),
            TypeKind::Tuple(items) => {
                let items: Vec<String> = items.iter().map(|item| self.ty(item)).collect();
                format!("tuple<{}>", items.join(", "))
            }
            TypeKind::Flow(params, result) => {
                let params: Vec<String> = params.iter().map(|param| self.ty(param)).collect();
                format!("flow({}) -> {}", params.join(", "), inner(result))
            }
            TypeKind::Error => "ERROR".into(),
        }
    }

    fn with(&self, with: Option<&With>) -> String {
        with.map_or(String::new(), |with| {
            assert!(self.at(with.span).starts_with("with"), "the span of a with");
            format!(" with {}", self.settings(&with.settings))
        })
    }

    fn settings(&self, settings: &[Setting]) -> String {
        let one = |setting: &Setting| {
            let value = match &setting.value {
                SettingValue::Expr(expr) => self.expr(expr),
                SettingValue::Grants(grants) => {
                    let grants: Vec<String> = grants.iter().map(|grant| self.grant(grant)).collect();
                    format!("[{}]", grants.join(", "))
                }
                SettingValue::Settings(settings, span) => {
                    assert!(self.at(*span).starts_with('{'), "the span of settings");
                    self.settings(settings)
                }
            };
            format!("{}: {value}", self.name(&setting.key))
        };
        let all: Vec<String> = settings.iter().map(one).collect();
        format!("{{{}}}", all.join(", "))
    }

    fn grant(&self, grant: &GrantExpr) -> String {
        let subject = grant.subject.as_ref().map_or(String::new(), |subject| format!(" {}", self.expr(subject)));
        format!("{}{subject}", self.name(&grant.capability))
    }

    fn block(&self, block: &Block) -> String {
        self.at(block.span);
        let mut inner = Dump { text: self.text, out: String::new(), depth: self.depth + 1 };
        block.statements.iter().for_each(|statement| inner.statement(statement));
        inner.out
    }

    /// A block after the line of what it belongs to; ends without a newline.
    fn tail(&self, block: &Block) -> String {
        format!("\n{}", self.block(block)).trim_end().to_owned()
    }

    fn statement(&mut self, statement: &Statement) {
        self.at(statement.span);
        let line = match &statement.kind {
            StatementKind::Let { name, ty, value } => {
                let ty = ty.as_ref().map_or(String::new(), |ty| format!(": {}", self.ty(ty)));
                format!("let {}{ty} = {}", self.name(name), self.expr(value))
            }
            StatementKind::Require { condition, message } => {
                let message = message.as_ref().map_or(String::new(), |message| format!(" else {}", self.expr(message)));
                format!("require {}{message}", self.expr(condition))
            }
            StatementKind::Return(value) => {
                format!("return{}", value.as_ref().map_or(String::new(), |value| format!(" {}", self.expr(value))))
            }
            StatementKind::Mock(mock) => self.mock(mock),
            StatementKind::Assert { condition, message } => {
                let message = message.as_ref().map_or(String::new(), |message| format!(" else {}", self.expr(message)));
                format!("assert {}{message}", self.expr(condition))
            }
            StatementKind::Expr(expr) => self.expr(expr),
            StatementKind::Error { binds } => {
                format!("ERROR{}", binds.as_ref().map_or(String::new(), |name| format!(" binds {}", self.name(name))))
            }
        };
        self.line(&line);
    }

    fn expr(&self, expr: &Expr) -> String {
        self.at(expr.span);
        match &expr.kind {
            ExprKind::Bool(value) => value.to_string(),
            ExprKind::Int(value) => value.to_string(),
            ExprKind::Float(value) => format!("{value:?}"),
            ExprKind::Text(parts) => {
                let part = |part: &TextPart| match part {
                    TextPart::Literal(text) => format!("{text:?}"),
                    TextPart::Expr(expr) => format!("${{{}}}", self.expr(expr)),
                };
                let parts: Vec<String> = parts.iter().map(part).collect();
                if parts.is_empty() { "\"\"".into() } else { parts.join("+") }
            }
            ExprKind::Char(letter) => format!("{letter:?}"),
            ExprKind::Duration(nanos) => format!("{nanos}ns"),
            ExprKind::Size(bytes) => format!("{bytes}B"),
            ExprKind::None => "none".into(),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Field(base, name) => format!("{}.{}", self.expr(base), self.name(name)),
            ExprKind::TupleField(base, index, span) => {
                assert_eq!(self.at(*span), index.to_string());
                format!("{}.{index}", self.expr(base))
            }
            ExprKind::Index(base, index) => format!("{}[{}]", self.expr(base), self.expr(index)),
            ExprKind::Call(callee, args) => {
                format!("{}({})", self.expr(callee), self.args(args))
            }
            ExprKind::Unary(op, inner) => format!("({} {})", if *op == UnaryOp::Not { "not" } else { "-" }, self.expr(inner)),
            ExprKind::Binary(op, span, left, right) => {
                assert!(self.at(*span) == op.symbol() || !self.at(*span).is_empty());
                format!("({} {} {})", op.symbol(), self.expr(left), self.expr(right))
            }
            ExprKind::As(inner, ty) => format!("({} as {})", self.expr(inner), self.ty(ty)),
            ExprKind::List(items) => format!("[{}]", self.exprs(items)),
            ExprKind::Tuple(items) => format!("tuple({})", self.exprs(items)),
            ExprKind::Record { ty, fields } => {
                let field = |field: &grammar::ast::FieldInit| format!("{}: {}", self.name(&field.name), self.expr(&field.value));
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{} {{{}}}", self.expr(ty), fields.join(", "))
            }
            ExprKind::Comprehension { element, name, list, condition } => {
                let condition = condition.as_ref().map_or(String::new(), |condition| format!(" if {}", self.expr(condition)));
                format!("[{} for {} in {}{condition}]", self.expr(element), self.name(name), self.expr(list))
            }
            ExprKind::Lambda(name, body) => format!("{} => {}", self.name(name), self.expr(body)),
            ExprKind::Postfix(inner, postfix) => self.postfix(inner, postfix),
            ExprKind::Error => "ERROR".into(),
            _ => self.form(expr),
        }
    }

    fn args(&self, args: &[Arg]) -> String {
        let arg = |arg: &Arg| match &arg.name {
            Some(name) => format!("{}: {}", self.name(name), self.expr(&arg.value)),
            None => self.expr(&arg.value),
        };
        let args: Vec<String> = args.iter().map(arg).collect();
        args.join(", ")
    }

    fn mock(&self, mock: &Mock) -> String {
        let patterns = |patterns: &[Pattern]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| self.pattern(pattern)).collect();
            patterns.join(", ")
        };
        let target = match &mock.target {
            MockTarget::Call(path, args) => format!("{}({})", self.expr(path), patterns(args)),
            MockTarget::Ask(role, args) => format!("ask {}({})", self.name(role), patterns(args)),
            MockTarget::Plan(args) => format!("run plan({})", patterns(args)),
            MockTarget::Signal(name) => format!("signal {}", self.name(name)),
            MockTarget::Message(topic) => format!("message {:?}", topic.value),
        };
        let times = mock.times.as_ref().map_or(String::new(), |bound| format!(" times {}", self.expr(bound)));
        let takes = mock.takes.as_ref().map_or(String::new(), |time| format!(" takes {}", self.expr(time)));
        let answer = match &mock.answer {
            MockAnswer::Value(value) => format!("=> {}", self.expr(value)),
            MockAnswer::Fails(kind, message) => {
                format!(
                    "fails {}{}",
                    self.name(kind),
                    message.as_ref().map_or(String::new(), |text| format!(" {}", self.expr(text)))
                )
            }
        };
        format!("mock {target}{times}{takes} {answer}")
    }

    fn exprs(&self, items: &[Expr]) -> String {
        let items: Vec<String> = items.iter().map(|item| self.expr(item)).collect();
        items.join(", ")
    }

    fn postfix(&self, inner: &Expr, postfix: &Postfix) -> String {
        match postfix {
            Postfix::With(with) => format!("<{}{}>", self.expr(inner), self.with(Some(with))),
            Postfix::Else(fallback) => format!("<{} else {}>", self.expr(inner), self.expr(fallback)),
            Postfix::After(names) => {
                let names: Vec<String> = names.iter().map(|name| self.name(name)).collect();
                format!("<{} after {}>", self.expr(inner), names.join(", "))
            }
            Postfix::Undo { always, compensation } => {
                let always = if *always { " always" } else { "" };
                format!("<{} undo{always} {}>", self.expr(inner), self.expr(compensation))
            }
        }
    }

    fn form(&self, expr: &Expr) -> String {
        let indent = " ".repeat(self.depth * 2);
        match &expr.kind {
            ExprKind::If { arms, otherwise } => {
                let arm = |(condition, block): &(Expr, Block)| format!("if {}{}", self.expr(condition), self.tail(block));
                let mut all: Vec<String> = arms.iter().map(arm).collect();
                all.extend(otherwise.as_ref().map(|block| format!("else{}", self.tail(block))));
                all.join(&format!("\n{indent}"))
            }
            ExprKind::Match { subject, arms } => {
                let mut out = format!("match {}", self.expr(subject));
                for arm in arms {
                    let guard = arm.guard.as_ref().map_or(String::new(), |guard| format!(" if {}", self.expr(guard)));
                    let inner = Dump { text: self.text, out: String::new(), depth: self.depth + 1 };
                    write!(out, "\n{indent}  {}{guard} =>{}", self.pattern(&arm.pattern), inner.tail(&arm.body)).unwrap();
                }
                out
            }
            ExprKind::Map { name, list, with, body } => {
                let with = self.with(with.as_ref());
                format!("map {} in {}{with}{}", self.name(name), self.expr(list), self.tail(body))
            }
            ExprKind::Fold { acc, init, name, list, with, body } => {
                let (acc, init, name, list) = (self.name(acc), self.expr(init), self.name(name), self.expr(list));
                format!("fold {acc} = {init}, {name} in {list}{}{}", self.with(with.as_ref()), self.tail(body))
            }
            ExprKind::Tree { left, right, list, with, body } => {
                let (left, right, list) = (self.name(left), self.name(right), self.expr(list));
                format!("tree {left}, {right} in {list}{}{}", self.with(with.as_ref()), self.tail(body))
            }
            ExprKind::Loop { name, init, until, max, with, body } => {
                let max = max.as_ref().map_or(String::new(), |max| format!(" max {}", self.expr(max)));
                let (name, init, until) = (self.name(name), self.expr(init), self.expr(until));
                format!("loop {name} = {init} until {until}{max}{}{}", self.with(with.as_ref()), self.tail(body))
            }
            ExprKind::Seq { with, body } => format!("seq{}{}", self.with(with.as_ref()), self.tail(body)),
            ExprKind::Phase { name, with, body } => {
                format!("phase {}{}{}", self.name(name), self.with(with.as_ref()), self.tail(body))
            }
            ExprKind::Try { with, body, binding, handler } => {
                let binding = binding.as_ref().map_or(String::new(), |name| format!(" {}", self.name(name)));
                let (with, body) = (self.with(with.as_ref()), self.tail(body));
                format!("try{with}{body}\n{indent}catch{binding}{}", self.tail(handler))
            }
            ExprKind::Race { with, arms } => format!("race{}{}", self.with(with.as_ref()), self.arms(arms)),
            ExprKind::Any { count, with, arms } => {
                format!("any {} of{}{}", self.expr(count), self.with(with.as_ref()), self.arms(arms))
            }
            ExprKind::Wait(time) => format!("wait {}", self.expr(time)),
            ExprKind::Signal(name, ty) => format!("wait signal {}{}", self.name(name), self.carried(ty.as_ref())),
            ExprKind::Message(topic, ty) => format!("wait message {}{}", self.expr(topic), self.carried(ty.as_ref())),
            ExprKind::Emit { topic, value } => format!("emit {} {}", self.expr(topic), self.expr(value)),
            ExprKind::Ask(role, args) => format!("ask {}({})", self.name(role), self.args(args)),
            ExprKind::RunPlan(args) => format!("run plan({})", self.args(args)),
            other => panic!("not a form: {other:?}"),
        }
    }

    fn carried(&self, ty: Option<&TypeExpr>) -> String {
        ty.map_or(String::new(), |ty| format!(": {}", self.ty(ty)))
    }

    fn arms(&self, arms: &[Block]) -> String {
        let indent = " ".repeat(self.depth * 2);
        let arm = |arm: &Block| {
            let inner = Dump { text: self.text, out: String::new(), depth: self.depth + 1 };
            format!("\n{indent}  arm{}", inner.tail(arm))
        };
        arms.iter().map(arm).collect()
    }

    fn pattern(&self, pattern: &Pattern) -> String {
        self.at(pattern.span);
        let inner =
            |inner: &Option<Box<Pattern>>| inner.as_ref().map_or(String::new(), |inner| format!("({})", self.pattern(inner)));
        match &pattern.kind {
            PatternKind::Any => "_".into(),
            PatternKind::Name(name) => self.name(name),
            PatternKind::Case(name, payload) => format!("{}{}", self.name(name), inner(payload)),
            PatternKind::TypeCase(ty, name, payload) => format!("{}.{}{}", self.name(ty), self.name(name), inner(payload)),
            PatternKind::Literal(expr) => self.expr(expr),
            PatternKind::Tuple(items) => {
                let items: Vec<String> = items.iter().map(|item| self.pattern(item)).collect();
                format!("({})", items.join(", "))
            }
            PatternKind::Record(fields) => {
                let field = |(name, pattern): &(Ident, Option<Pattern>)| match pattern {
                    Some(pattern) => format!("{}: {}", self.name(name), self.pattern(pattern)),
                    None => self.name(name),
                };
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }
}
