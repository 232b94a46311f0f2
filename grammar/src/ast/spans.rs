//! Trees without the places that they were read from, to compare them.

use super::{
    Arg, Block, CaseDef, Expr, ExprKind, FieldDef, File, FunctionDef, HookTarget, Item, MockAnswer, MockTarget, Param, Pattern,
    PatternKind, Postfix, Setting, SettingValue, Statement, StatementKind, Text, TextPart, TriggerKind, TypeExpr, TypeKind, With,
};
use crate::span::{Ident, Span};

impl File {
    /// The same tree with empty spans and without its comments.
    #[must_use]
    pub fn without_spans(mut self) -> Self {
        if let Some(package) = &mut self.package {
            package.span = Span::default();
            names([&mut package.namespace, &mut package.name].into_iter().chain(&mut package.version));
        }
        self.items.iter_mut().for_each(item);
        self.comments.clear();
        names(&mut self.broken);
        self
    }
}

fn name(ident: &mut Ident) {
    ident.span = Span::default();
}

fn names<'a>(idents: impl IntoIterator<Item = &'a mut Ident>) {
    idents.into_iter().for_each(name);
}

fn text(text: &mut Text) {
    text.span = Span::default();
}

fn item(item: &mut Item) {
    let span = match item {
        Item::Import(import) => {
            text(&mut import.path);
            import.names.iter_mut().for_each(|imported| names([&mut imported.name].into_iter().chain(&mut imported.alias)));
            import.with.iter_mut().for_each(with);
            &mut import.span
        }
        Item::Use(item) => {
            text(&mut item.source);
            name(&mut item.alias);
            item.with.iter_mut().for_each(with);
            &mut item.span
        }
        Item::Record(record) => {
            name(&mut record.name);
            record.fields.iter_mut().for_each(field);
            &mut record.span
        }
        Item::Enum(item) => {
            names([&mut item.name].into_iter().chain(&mut item.cases));
            &mut item.span
        }
        Item::Variant(item) => {
            name(&mut item.name);
            item.cases.iter_mut().for_each(case);
            &mut item.span
        }
        Item::Class(class) => {
            name(&mut class.name);
            class.settings.iter_mut().for_each(setting);
            &mut class.span
        }
        Item::Interface(item) => {
            name(&mut item.name);
            item.functions.iter_mut().for_each(function);
            &mut item.span
        }
        Item::Role(role) => return function(role),
        _ => return runnable(item),
    };
    *span = Span::default();
}

fn runnable(item: &mut Item) {
    let span = match item {
        Item::Flow(flow) => {
            name(&mut flow.name);
            flow.params.iter_mut().for_each(param);
            flow.result.iter_mut().for_each(ty);
            flow.recursive.iter_mut().for_each(expr);
            flow.with.iter_mut().for_each(with);
            block(&mut flow.body);
            &mut flow.span
        }
        Item::Hook(hook) => {
            names([&mut hook.phase, &mut hook.event]);
            match &mut hook.target {
                None | Some(HookTarget::All) => {}
                Some(HookTarget::Component(component)) => name(component),
                Some(HookTarget::Function(component, function)) => names([component, function]),
                Some(HookTarget::Name(target)) => name(target),
                Some(HookTarget::Topic(topic)) => text(topic),
            }
            expr(&mut hook.handler);
            hook.with.iter_mut().for_each(with);
            &mut hook.span
        }
        Item::Trigger(trigger) => {
            match &mut trigger.kind {
                TriggerKind::Schedule(times, zone) => {
                    text(times);
                    zone.iter_mut().for_each(text);
                }
                TriggerKind::Event(topic) => text(topic),
                TriggerKind::Webhook(path) => text(path),
            }
            name(&mut trigger.flow);
            args(&mut trigger.args);
            &mut trigger.span
        }
        Item::Test(test) => {
            text(&mut test.name);
            block(&mut test.body);
            &mut test.span
        }
        _ => return,
    };
    *span = Span::default();
}

fn field(field: &mut FieldDef) {
    name(&mut field.name);
    ty(&mut field.ty);
}

fn case(case: &mut CaseDef) {
    name(&mut case.name);
    case.ty.iter_mut().for_each(ty);
}

