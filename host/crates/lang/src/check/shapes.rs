//! What can be told of a form by its syntax alone.

use grammar::ast::{Block, Expr, ExprKind, StatementKind, With};

/// The form's word, if it always is a node of its own.
pub(super) const fn impure_form(written: &Expr) -> Option<&'static str> {
    Some(match &written.kind {
        ExprKind::Map { .. } => "a `map`",
        ExprKind::Fold { .. } | ExprKind::Tree { .. } => "a `reduce`",
        ExprKind::Loop { .. } => "a `loop`",
        ExprKind::Seq { .. } => "a `seq`",
        ExprKind::Phase { .. } => "a `phase`",
        ExprKind::Try { .. } => "a `try`",
        ExprKind::Race { .. } => "a `race`",
        ExprKind::Any { .. } => "an `any`",
        ExprKind::Wait(_) | ExprKind::Signal(..) | ExprKind::Message(..) => "a `wait`",
        ExprKind::Emit { .. } => "an `emit`",
        ExprKind::Ask(..) => "an `ask`",
        ExprKind::RunPlan(_) => "a `run plan`",
        _ => return None,
    })
}

/// Whether a `with` says `on_error: collect`.
pub(super) fn collects(with: &With) -> bool {
    with.settings.iter().any(|setting| {
        &*setting.key.name == "on_error"
            && matches!(&setting.value, grammar::ast::SettingValue::Expr(Expr { kind: ExprKind::Name(name), .. }) if &*name.name == "collect")
    })
}

/// Whether a block always ends the flow.
pub(super) fn diverges(block: &Block) -> bool {
    match block.statements.last().map(|last| &last.kind) {
        Some(StatementKind::Return(_)) => true,
        Some(StatementKind::Expr(value)) => match &value.kind {
            ExprKind::If { arms, otherwise: Some(otherwise) } => {
                arms.iter().all(|(_, body)| diverges(body)) && diverges(otherwise)
            }
            ExprKind::Match { arms, .. } => !arms.is_empty() && arms.iter().all(|arm| diverges(&arm.body)),
            ExprKind::Seq { body, .. } | ExprKind::Phase { body, .. } => diverges(body),
            _ => false,
        },
        _ => false,
    }
}
