//! Every expression of a block, outer ones first.

use grammar::ast::{
    Arg, Block, Expr, ExprKind, MockAnswer, Postfix, Setting, SettingValue, Statement, StatementKind, TextPart, With,
};

type Visit<'v, 'e> = &'v mut dyn FnMut(&'e Expr);

pub(super) fn block<'e>(block: &'e Block, visit: Visit<'_, 'e>) {
    block.statements.iter().for_each(|statement| self::statement(statement, visit));
}

fn statement<'e>(statement: &'e Statement, visit: Visit<'_, 'e>) {
    match &statement.kind {
        StatementKind::Let { value, .. } | StatementKind::Expr(value) => expr(value, visit),
        StatementKind::Require { condition, message } | StatementKind::Assert { condition, message } => {
            expr(condition, visit);
            message.iter().for_each(|message| expr(message, visit));
        }
        StatementKind::Return(value) => value.iter().for_each(|value| expr(value, visit)),
        StatementKind::Mock(mock) => {
            if let MockAnswer::Value(value) = &mock.answer {
                expr(value, visit);
            }
        }
        StatementKind::Error { .. } => {}
    }
}

fn args<'e>(args: &'e [Arg], visit: Visit<'_, 'e>) {
    args.iter().for_each(|arg| expr(&arg.value, visit));
}

fn settings<'e>(settings: &'e [Setting], visit: Visit<'_, 'e>) {
    for setting in settings {
        match &setting.value {
            SettingValue::Expr(value) => expr(value, visit),
            SettingValue::Grants(grants) => {
                grants.iter().filter_map(|grant| grant.subject.as_ref()).for_each(|subject| expr(subject, visit))
            }
            SettingValue::Settings(inner, _) => self::settings(inner, visit),
        }
    }
}

/// The policy that a form carries itself.
pub(super) fn with_of(kind: &ExprKind) -> Option<&With> {
    match kind {
        ExprKind::Map { with, .. }
        | ExprKind::Fold { with, .. }
        | ExprKind::Tree { with, .. }
        | ExprKind::Loop { with, .. }
        | ExprKind::Seq { with, .. }
        | ExprKind::Phase { with, .. }
        | ExprKind::Try { with, .. }
        | ExprKind::Race { with, .. }
        | ExprKind::Any { with, .. } => with.as_ref(),
        _ => None,
    }
}

fn expr<'e>(value: &'e Expr, visit: Visit<'_, 'e>) {
    visit(value);
    match &value.kind {
        ExprKind::Text(parts) => {
            for part in parts {
                if let TextPart::Expr(inner) = part {
                    expr(inner, visit);
                }
            }
        }
        ExprKind::Field(inner, _)
        | ExprKind::TupleField(inner, ..)
        | ExprKind::Unary(_, inner)
        | ExprKind::As(inner, _)
        | ExprKind::Lambda(_, inner)
        | ExprKind::Wait(inner)
        | ExprKind::Message(inner, _) => expr(inner, visit),
        ExprKind::Index(left, right) | ExprKind::Binary(_, _, left, right) | ExprKind::Emit { topic: left, value: right } => {
            expr(left, visit);
            expr(right, visit);
        }
        ExprKind::Call(callee, given) => {
            expr(callee, visit);
            args(given, visit);
        }
        ExprKind::Ask(_, given) | ExprKind::RunPlan(given) => args(given, visit),
        ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|item| expr(item, visit)),
        ExprKind::Record { fields, .. } => fields.iter().for_each(|field| expr(&field.value, visit)),
        ExprKind::Comprehension { element, list, condition, .. } => {
            [element, list].into_iter().chain(condition).for_each(|inner| expr(inner, visit));
        }
        ExprKind::Postfix(base, clause) => {
            expr(base, visit);
            match clause {
                Postfix::With(with) => settings(&with.settings, visit),
                Postfix::Else(other) | Postfix::Undo { compensation: other, .. } => expr(other, visit),
                Postfix::After(_) => {}
            }
        }
        _ => form(value, visit),
    }
}

fn form<'e>(value: &'e Expr, visit: Visit<'_, 'e>) {
    with_of(&value.kind).iter().for_each(|with| settings(&with.settings, visit));
    match &value.kind {
        ExprKind::If { arms, otherwise } => {
            for (condition, body) in arms {
                expr(condition, visit);
                block(body, visit);
            }
            otherwise.iter().for_each(|body| block(body, visit));
        }
        ExprKind::Match { subject, arms } => {
            expr(subject, visit);
            for arm in arms {
                arm.guard.iter().for_each(|guard| expr(guard, visit));
                block(&arm.body, visit);
            }
        }
        ExprKind::Map { list, body, .. } | ExprKind::Tree { list, body, .. } => {
            expr(list, visit);
            block(body, visit);
        }
        ExprKind::Fold { init, list, body, .. } => {
            expr(init, visit);
            expr(list, visit);
            block(body, visit);
        }
        ExprKind::Loop { init, until, max, body, .. } => {
            [init, until].into_iter().chain(max).for_each(|inner| expr(inner, visit));
            block(body, visit);
        }
        ExprKind::Seq { body, .. } | ExprKind::Phase { body, .. } => block(body, visit),
        ExprKind::Try { body, handler, .. } => {
            block(body, visit);
            block(handler, visit);
        }
        ExprKind::Race { arms, .. } => arms.iter().for_each(|arm| block(arm, visit)),
        ExprKind::Any { count, arms, .. } => {
            expr(count, visit);
            arms.iter().for_each(|arm| block(arm, visit));
        }
        _ => {}
    }
}