fn param(param: &mut Param) {
    name(&mut param.name);
    ty(&mut param.ty);
    param.default.iter_mut().for_each(expr);
}

fn function(function: &mut FunctionDef) {
    name(&mut function.name);
    function.params.iter_mut().for_each(field);
    function.result.iter_mut().for_each(ty);
    function.span = Span::default();
}

fn ty(written: &mut TypeExpr) {
    written.span = Span::default();
    match &mut written.kind {
        TypeKind::Named(named) => name(named),
        TypeKind::Member(component, member) => names([component, member]),
        TypeKind::List(inner) | TypeKind::Option(inner) => ty(inner),
        TypeKind::Result(ok, err) => ok.iter_mut().chain(err).for_each(|inner| ty(inner)),
        TypeKind::Tuple(items) => items.iter_mut().for_each(ty),
        TypeKind::Flow(params, result) => {
            params.iter_mut().for_each(ty);
            result.iter_mut().for_each(|inner| ty(inner));
        }
        TypeKind::Error => {}
    }
}

fn block(block: &mut Block) {
    block.span = Span::default();
    block.statements.iter_mut().for_each(statement);
}

fn statement(statement: &mut Statement) {
    statement.span = Span::default();
    match &mut statement.kind {
        StatementKind::Let { name: bound, ty: stated, value } => {
            name(bound);
            stated.iter_mut().for_each(ty);
            expr(value);
        }
        StatementKind::Require { condition, message } | StatementKind::Assert { condition, message } => {
            expr(condition);
            message.iter_mut().for_each(expr);
        }
        StatementKind::Return(value) => value.iter_mut().for_each(expr),
        StatementKind::Mock(mock) => {
            match &mut mock.target {
                MockTarget::Call(path, items) => {
                    expr(path);
                    items.iter_mut().for_each(pattern);
                }
                MockTarget::Ask(role, items) => {
                    name(role);
                    items.iter_mut().for_each(pattern);
                }
                MockTarget::Plan(items) => items.iter_mut().for_each(pattern),
                MockTarget::Signal(signal) => name(signal),
                MockTarget::Message(topic) => text(topic),
            }
            mock.times.iter_mut().chain(&mut mock.takes).for_each(expr);
            match &mut mock.answer {
                MockAnswer::Value(value) => expr(value),
                MockAnswer::Fails(kind, message) => {
                    name(kind);
                    message.iter_mut().for_each(expr);
                }
            }
        }
        StatementKind::Expr(value) => expr(value),
        StatementKind::Error { binds } => binds.iter_mut().for_each(name),
    }
}

fn args(args: &mut [Arg]) {
    for arg in args {
        arg.name.iter_mut().for_each(name);
        expr(&mut arg.value);
    }
}

fn with(with: &mut With) {
    with.span = Span::default();
    with.settings.iter_mut().for_each(setting);
}

fn setting(setting: &mut Setting) {
    name(&mut setting.key);
    match &mut setting.value {
        SettingValue::Expr(value) => expr(value),
        SettingValue::Grants(grants) => {
            for grant in grants {
                name(&mut grant.capability);
                grant.subject.iter_mut().for_each(expr);
                grant.span = Span::default();
            }
        }
        SettingValue::Settings(inner, span) => {
            inner.iter_mut().for_each(self::setting);
            *span = Span::default();
        }
    }
}

fn pattern(pattern: &mut Pattern) {
    pattern.span = Span::default();
    match &mut pattern.kind {
        PatternKind::Any => {}
        PatternKind::Name(bound) => name(bound),
        PatternKind::Case(case, inner) => {
            name(case);
            inner.iter_mut().for_each(|inner| self::pattern(inner));
        }
        PatternKind::TypeCase(of, case, inner) => {
            names([of, case]);
            inner.iter_mut().for_each(|inner| self::pattern(inner));
        }
        PatternKind::Literal(value) => expr(value),
        PatternKind::Tuple(items) => items.iter_mut().for_each(self::pattern),
        PatternKind::Record(fields) => {
            for (field, inner) in fields {
                name(field);
                inner.iter_mut().for_each(self::pattern);
            }
        }
    }
}

