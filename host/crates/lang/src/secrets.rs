//! Secrets that reach a log, told by names alone: a value whose name says that it is one, and whatever is made from it
//! without a step in between.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use catalog::{Name, Type};
use grammar::{Diagnostic, Span};

use crate::diagnostics::secrets as say;
use crate::ir::{BindingId, Block, Expr, ExprKind, Flow, Program, Statement};
use crate::lower::facts::{Part, parts};
use crate::plan::Operator;

/// Parts of a type that are looked at for text; beyond them there may be some.
const MOST_TYPE_PARTS: u32 = 256;

/// Warns of the secrets that reach a log in any flow.
pub(crate) fn check(program: &Program) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for flow in program.flows.values() {
        let mut walk = Walk { program, flow, secrets: BTreeMap::new(), found: &mut found };
        for param in &flow.params {
            walk.bind(param.binding, None);
        }
        walk.block(&flow.body);
    }
    found
}

/// The name that makes a value a secret, and where it stands.
#[derive(Clone)]
struct Secret {
    name: Name,
    span: Span,
}

struct Walk<'p, 'f> {
    program: &'p Program,
    flow: &'p Flow,
    secrets: BTreeMap<BindingId, Secret>,
    found: &'f mut Vec<Diagnostic>,
}

impl<'p> Walk<'p, '_> {
    /// Notes what a name holds: by its own name, or else by what is bound to it.
    fn bind(&mut self, id: BindingId, value: Option<Secret>) {
        let Some(binding) = self.flow.bindings.get(id) else { return };
        let named = is_secret(&binding.name) && carries_text(&binding.ty);
        let own = named.then(|| Secret { name: binding.name.clone(), span: binding.span });
        self.secrets.extend(own.or(value).map(|secret| (id, secret)));
    }

    fn block(&mut self, block: &'p Block) {
        for statement in &block.statements {
            match statement {
                Statement::Let(id, value) => {
                    self.expr(value);
                    let secret = self.secret_of(value);
                    self.bind(*id, secret);
                }
                Statement::Do(value) | Statement::Value(value) | Statement::Return(value, _) => self.expr(value),
                Statement::Require { condition, message, .. } => {
                    self.expr(condition);
                    self.expr(message);
                    self.sink(message, || "the message of a `require`".to_owned());
                }
            }
        }
    }

    fn sink(&mut self, value: &Expr, place: impl FnOnce() -> String) {
        if let Some(secret) = self.secret_of(value) {
            self.found.push(say::in_log(&secret.name, &place(), value.span, secret.span));
        }
    }

    fn expr(&mut self, expr: &'p Expr) {
        match &expr.kind {
            ExprKind::Call { function, args, name, .. } => {
                let params = self.program.functions.get(*function).map_or(&[][..], |function| &function.params);
                let names: Vec<&Name> = params.iter().map(|(name, _)| name).collect();
                self.call(name, &names, args);
            }
            ExprKind::Flow { flow, args } => {
                if let Some(callee) = self.program.flows.get(*flow) {
                    let names =
                        callee.params.iter().filter_map(|param| callee.bindings.get(param.binding)).map(|param| &param.name);
                    self.call(&callee.name, &names.collect::<Vec<_>>(), args);
                }
            }
            ExprKind::Ask { role, args, .. } => {
                if let Some(role) = self.program.roles.get(*role) {
                    self.call(&role.name, &role.params.iter().map(|(name, _)| name).collect::<Vec<_>>(), args);
                }
            }
            ExprKind::Emit { value, .. } => self.sink(value, || "a message that others can read".to_owned()),
            ExprKind::Map { binding, list, .. } | ExprKind::Comprehension { binding, list, .. } => {
                let secret = self.secret_of(list);
                self.bind(*binding, secret);
            }
            ExprKind::Loop { binding, init, .. } => {
                let secret = self.secret_of(init);
                self.bind(*binding, secret);
            }
            _ => {}
        }
        // Going through all parts never breaks off.
        let _all = parts(expr, &mut |part| {
            match part {
                Part::Expr(part) => self.expr(part),
                Part::Block(block) => self.block(block),
            }
            ControlFlow::Continue(())
        });
    }

    fn call(&mut self, callee: &Name, params: &[&Name], args: &[Expr]) {
        let logs = words(callee).any(is_log_word);
        for (index, arg) in args.iter().enumerate() {
            let shown = params.get(index).is_some_and(|param| matches!(&***param, "message" | "msg" | "log"));
            if logs || shown {
                self.sink(arg, || format!("`{callee}`, which may log it"));
            }
        }
    }

    /// The secret that a value holds.
    fn secret_of(&self, expr: &Expr) -> Option<Secret> {
        if !carries_text(&expr.ty) {
            return None;
        }
        match &expr.kind {
            ExprKind::Binding(id) => self.secrets.get(id).cloned(),
            ExprKind::Field(_, name) if is_secret(name) => Some(Secret { name: name.clone(), span: expr.span }),
            // What a step makes of its arguments is another value.
            ExprKind::Call { .. } | ExprKind::Flow { .. } | ExprKind::Ask { .. } | ExprKind::RunPlan { .. } => None,
            ExprKind::Binary(operator, ..) if !matches!(operator, Operator::Add) => None,
            _ => {
                let mut found = None;
                let _first = parts(expr, &mut |part| {
                    found = match part {
                        Part::Expr(part) => self.secret_of(part),
                        Part::Block(block) => match block.statements.last() {
                            Some(Statement::Value(value)) => self.secret_of(value),
                            _ => None,
                        },
                    };
                    if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                found
            }
        }
    }
}

/// The parts of a name: `text.find_all` has three.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(['.', '_'])
}

fn is_log_word(word: &str) -> bool {
    matches!(
        word,
        "log"
            | "logs"
            | "logger"
            | "logging"
            | "print"
            | "println"
            | "echo"
            | "debug"
            | "trace"
            | "console"
            | "stdout"
            | "stderr"
    )
}

/// Whether a name says that its value is a secret.
fn is_secret(name: &str) -> bool {
    let words: Vec<&str> = words(name).collect();
    let single = ["token", "password", "passwd", "secret", "apikey", "credential", "credentials"];
    words.iter().any(|word| single.contains(word))
        || words.windows(2).any(|pair| matches!(pair, ["api" | "private" | "access", "key"]))
}

/// Whether values of the type can hold a text: counts and flags are no secrets.
fn carries_text(ty: &Type) -> bool {
    let mut left = MOST_TYPE_PARTS;
    carries_text_within(ty, &mut left)
}

fn carries_text_within(ty: &Type, left: &mut u32) -> bool {
    if *left == 0 {
        return true;
    }
    *left -= 1;
    match ty {
        Type::String | Type::Json => true,
        Type::List(inner) => matches!(**inner, Type::U8) || carries_text_within(inner, left),
        Type::Option(inner) => carries_text_within(inner, left),
        Type::Result(ok, err) => ok.iter().chain(err).any(|ty| carries_text_within(ty, left)),
        Type::Tuple(members) => members.iter().any(|ty| carries_text_within(ty, left)),
        Type::Record(record) => record.fields.iter().any(|(_, ty)| carries_text_within(ty, left)),
        Type::Variant(variant) => variant.cases.iter().filter_map(|(_, ty)| ty.as_ref()).any(|ty| carries_text_within(ty, left)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn secrets_are_whole_words() {
        for name in ["token", "api_key", "github_token", "user.password", "private_key_pem", "apikey", "credentials"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["tokens", "max_tokens", "key", "api", "keyword", "secretary", "passage", "access"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
