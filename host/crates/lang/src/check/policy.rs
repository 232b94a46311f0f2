//! `with`, `allow` and classes.

use std::sync::Arc;

use catalog::{Name, Type, Value};
use grammar::ast::{ClassDef, Expr, ExprKind, GrantExpr, Setting, SettingValue, TextPart, With};
use grammar::{Ident, Span};

use super::flow::{FlowChecker, Origin};
use super::owner::{KEYS, Owner};
use super::place::Place;
use super::types::builtin;
use super::why::Why;
use crate::diagnostics::settings as say;
use crate::ir::{self, Backoff, Grant, GrantKind, Policy};
use crate::plan::{Class, FolderAccess, MailUse};

const CAPABILITIES: [&str; 9] = ["clock", "env", "http", "mail_ask", "mail_receive", "mail_send", "random", "read", "read_write"];

impl FlowChecker<'_, '_> {
    /// Checks a `with`.
    pub(super) fn policy(&mut self, with: Option<&With>, owner: Owner) -> Policy {
        let mut policy = Policy::default();
        let Some(with) = with else { return policy };
        policy.span = Some(with.span);
        for (key, setting) in self.settings(&with.settings, owner) {
            self.setting(key, setting, owner, &mut policy);
        }
        policy
    }

    /// Checks a class. What is wrong in it is left out.
    pub(super) fn class(&mut self, def: &ClassDef) -> Class {
        let mut class = Class { name: Arc::from(&*def.name.name), parallel: None, memory: None, fuel: None, timeout: None };
        for (key, setting) in self.settings(&def.settings, Owner::Class) {
            let ty = match key {
                "parallel" => Type::U32,
                "timeout" => Type::Duration,
                _ => Type::U64,
            };
            let checked = self.expression(key, setting).and_then(|value| self.positive(key, value, &ty));
            match (key, checked.map(|checked| checked.kind)) {
                (_, None) => {}
                ("parallel", Some(ir::ExprKind::Const(Value::U32(value)))) => class.parallel = Some(value),
                ("timeout", Some(ir::ExprKind::Const(Value::Duration(value)))) => class.timeout = Some(value),
                ("memory", Some(ir::ExprKind::Const(Value::U64(value)))) => class.memory = Some(value),
                ("fuel", Some(ir::ExprKind::Const(Value::U64(value)))) => class.fuel = Some(value),
                _ => self.g.report(say::value(key, "a literal in a class", setting_span(setting))),
            }
        }
        class
    }

