//! Trees out of bytes: each choice takes a byte, and without bytes everything is as simple as it can be, so that proptest
//! finds the smallest tree that fails by cutting bytes away.

use grammar::ast::{
    Arg, BinaryOp, Block, CaseDef, ClassDef, EnumDef, Expr, ExprKind, FieldDef, FieldInit, File, Flow, FunctionDef, GrantExpr,
    Hook, HookTarget, Import, ImportName, InterfaceDef, Item, MatchArm, Mock, MockAnswer, MockTarget, Package, Param, Pattern,
    PatternKind, Postfix, RecordDef, Setting, SettingValue, Statement, StatementKind, TestDef, Text, TextPart, Trigger,
    TriggerKind, TypeExpr, TypeKind, UnaryOp, Use, VariantDef, With,
};
use grammar::{Ident, Span};

const AT: Span = Span::new(grammar::FileId(0), 0, 0);

pub(crate) struct Generate<'a> {
    bytes: std::slice::Iter<'a, u8>,
    depth: usize,
}

fn some(kind: ExprKind) -> Expr {
    Expr { kind, span: AT }
}

impl<'a> Generate<'a> {
    pub(crate) fn file(bytes: &'a [u8]) -> File {
        let mut generate = Self { bytes: bytes.iter(), depth: 0 };
        let package = generate.maybe(Self::package);
        let mut items = vec![generate.item()];
        while generate.bytes.len() > 0 && items.len() < 12 {
            items.push(generate.item());
        }
        File { package, items, ..File::default() }
    }

    fn pick(&mut self, count: u8) -> u8 {
        self.bytes.next().copied().unwrap_or(0) % count
    }