fn expr(value: &mut Expr) {
    value.span = Span::default();
    match &mut value.kind {
        ExprKind::Text(parts) => {
            for part in parts {
                if let TextPart::Expr(inner) = part {
                    expr(inner);
                }
            }
        }
        ExprKind::Name(bound) => name(bound),
        ExprKind::Field(base, field) => {
            expr(base);
            name(field);
        }
        ExprKind::TupleField(base, _, span) => {
            expr(base);
            *span = Span::default();
        }
        ExprKind::Unary(_, inner) | ExprKind::Wait(inner) => expr(inner),
        ExprKind::Index(left, right) | ExprKind::Emit { topic: left, value: right } => {
            expr(left);
            expr(right);
        }
        ExprKind::Binary(_, span, left, right) => {
            *span = Span::default();
            expr(left);
            expr(right);
        }
        ExprKind::Call(base, given) => {
            expr(base);
            args(given);
        }
        ExprKind::As(inner, target) => {
            expr(inner);
            ty(target);
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => items.iter_mut().for_each(expr),
        ExprKind::Record { ty, fields } => {
            expr(ty);
            for field in fields {
                name(&mut field.name);
                expr(&mut field.value);
            }
        }
        ExprKind::Comprehension { element, name: item, list, condition } => {
            name(item);
            [element, list].into_iter().chain(condition).for_each(|inner| expr(inner));
        }
        ExprKind::Lambda(bound, body) => {
            name(bound);
            expr(body);
        }
        ExprKind::Signal(signal, carried) => {
            name(signal);
            carried.iter_mut().for_each(ty);
        }
        ExprKind::Message(topic, carried) => {
            expr(topic);
            carried.iter_mut().for_each(ty);
        }
        ExprKind::Ask(role, given) => {
            name(role);
            args(given);
        }
        ExprKind::RunPlan(given) => args(given),
        ExprKind::Postfix(base, clause) => {
            expr(base);
            postfix(clause);
        }
        ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Char(_)
        | ExprKind::Duration(_)
        | ExprKind::Size(_)
        | ExprKind::None
        | ExprKind::Error => {}
        _ => form(value),
    }
}

fn postfix(clause: &mut Postfix) {
    match clause {
        Postfix::With(settings) => with(settings),
        Postfix::Else(other) | Postfix::Undo { compensation: other, .. } => expr(other),
        Postfix::After(after) => names(after),
    }
}

fn form(value: &mut Expr) {
    let (policy, body) = match &mut value.kind {
        ExprKind::If { arms, otherwise } => {
            for (condition, body) in arms {
                expr(condition);
                block(body);
            }
            return otherwise.iter_mut().for_each(block);
        }
        ExprKind::Match { subject, arms } => {
            expr(subject);
            for arm in arms {
                pattern(&mut arm.pattern);
                arm.guard.iter_mut().for_each(expr);
                block(&mut arm.body);
                arm.span = Span::default();
            }
            return;
        }
        ExprKind::Map { name: item, list, with, body } => {
            name(item);
            expr(list);
            (with, body)
        }
        ExprKind::Fold { acc, init, name: item, list, with, body } => {
            names([acc, item]);
            expr(init);
            expr(list);
            (with, body)
        }
        ExprKind::Tree { left, right, list, with, body } => {
            names([left, right]);
            expr(list);
            (with, body)
        }
        ExprKind::Loop { name: bound, init, until, max, with, body } => {
            name(bound);
            [init, until].into_iter().chain(max).for_each(|inner| expr(inner));
            (with, body)
        }
        ExprKind::Seq { with, body } => (with, body),
        ExprKind::Phase { name: phase, with, body } => {
            name(phase);
            (with, body)
        }
        ExprKind::Try { with, body, binding, handler } => {
            binding.iter_mut().for_each(name);
            block(handler);
            (with, body)
        }
        ExprKind::Race { with: policy, arms } => {
            policy.iter_mut().for_each(with);
            return arms.iter_mut().for_each(block);
        }
        ExprKind::Any { count, with: policy, arms } => {
            expr(count);
            policy.iter_mut().for_each(with);
            return arms.iter_mut().for_each(block);
        }
        _ => return,
    };
    policy.iter_mut().for_each(with);
    block(body);
}