    /// The settings whose keys are right here, each once.
    pub(super) fn settings<'e>(&mut self, settings: &'e [Setting], owner: Owner) -> Vec<(&'static str, &'e Setting)> {
        let mut found: Vec<(&'static str, &Setting)> = Vec::new();
        for setting in settings {
            let key = &setting.key;
            let known = KEYS.iter().map(|(known, _)| *known).find(|known| *known == &*key.name);
            match known {
                // Where it would be a default of the steps inside.
                Some(known) if owner == Owner::Call && !owner.keys().contains(&known) && Owner::Block.keys().contains(&known) => {
                    self.g.report(say::policy_on_flow(known, key.span));
                }
                Some(known) if !owner.keys().contains(&known) => {
                    self.g.report(say::misplaced(known, owner.what(), &owner.keys(), key.span));
                }
                Some(known) => match found.iter().find(|(other, _)| *other == known) {
                    Some((_, first)) => {
                        let first = first.key.span;
                        self.g.report(say::repeated(known, key.span, first));
                    }
                    None => found.push((known, setting)),
                },
                None if owner == Owner::Class && names_type(setting) => {
                    self.g.report(say::field_in_class(&key.name, key.span));
                }
                None => {
                    let known = owner.keys();
                    let close = self.g.suggestions.closest(&key.name, &known);
                    self.g.report(say::unknown(&key.name, close.as_deref(), &known, key.span));
                }
            }
        }
        found
    }

    fn setting(&mut self, key: &'static str, setting: &Setting, owner: Owner, policy: &mut Policy) {
        match key {
            "allow" => {
                policy.allow = self.grants(setting, owner);
                return;
            }
            "budget" => {
                policy.budget = self.budget(setting);
                return;
            }
            _ => {}
        }
        let Some(value) = self.expression(key, setting) else { return };
        match key {
            "retry" => policy.retry = self.typed(key, value, &Type::U32),
            "backoff" => policy.backoff = self.backoff(value),
            "timeout" => policy.timeout = self.positive(key, value, &Type::Duration),
            "deadline" => policy.deadline = self.positive(key, value, &Type::Duration),
            "parallel" => policy.parallel = self.positive(key, value, &Type::U32),
            "memory" => policy.memory = self.positive(key, value, &Type::U64),
            "fuel" => policy.fuel = self.positive(key, value, &Type::U64),
            "class" => policy.class = self.class_name(value),
            "priority" => policy.priority = self.typed(key, value, &Type::S32),
            "key" => policy.key = self.typed(key, value, &Type::String),
            "artifact" => policy.artifact = self.typed(key, value, &Type::String),
            "rate" => policy.rate = self.rate(value),
            "breaker" => policy.breaker = self.breaker(value),
            "cache" => policy.cache = self.cache(value),
            "on_exhausted" => policy.pauses = self.on_exhausted(value),
            "on_error" => match word(value) {
                Some("collect") => policy.collect = Some(true),
                Some("fail") => policy.collect = Some(false),
                _ => self.g.report(
                    say::value(key, "`fail` or `collect`", value.span).help("`collect` gives `list<result<t, failure>>`"),
                ),
            },
            _ => match value.kind {
                ExprKind::Bool(value) => policy.idempotent = Some(value),
                _ => self.g.report(say::value(key, "`true` or `false`", value.span)),
            },
        }
    }

    pub(super) fn expression<'e>(&mut self, key: &str, setting: &'e Setting) -> Option<&'e Expr> {
        match &setting.value {
            SettingValue::Expr(value) => Some(value),
            SettingValue::Grants(_) => {
                self.g.report(
                    say::value(key, "a value, not a list of capabilities", setting.key.span)
                        .help("capabilities belong to `allow`"),
                );
                None
            }
            SettingValue::Settings(_, at) => {
                self.g.report(
                    say::value(key, "a value, not settings in braces", *at).help("settings in braces belong to `budget`"),
                );
                None
            }
        }
    }

    pub(super) fn typed(&mut self, key: &'static str, value: &Expr, ty: &Type) -> Option<ir::Expr> {
        self.pure(Place::Policy, |flow| flow.check(value, ty, Why::Setting(key)))
    }

    pub(super) fn positive(&mut self, key: &'static str, value: &Expr, ty: &Type) -> Option<ir::Expr> {
        let checked = self.typed(key, value, ty);
        self.at_least_one(&format!("`{key}`"), checked.as_ref());
        checked
    }

    fn backoff(&mut self, value: &Expr) -> Option<Backoff> {
        const FORMS: &str = "a duration, `constant(1s)` or `exponential(200ms, max: 10s)`";
        let ExprKind::Call(callee, args) = &value.kind else {
            return self.typed("backoff", value, &Type::Duration).map(Backoff::Constant);
        };
        let (first, max) = match (word(callee), args.as_slice()) {
            (Some("constant"), [first]) if first.name.is_none() => {
                return self.typed("backoff", &first.value, &Type::Duration).map(Backoff::Constant);
            }
            (Some("exponential"), [first]) if first.name.is_none() => (first, None),
            (Some("exponential"), [first, max])
                if first.name.is_none() && max.name.as_ref().is_none_or(|name| &*name.name == "max") =>
            {
                (first, Some(max))
            }
            (Some("constant" | "exponential"), _) => {
                self.g.report(say::value("backoff", FORMS, value.span));
                return None;
            }
            (Some("linear" | "fixed" | "expo" | "exp"), _) => {
                self.g.report(say::value("backoff", FORMS, callee.span));
                return None;
            }
            _ => return self.typed("backoff", value, &Type::Duration).map(Backoff::Constant),
        };
        let first = self.typed("backoff", &first.value, &Type::Duration);
        let max = max.map(|max| self.typed("backoff", &max.value, &Type::Duration));
        match max {
            Some(None) => None,
            max => Some(Backoff::Exponential(first?, max.flatten())),
        }
    }

    fn class_name(&mut self, value: &Expr) -> Option<(Name, Span)> {
        let ExprKind::Name(name) = &value.kind else {
            self.g.report(
                say::value("class", "the name of a class", value.span)
                    .help("such as `class: small`, with `class small { memory: 64MiB }` or a class of the host"),
            );
            return None;
        };
        // Marks an imported class as used.
        self.g.lookup(self.file, &name.name);
        if !self.g.classes.contains_key(&*name.name) {
            let known: Vec<Name> = self.g.classes.keys().cloned().collect();
            if let Some(close) = self.g.suggestions.closest(&name.name, &known) {
                self.g.report(say::unknown_class(&name.name, &close, name.span));
            }
        }
        Some((Arc::from(&*name.name), name.span))
    }

    fn grants(&mut self, setting: &Setting, owner: Owner) -> Option<Vec<Grant>> {
        let written = match &setting.value {
            SettingValue::Grants(grants) => grants.as_slice(),
            SettingValue::Expr(Expr { kind: ExprKind::List(items), .. }) if items.is_empty() => &[],
            SettingValue::Expr(Expr { kind: ExprKind::Error, .. }) => return None,
            SettingValue::Expr(Expr { span, .. }) | SettingValue::Settings(_, span) => {
                self.g.report(
                    say::value("allow", "a list of capabilities", *span)
                        .help("such as `allow: [read folder, http \"api.example.com\"]`"),
                );
                return None;
            }
        };
        let checked: Vec<Option<Grant>> = written.iter().map(|grant| self.grant(grant, owner)).collect();
        checked.into_iter().collect()
    }

    fn grant(&mut self, grant: &GrantExpr, owner: Owner) -> Option<Grant> {
        let subject = grant.subject.as_ref();
        let kind = match &*grant.capability.name {
            "read" => self.folder(FolderAccess::Read, grant, owner)?,
            "read_write" => self.folder(FolderAccess::ReadWrite, grant, owner)?,
            "http" => GrantKind::Http(self.host(subject, grant)?),
            "env" => GrantKind::Env(self.variable(subject, grant)?),
            word @ ("clock" | "random") => {
                if let Some(subject) = subject {
                    self.g.report(say::grant_subject(word, "stands alone", subject.span));
                    return None;
                }
                if word == "clock" { GrantKind::Clock } else { GrantKind::Random }
            }
            other => {
                if let Some(of) = MailUse::from_word(other) {
                    return Some(Grant { kind: GrantKind::Mail(of, self.mail(of, grant, owner)?), span: grant.span });
                }
                let close = match other {
                    "net" | "network" | "url" | "https" => Some("http".to_owned()),
                    "write" | "readwrite" | "rw" => Some("read_write".to_owned()),
                    "file" | "files" | "folder" | "dir" => Some("read".to_owned()),
                    "time" => Some("clock".to_owned()),
                    "rand" => Some("random".to_owned()),
                    "send" | "publish" | "mail" => Some("mail_send".to_owned()),
                    "receive" | "subscribe" => Some("mail_receive".to_owned()),
                    other => self.g.suggestions.closest(other, CAPABILITIES),
                };
                self.g.report(say::unknown_grant(other, close.as_deref(), grant.capability.span));
                return None;
            }
        };
        Some(Grant { kind, span: grant.span })
    }

    /// A folder: a parameter in a flow, and outside, where there is none, whichever the flow grants.
    fn folder(&mut self, access: FolderAccess, grant: &GrantExpr, owner: Owner) -> Option<GrantKind> {
        let outside = matches!(owner, Owner::Use | Owner::Import);
        if owner == Owner::Hook {
            self.g.report(say::folder_on_hook(&grant.capability.name, grant.span));
            return None;
        }
        let word = &grant.capability.name;
        match (&grant.subject, outside) {
            (None, true) => Some(GrantKind::Folder(access, None)),
            (Some(subject), true) => {
                self.g.report(say::folder_on_use(word, owner.what(), subject.span));
                None
            }
            (None, false) => {
                self.g.report(say::grant_subject(word, "needs a folder", grant.span));
                None
            }
            (Some(Expr { kind: ExprKind::Name(name), .. }), false) => {
                Some(GrantKind::Folder(access, Some(self.folder_binding(name)?)))
            }
            (Some(subject), false) => {
                self.g.report(say::grant_subject(word, "takes the name of a parameter", subject.span));
                None
            }
        }
    }

    fn folder_binding(&mut self, name: &Ident) -> Option<ir::BindingId> {
        let Some(binding) = self.find(&name.name) else {
            let known = self.names_in_scope();
            let close = self.g.suggestions.closest(&name.name, &known);
            self.g.report(crate::diagnostics::names::unknown(&name.name, close.as_deref(), name.span));
            return None;
        };
        if self.refuse_generic(name) {
            return None;
        }
        let ty = self.use_binding(binding)?;
        let (declared, origin) = self.origin(binding)?;
        if ty != Type::Dir {
            self.g.report(say::not_a_folder(&name.name, &ty.to_string(), name.span, declared));
            return None;
        }
        if origin != Origin::Parameter {
            self.g.report(say::folder_alias(&name.name, name.span, declared));
            return None;
        }
        Some(binding)
    }

    fn host(&mut self, subject: Option<&Expr>, grant: &GrantExpr) -> Option<Name> {
        let (text, at) = self.quoted("http", "takes the name of a host in quotes", subject, grant)?;
        if is_host(text) {
            return Some(Arc::from(text));
        }
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let bare = bare.split(['/', '?', '#']).next().filter(|bare| is_host(bare));
        self.g.report(say::host_name(text, bare, at));
        None
    }

    fn variable(&mut self, subject: Option<&Expr>, grant: &GrantExpr) -> Option<Name> {
        let (text, at) = self.quoted("env", "takes the name of a variable in quotes", subject, grant)?;
        if text.is_empty() || text.contains(['=', '$', '\0']) || text.contains(char::is_whitespace) {
            self.g.report(say::env_name(text, at));
            return None;
        }
        Some(Arc::from(text))
    }

    /// A text literal without parts that are computed.
    pub(super) fn quoted<'e>(
        &mut self,
        capability: &str,
        wants: &str,
        subject: Option<&'e Expr>,
        grant: &GrantExpr,
    ) -> Option<(&'e str, Span)> {
        let subject_at = subject.map_or(grant.span, |subject| subject.span);
        if let Some(Expr { kind: ExprKind::Text(parts), span }) = subject {
            match parts.as_slice() {
                [TextPart::Literal(text)] => return Some((text, *span)),
                [] => return Some(("", *span)),
                _ => {}
            }
        }
        self.g.report(say::grant_subject(capability, wants, subject_at));
        None
    }
}

/// `id: u32`, as a field of a type is written.
fn names_type(setting: &Setting) -> bool {
    matches!(&setting.value, SettingValue::Expr(value) if word(value).is_some_and(|name| builtin(name).is_some()))
}

fn setting_span(setting: &Setting) -> Span {
    match &setting.value {
        SettingValue::Expr(value) => value.span,
        SettingValue::Settings(_, span) => *span,
        SettingValue::Grants(_) => setting.key.span,
    }
}

pub(super) fn word(value: &Expr) -> Option<&str> {
    if let ExprKind::Name(name) = &value.kind { Some(&name.name) } else { None }
}

/// `name`, `name:port` or `*.domain`.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let name = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() < 64
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() < 254 && name.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