    fn flag(&mut self) -> bool {
        self.pick(2) == 1
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(make(self)) } else { None }
    }

    fn many<T>(&mut self, least: u8, most: u8, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.pick(most + 1 - least);
        (0..count).map(|_| make(self)).collect()
    }

    fn boxed(&mut self) -> Box<Expr> {
        Box::new(self.expr())
    }

    fn named(name: &str) -> Ident {
        Ident { name: name.into(), span: AT }
    }

    fn name(&mut self) -> Ident {
        const NAMES: [&str; 18] = [
            "x",
            "y",
            "items",
            "message",
            "signal",
            "always",
            "assert",
            "mock",
            "max",
            "of",
            "plan",
            "event",
            "with",
            "after",
            "none",
            "a_name_that_is_quite_a_bit_longer_than_the_others",
            "test",
            "in",
        ];
        Self::named(NAMES[usize::from(self.pick(NAMES.len() as u8))])
    }

    fn text(&mut self) -> Text {
        const TEXTS: [&str; 5] = ["a", "", "quo\"te \\ and $ {", "two\nlines\t", "\u{1}é😀"];
        Text { value: TEXTS[usize::from(self.pick(5))].into(), span: AT }
    }

    fn docs(&mut self) -> Vec<Box<str>> {
        self.many(0, 2, |this| ["About it.", "", " indented"][usize::from(this.pick(3))].into())
    }

    fn package(&mut self) -> Package {
        let version = self.maybe(|_| Self::named("1.0.0-rc.1"));
        Package { namespace: Self::named("my-org"), name: Self::named("tools"), version, span: AT }
    }

    fn item(&mut self) -> Item {
        match self.pick(16) {
            1 => Item::Import(Import {
                path: self.text(),
                names: self.many(0, 3, Self::import_name),
                with: self.maybe(Self::with),
                span: AT,
            }),
            2 => Item::Use(Use { source: self.text(), alias: self.name(), with: self.maybe(Self::with), span: AT }),
            3 => Item::Record(RecordDef { docs: self.docs(), name: self.name(), fields: self.many(0, 4, Self::field), span: AT }),
            4 => Item::Enum(EnumDef { docs: self.docs(), name: self.name(), cases: self.many(0, 4, Self::name), span: AT }),
            5 => {
                let case = |this: &mut Self| CaseDef { name: this.name(), ty: this.maybe(Self::ty) };
                Item::Variant(VariantDef { docs: self.docs(), name: self.name(), cases: self.many(0, 4, case), span: AT })
            }
            6 => {
                Item::Class(ClassDef { docs: self.docs(), name: self.name(), settings: self.many(0, 3, Self::setting), span: AT })
            }
            7 => {
                let functions = self.many(0, 3, Self::function);
                Item::Interface(InterfaceDef { docs: self.docs(), name: self.name(), functions, span: AT })
            }
            8 => Item::Role(self.function()),
            9 => Item::Hook(self.hook()),
            10 => Item::Trigger(self.trigger()),
            11 => Item::Test(TestDef { docs: self.docs(), name: self.text(), body: self.block(), span: AT }),
            _ => Item::Flow(self.flow()),
        }
    }

    fn import_name(&mut self) -> ImportName {
        ImportName { name: self.name(), alias: self.maybe(Self::name) }
    }

    fn field(&mut self) -> FieldDef {
        FieldDef { docs: self.docs(), name: self.name(), ty: self.ty() }
    }

    fn function(&mut self) -> FunctionDef {
        let params = self.many(0, 3, Self::field);
        FunctionDef { docs: self.docs(), name: self.name(), params, result: self.maybe(Self::ty), span: AT }
    }

    fn flow(&mut self) -> Flow {
        let param =
            |this: &mut Self| Param { docs: this.docs(), name: this.name(), ty: this.ty(), default: this.maybe(Self::expr) };
        Flow {
            body: self.block(),
            docs: self.docs(),
            name: self.name(),
            params: self.many(0, 3, param),
            result: self.maybe(Self::ty),
            recursive: self.maybe(Self::expr),
            with: self.maybe(Self::with),
            span: AT,
        }
    }

    fn hook(&mut self) -> Hook {
        let target = match self.pick(6) {
            1 => Some(HookTarget::All),
            2 => Some(HookTarget::Component(self.name())),
            3 => Some(HookTarget::Function(self.name(), self.name())),
            4 => Some(HookTarget::Name(self.name())),
            5 => Some(HookTarget::Topic(self.text())),
            _ => None,
        };
        let (phase, event) = (Self::named("before"), Self::named("step"));
        Hook { docs: self.docs(), phase, event, target, handler: self.path(), with: self.maybe(Self::with), span: AT }
    }

    fn trigger(&mut self) -> Trigger {
        let kind = match self.pick(3) {
            1 => TriggerKind::Event(self.text()),
            2 => TriggerKind::Webhook(self.text()),
            _ => TriggerKind::Schedule(self.text(), self.maybe(Self::text)),
        };
        Trigger { docs: self.docs(), kind, flow: self.name(), args: self.many(0, 2, Self::arg), span: AT }
    }

    fn path(&mut self) -> Expr {
        let mut path = some(ExprKind::Name(self.name()));
        for name in self.many(0, 2, Self::name) {
            path = some(ExprKind::Field(Box::new(path), name));
        }
        path
    }

    fn ty(&mut self) -> TypeExpr {
        self.depth += 1;
        let simple = self.depth > 6;
        let choice = self.pick(10);
        let boxed = |this: &mut Self| Box::new(this.ty());
        let kind = match if simple { 0 } else { choice } {
            1 => TypeKind::Member(self.name(), self.name()),
            2 => TypeKind::List(boxed(self)),
            3 => TypeKind::Option(boxed(self)),
            4 => TypeKind::Result(self.maybe(boxed), self.maybe(boxed)),
            5 => TypeKind::Tuple(self.many(1, 3, Self::ty)),
            6 => TypeKind::Flow(self.many(0, 3, Self::ty), self.maybe(boxed)),
            _ => TypeKind::Named(Self::named(["string", "u8", "point"][usize::from(choice % 3)])),
        };
        self.depth -= 1;
        TypeExpr { kind, span: AT }
    }

    fn with(&mut self) -> With {
        With { settings: self.many(0, 3, Self::setting), span: AT }
    }

    fn setting(&mut self) -> Setting {
        let key = ["retry", "class", "timeout", "return"][usize::from(self.pick(4))];
        match self.pick(5) {
            1 => {
                let grant = |this: &mut Self| GrantExpr {
                    capability: Self::named(["http", "clock"][usize::from(this.pick(2))]),
                    subject: this.maybe(Self::expr),
                    span: AT,
                };
                Setting { key: Self::named("allow"), value: SettingValue::Grants(self.many(0, 3, grant)) }
            }
            2 if self.depth < 6 => {
                self.depth += 1;
                let settings = self.many(0, 3, Self::setting);
                self.depth -= 1;
                Setting { key: Self::named(key), value: SettingValue::Settings(settings, AT) }
            }
            _ => Setting { key: Self::named(key), value: SettingValue::Expr(self.expr()) },
        }
    }

    fn block(&mut self) -> Block {
        Block { statements: self.many(0, 3, Self::statement), span: AT }
    }

    fn statement(&mut self) -> Statement {
        let kind = match self.pick(10) {
            1 => StatementKind::Require { condition: self.expr(), message: self.maybe(Self::expr) },
            2 => StatementKind::Assert { condition: self.expr(), message: self.maybe(Self::expr) },
            3 => StatementKind::Return(self.maybe(Self::expr)),
            4 => StatementKind::Mock(Box::new(self.mock())),
            5..=7 => StatementKind::Let { name: self.name(), ty: self.maybe(Self::ty), value: self.expr() },
            _ => StatementKind::Expr(self.expr()),
        };
        Statement { kind, span: AT }
    }

    fn mock(&mut self) -> Mock {
        let target = match self.pick(5) {
            1 => MockTarget::Ask(self.name(), self.many(0, 3, Self::pattern)),
            2 => MockTarget::Signal(self.name()),
            3 => MockTarget::Message(self.text()),
            4 => MockTarget::Plan(self.many(0, 3, Self::pattern)),
            _ => MockTarget::Call(self.path(), self.many(0, 3, Self::pattern)),
        };
        let (times, takes) = (self.maybe(Self::expr), self.maybe(Self::expr));
        let answer =
            if self.flag() { MockAnswer::Fails(self.name(), self.maybe(Self::expr)) } else { MockAnswer::Value(self.expr()) };
        Mock { target, times, takes, answer }
    }

    fn pattern(&mut self) -> Pattern {
        self.depth += 1;
        let choice = if self.depth > 7 { 0 } else { self.pick(8) };
        let boxed = |this: &mut Self| Box::new(this.pattern());
        let kind = match choice {
            1 => PatternKind::Name(Self::named("bound")),
            2 => PatternKind::Case(self.name(), Some(boxed(self))),
            3 => PatternKind::TypeCase(self.name(), self.name(), self.maybe(boxed)),
            4 => {
                let literal =
                    [ExprKind::Int(7), ExprKind::Float(2.5), ExprKind::Bool(true), ExprKind::None, ExprKind::Char('\'')];
                let literal = some(literal[usize::from(self.pick(5))].clone());
                let number = matches!(literal.kind, ExprKind::Int(_) | ExprKind::Float(_));
                let minus = number && self.flag();
                PatternKind::Literal(Box::new(if minus {
                    some(ExprKind::Unary(UnaryOp::Neg, Box::new(literal)))
                } else {
                    literal
                }))
            }
            5 => PatternKind::Tuple(self.many(1, 3, Self::pattern)),
            6 => PatternKind::Record(self.many(0, 3, |this| (this.name(), this.maybe(Self::pattern)))),
            _ => PatternKind::Any,
        };
        self.depth -= 1;
        Pattern { kind, span: AT }
    }

    fn arg(&mut self) -> Arg {
        match self.pick(4) {
            1 => Arg { name: Some(self.name()), value: self.expr() },
            2 => Arg { name: None, value: some(ExprKind::Lambda(self.name(), self.boxed())) },
            _ => Arg { name: None, value: self.expr() },
        }
    }

    fn expr(&mut self) -> Expr {
        if self.depth > 6 {
            return self.leaf();
        }
        self.depth += 1;
        let kind = match self.pick(8) {
            1 => self.operation(),
            2 => self.access(),
            3 => self.attached(),
            4 => self.collection(),
            5 => self.form(),
            6 => self.effect(),
            _ => self.leaf().kind,
        };
        self.depth -= 1;
        some(kind)
    }

    fn leaf(&mut self) -> Expr {
        some(match self.pick(12) {
            1 => ExprKind::Bool(self.flag()),
            2 => ExprKind::Int(1000),
            3 => ExprKind::Float([0.5, 1e-7, 1e300][usize::from(self.pick(3))]),
            4 => ExprKind::Char(['a', '\'', '\\', '"', '\n'][usize::from(self.pick(5))]),
            5 => ExprKind::Duration(1_500_000),
            6 => ExprKind::Size(64 << 10),
            7 => ExprKind::None,
            8 => {
                let text = self.text().value;
                let name = some(ExprKind::Name(Self::named("x")));
                let call = ExprKind::Call(Box::new(name), vec![Arg { name: None, value: some(ExprKind::Text(vec![])) }]);
                let parts = [TextPart::Literal(text), TextPart::Expr(some(call))];
                ExprKind::Text(
                    parts.into_iter().filter(|part| !matches!(part, TextPart::Literal(text) if text.is_empty())).collect(),
                )
            }
            _ => ExprKind::Name(self.name()),
        })
    }

    fn operation(&mut self) -> ExprKind {
        const OPS: [BinaryOp; 14] = [
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Coalesce,
            BinaryOp::Or,
            BinaryOp::And,
            BinaryOp::Eq,
            BinaryOp::Ne,
            BinaryOp::Lt,
            BinaryOp::Le,
            BinaryOp::Gt,
            BinaryOp::Ge,
            BinaryOp::Mul,
            BinaryOp::Div,
            BinaryOp::Rem,
        ];
        match self.pick(5) {
            0 => ExprKind::Unary(UnaryOp::Not, self.boxed()),
            1 => ExprKind::Unary(UnaryOp::Neg, self.boxed()),
            2 => ExprKind::As(self.boxed(), self.ty()),
            _ => ExprKind::Binary(OPS[usize::from(self.pick(14))], AT, self.boxed(), self.boxed()),
        }
    }

    fn access(&mut self) -> ExprKind {
        match self.pick(4) {
            0 => ExprKind::Call(self.boxed(), self.many(0, 3, Self::arg)),
            1 => ExprKind::Field(self.boxed(), self.name()),
            2 => ExprKind::TupleField(self.boxed(), 3, AT),
            _ => ExprKind::Index(self.boxed(), self.boxed()),
        }
    }

    fn attached(&mut self) -> ExprKind {
        let mut base = self.boxed();
        let clause = match self.pick(4) {
            0 => Postfix::With(self.with()),
            1 => Postfix::Else(self.boxed()),
            2 => Postfix::After(self.many(1, 3, Self::name)),
            _ => Postfix::Undo { always: self.flag(), compensation: self.boxed() },
        };
        // `if a { } else x` is reported: the braces are missing.
        if let (ExprKind::If { otherwise, .. }, Postfix::Else(_)) = (&mut base.kind, &clause) {
            otherwise.get_or_insert_with(Block::default);
        }
        ExprKind::Postfix(base, clause)
    }

    fn collection(&mut self) -> ExprKind {
        match self.pick(4) {
            0 => ExprKind::List(self.many(0, 4, Self::expr)),
            1 => ExprKind::Tuple(self.many(1, 4, Self::expr)),
            2 => {
                let field = |this: &mut Self| FieldInit { name: this.name(), value: this.expr() };
                ExprKind::Record { ty: Box::new(self.path()), fields: self.many(0, 4, field) }
            }
            _ => ExprKind::Comprehension {
                element: self.boxed(),
                name: self.name(),
                list: self.boxed(),
                condition: self.maybe(Self::boxed),
            },
        }
    }

    fn form(&mut self) -> ExprKind {
        let choice = self.pick(10);
        let with = self.maybe(Self::with);
        match choice {
            0 => ExprKind::If { arms: self.many(1, 3, |this| (this.expr(), this.block())), otherwise: self.maybe(Self::block) },
            1 => ExprKind::Match { subject: self.boxed(), arms: self.many(0, 3, Self::match_arm) },
            2 => ExprKind::Map { name: self.name(), list: self.boxed(), with, body: self.block() },
            3 => {
                let (acc, init, name, list) = (self.name(), self.boxed(), self.name(), self.boxed());
                ExprKind::Fold { acc, init, name, list, with, body: self.block() }
            }
            4 => ExprKind::Tree { left: self.name(), right: self.name(), list: self.boxed(), with, body: self.block() },
            5 => {
                let (name, init, until, max) = (self.name(), self.boxed(), self.boxed(), self.maybe(Self::boxed));
                ExprKind::Loop { name, init, until, max, with, body: self.block() }
            }
            6 => ExprKind::Seq { with, body: self.block() },
            7 => ExprKind::Phase { name: self.name(), with, body: self.block() },
            8 => ExprKind::Try { with, body: self.block(), binding: self.maybe(Self::name), handler: self.block() },
            _ => ExprKind::Any { count: self.boxed(), with, arms: self.many(0, 3, Self::block) },
        }
    }

    fn match_arm(&mut self) -> MatchArm {
        MatchArm { pattern: self.pattern(), guard: self.maybe(Self::expr), body: self.block(), span: AT }
    }

    fn effect(&mut self) -> ExprKind {
        match self.pick(7) {
            0 => ExprKind::Wait(self.boxed()),
            1 => ExprKind::Signal(self.name(), self.maybe(Self::ty)),
            2 => ExprKind::Message(self.boxed(), self.maybe(Self::ty)),
            3 => ExprKind::Emit { topic: self.boxed(), value: self.boxed() },
            4 => ExprKind::Ask(self.name(), self.many(0, 3, Self::arg)),
            5 => ExprKind::RunPlan(self.many(0, 3, Self::arg)),
            _ => ExprKind::Race { with: self.maybe(Self::with), arms: self.many(0, 3, Self::block) },
        }
    }
}
