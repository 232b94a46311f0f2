//! Structured forms, blocks and policy.

use super::doc::{BRACES, Doc, HARD, LINE, Listed, SQUARE, TIGHT, close, concat, group, indent, listed, open, spaced, word};
use super::parens::{Part, Place, ends_in_after, first_name};
use super::printer::Printer;
use crate::ast::{Block, Expr, ExprKind, GrantExpr, MatchArm, PatternKind, Setting, SettingValue, StatementKind, With};

impl Printer<'_> {
    pub(super) fn form(&self, expr: &Expr, place: Place) -> Doc {
        match &expr.kind {
            ExprKind::If { arms, otherwise } => self.if_form(expr, arms, otherwise.as_ref()),
            ExprKind::Match { subject, arms } => self.match_form(subject, arms, self.one_line(expr.span)),
            ExprKind::Map { name, list, with, body } => {
                let head = concat([word("map"), Doc::Space, self.name(name), self.in_list(list)]);
                self.with_body(head, with.as_ref(), body)
            }
            ExprKind::Fold { acc, init, name, list, with, body } => {
                let init = concat([self.name(acc), Doc::Space, word("="), Doc::Space, self.element(init, false), word(",")]);
                let head = concat([word("reduce"), Doc::Space, init, Doc::Space, self.name(name), self.in_list(list)]);
                self.with_body(head, with.as_ref(), body)
            }
            ExprKind::Tree { left, right, list, with, body } => {
                let names = concat([self.name(left), word(","), Doc::Space, self.name(right)]);
                self.with_body(concat([word("reduce"), Doc::Space, names, self.in_list(list)]), with.as_ref(), body)
            }
            ExprKind::Loop { name, init, until, max, with, body } => {
                let init = concat([self.name(name), Doc::Space, word("="), Doc::Space, self.full(init)]);
                let until = concat([LINE, word("until"), Doc::Space, self.head(until)]);
                let max = max.as_ref().map_or(Doc::Nil, |max| concat([LINE, word("max"), Doc::Space, self.head(max)]));
                let head = group(concat([word("loop"), Doc::Space, init, indent(concat([until, max]))]));
                self.with_body(head, with.as_ref(), body)
            }
            ExprKind::Seq { with, body } => self.with_body(word("seq"), with.as_ref(), body),
            ExprKind::Phase { name, with, body } => {
                self.with_body(concat([word("phase"), Doc::Space, self.name(name)]), with.as_ref(), body)
            }
            ExprKind::Try { with, body, binding, handler } => self.try_form(with.as_ref(), body, binding.as_ref(), handler),
            ExprKind::Race { with, arms } => concat([word("race"), self.with(with.as_ref()), Doc::Space, self.arms(arms)]),
            ExprKind::Any { count, with, arms } => {
                let head = concat([word("any"), Doc::Space, self.head(count), Doc::Space, word("of")]);
                concat([head, self.with(with.as_ref()), Doc::Space, self.arms(arms)])
            }
            _ => self.effect(expr, place),
        }
    }

    fn effect(&self, expr: &Expr, place: Place) -> Doc {
        match &expr.kind {
            ExprKind::Wait(time) => {
                // Before more than a name these words are `wait message` and `wait signal`.
                let named = first_name(time).is_some_and(|name| matches!(name, "message" | "signal"));
                let time = if named { self.in_parens(time) } else { self.head(time) };
                concat([word("wait"), Doc::Space, time])
            }
            ExprKind::Signal(name, ty) => {
                let signal = concat([word("wait"), Doc::Space, word("signal"), Doc::Space, self.name(name)]);
                concat([signal, self.colon_type(ty.as_ref())])
            }
            ExprKind::Message(topic, ty) => {
                let message = concat([word("wait"), Doc::Space, word("message"), Doc::Space, self.topic(topic)]);
                concat([message, self.colon_type(ty.as_ref())])
            }
            ExprKind::Emit { topic, value } => {
                let place = if place == Place::Full { Place::Bare } else { place };
                let value = self.expr(value, place, Part::Whole);
                concat([word("emit"), Doc::Space, self.topic(topic), Doc::Space, value])
            }
            ExprKind::Ask(role, args) => concat([word("ask"), Doc::Space, self.name(role), self.args(args)]),
            ExprKind::RunPlan(args) => concat([word("run"), Doc::Space, word("plan"), self.args(args)]),
            _ => Doc::Nil,
        }
    }

    fn topic(&self, topic: &Expr) -> Doc {
        if matches!(topic.kind, ExprKind::Text(_)) { self.full(topic) } else { self.in_parens(topic) }
    }

    fn in_list(&self, list: &Expr) -> Doc {
        concat([Doc::Space, word("in"), Doc::Space, self.head(list)])
    }

    fn with_body(&self, head: Doc, with: Option<&With>, body: &Block) -> Doc {
        group(concat([head, self.with(with), Doc::Space, self.open_block(body, self.is_short(body))]))
    }

    fn if_form(&self, expr: &Expr, arms: &[(Expr, Block)], otherwise: Option<&Block>) -> Doc {
        let short =
            self.one_line(expr.span) && arms.iter().map(|(_, block)| block).chain(otherwise).all(|block| self.is_short(block));
        let mut docs = Vec::new();
        for (index, (condition, block)) in arms.iter().enumerate() {
            if index > 0 {
                docs.extend([Doc::Space, word("else"), Doc::Space]);
            }
            docs.extend([word("if"), Doc::Space, self.head(condition), Doc::Space, self.open_block(block, short)]);
        }
        if let Some(block) = otherwise {
            docs.extend([Doc::Space, word("else"), Doc::Space, self.open_block(block, short)]);
        }
        group(Doc::Concat(docs))
    }

    fn match_form(&self, subject: &Expr, arms: &[MatchArm], inline: bool) -> Doc {
        let head = concat([word("match"), Doc::Space, self.head(subject), Doc::Space]);
        let last = arms.len().saturating_sub(1);
        if inline && arms.iter().all(|arm| !self.is_block_arm(arm)) {
            let arms = arms.iter().enumerate().map(|(index, arm)| self.arm(arm, index == last));
            return concat([head, listed(arms.collect(), BRACES)]);
        }
        let mut docs = Vec::new();
        for (index, arm) in arms.iter().enumerate() {
            docs.extend([if index == 0 { TIGHT } else { HARD }, self.arm(arm, index == last)]);
            // A line that begins with `{` would go on with the block before it.
            let brace_next = arms.get(index + 1).is_some_and(|next| matches!(next.pattern.kind, PatternKind::Record(_)));
            if !self.is_block_arm(arm) || brace_next {
                docs.push(if index == last { Doc::Comma } else { word(",") });
            }
        }
        if docs.is_empty() {
            return concat([head, listed(docs, BRACES)]);
        }
        concat([head, open("{"), indent(Doc::Concat(docs)), TIGHT, close("}")])
    }

    fn arm(&self, arm: &MatchArm, last: bool) -> Doc {
        let guard = spaced(arm.guard.as_ref().map(|guard| concat([word("if"), Doc::Space, self.head(guard)])));
        let body = match arm.body.statements.first().map(|statement| &statement.kind) {
            Some(StatementKind::Expr(value)) if !self.is_block_arm(arm) => self.value(value, last),
            _ => self.block(&arm.body),
        };
        concat([self.pattern(&arm.pattern), guard, Doc::Space, word("=>"), Doc::Space, body])
    }

    /// Whether the arm is written with braces.
    fn is_block_arm(&self, arm: &MatchArm) -> bool {
        match arm.body.statements.as_slice() {
            [only] => !matches!(only.kind, StatementKind::Expr(_)) || self.starts_with(arm.body.span, '{'),
            _ => true,
        }
    }

    /// The value of a statement or arm. A `match` there has its arms on lines of their own.
    pub(super) fn value(&self, expr: &Expr, last: bool) -> Doc {
        match &expr.kind {
            ExprKind::Match { subject, arms } => self.match_form(subject, arms, false),
            _ if !last && ends_in_after(expr) => self.in_parens(expr),
            _ => self.full(expr),
        }
    }

    fn try_form(&self, with: Option<&With>, body: &Block, binding: Option<&crate::span::Ident>, handler: &Block) -> Doc {
        let short = self.is_short(body) && self.is_short(handler) && !self.breaks_between(body.span.end, handler.span.start);
        let binding = spaced(binding.map(|name| self.name(name)));
        let handler = concat([word("catch"), binding, Doc::Space, self.open_block(handler, short)]);
        let body = concat([self.with(with), Doc::Space, self.open_block(body, short), Doc::Space]);
        group(concat([word("try"), body, handler]))
    }

    fn arms(&self, arms: &[Block]) -> Doc {
        let mut docs = Vec::new();
        for (index, arm) in arms.iter().enumerate() {
            docs.push(if index == 0 { TIGHT } else { HARD });
            docs.push(match arm.statements.as_slice() {
                [only] if !self.starts_with(arm.span, '{') => self.statement(only),
                _ => self.block(arm),
            });
        }
        if docs.is_empty() {
            return listed(Vec::new(), BRACES);
        }
        concat([open("{"), indent(Doc::Concat(docs)), TIGHT, close("}")])
    }

    pub(super) fn block(&self, block: &Block) -> Doc {
        group(self.open_block(block, self.is_short(block)))
    }

    /// Whether a block may stand on one line: written so, with nothing but a value.
    pub(super) fn is_short(&self, block: &Block) -> bool {
        let value = |kind: &StatementKind| matches!(kind, StatementKind::Expr(_) | StatementKind::Return(_));
        match block.statements.as_slice() {
            [] => true,
            [only] => value(&only.kind) && self.one_line(block.span),
            _ => false,
        }
    }

    /// A block that ends its lines with the group around it when it is short.
    pub(super) fn open_block(&self, block: &Block, short: bool) -> Doc {
        if block.statements.is_empty() {
            return listed(Vec::new(), BRACES);
        }
        let mut docs = Vec::new();
        for (index, statement) in block.statements.iter().enumerate() {
            let first = if short { LINE } else { TIGHT };
            docs.extend([if index == 0 { first } else { HARD }, self.statement(statement)]);
        }
        let last = if short { LINE } else { TIGHT };
        concat([open("{"), indent(Doc::Concat(docs)), last, close("}")])
    }

    /// ` with { … }`, or nothing.
    pub(super) fn with(&self, with: Option<&With>) -> Doc {
        spaced(with.map(|with| self.with_clause(with)))
    }

    pub(super) fn with_clause(&self, with: &With) -> Doc {
        concat([word("with"), Doc::Space, self.settings(&with.settings, false)])
    }

    pub(super) fn settings(&self, settings: &[Setting], expanded: bool) -> Doc {
        let last = settings.len().saturating_sub(1);
        let docs = settings.iter().enumerate().map(|(index, setting)| self.setting(setting, index == last));
        listed(docs.collect(), Listed { expanded, ..BRACES })
    }

    fn setting(&self, setting: &Setting, last: bool) -> Doc {
        let value = match &setting.value {
            SettingValue::Expr(expr) => self.element(expr, last),
            SettingValue::Grants(grants) => listed(grants.iter().map(|grant| self.grant(grant)).collect(), SQUARE),
            SettingValue::Settings(settings, _) => self.settings(settings, false),
        };
        // A key may be a keyword.
        let key = match self.source {
            Some(_) => self.name(&setting.key),
            None => word(setting.key.name.clone()),
        };
        concat([key, word(":"), Doc::Space, value])
    }

    fn grant(&self, grant: &GrantExpr) -> Doc {
        let subject = grant.subject.as_ref().map(|subject| self.head(subject));
        concat([self.name(&grant.capability), spaced(subject)])
    }
}
