//! `mail_send`, `mail_ask` and `mail_receive` in an `allow`.

use std::sync::Arc;

use catalog::Name;
use grammar::ast::{Expr, ExprKind, GrantExpr};

use super::flow::FlowChecker;
use super::messages::topic_problem;
use super::owner::Owner;
use crate::diagnostics::settings as say;
use crate::plan::{MailUse, is_topic_pattern};

impl FlowChecker<'_, '_> {
    /// What a grant of mail is about: a topic, or a role.
    pub(super) fn mail(&mut self, of: MailUse, grant: &GrantExpr, owner: Owner) -> Option<Name> {
        if owner == Owner::Hook {
            self.g.report(say::mail_on_hook(of.word(), grant.span));
            return None;
        }
        let subject = grant.subject.as_ref();
        if of == MailUse::Ask {
            return self.asked_role(subject, grant, owner);
        }
        let (text, at) = self.quoted(of.word(), "takes a topic in quotes", subject, grant)?;
        let problem = if of == MailUse::Send && text.contains(['*', '>']) {
            (!is_topic_pattern(text)).then_some("is no pattern of topics")
        } else {
            topic_problem(text)
        };
        if let Some(problem) = problem {
            self.g.report(crate::diagnostics::messages::topic(text, problem, at));
            return None;
        }
        Some(Arc::from(text))
    }

    /// A role that components of the flow ask: the plan has to know its types.
    fn asked_role(&mut self, subject: Option<&Expr>, grant: &GrantExpr, owner: Owner) -> Option<Name> {
        let Some(Expr { kind: ExprKind::Name(name), .. }) = subject else {
            let at = subject.map_or(grant.span, |subject| subject.span);
            self.g.report(say::grant_subject(MailUse::Ask.word(), "takes the name of a role", at));
            return None;
        };
        let index = self.role(name)?;
        if !matches!(owner, Owner::Use | Owner::Import) {
            self.g.role_id(index)?;
        }
        Some(Arc::from(&*name.name))
    }
}
