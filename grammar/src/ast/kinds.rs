//! What kind of thing an expression is by its syntax alone.

use super::ExprKind;

impl ExprKind {
    /// Whether it is a form that ends with a block.
    #[must_use]
    pub const fn is_block(&self) -> bool {
        matches!(
            self,
            Self::If { .. }
                | Self::Match { .. }
                | Self::Map { .. }
                | Self::Fold { .. }
                | Self::Tree { .. }
                | Self::Loop { .. }
                | Self::Seq { .. }
                | Self::Phase { .. }
                | Self::Try { .. }
                | Self::Race { .. }
                | Self::Any { .. }
        )
    }

    /// Whether it is a step with a keyword of its own.
    #[must_use]
    pub const fn is_keyword_step(&self) -> bool {
        matches!(
            self,
            Self::Wait(_) | Self::Signal(..) | Self::Message(..) | Self::Emit { .. } | Self::Ask(..) | Self::RunPlan(..)
        )
    }

    /// Whether a policy, a fallback or a compensation attaches to it: a call, a form, another step, or one of these to
    /// which something is attached already.
    #[must_use]
    pub const fn is_step(&self) -> bool {
        matches!(self, Self::Call(..) | Self::Postfix(..)) || self.is_block() || self.is_keyword_step()
    }
}
