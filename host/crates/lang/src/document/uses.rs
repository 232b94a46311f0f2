//! What a flow's text names, and what components import.

use std::collections::{BTreeMap, BTreeSet};

use grammar::ast::{Block, ExprKind, File, Flow, Item, Postfix, Setting, SettingValue, With};

use super::{Document, code, codes, flows_of, walk};
use crate::plan::Plan;
use crate::render::steps;
use crate::world::World;

/// What a flow's text names, each in order of its name.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) flows: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
    pub(super) signals: BTreeSet<String>,
    pub(super) received: BTreeSet<String>,
    pub(super) sent: BTreeSet<String>,
    pub(super) classes: BTreeSet<String>,
    pub(super) runs_plans: bool,
}

impl Uses {
    pub(super) fn of(flow: &Flow, file: &File, text: &str) -> Self {
        let imported = file.items.iter().filter_map(|item| match item {
            Item::Import(import) => Some(import.names.iter().map(|name| &*name.alias.as_ref().unwrap_or(&name.name).name)),
            _ => None,
        });
        let known: BTreeSet<&str> = flows_of(file).map(|flow| &*flow.name.name).chain(imported.flatten()).collect();
        let mut uses = Self::default();
        uses.with(flow.with.as_ref(), text);
        uses.block(&flow.body, &known, text);
        uses
    }

    fn block(&mut self, block: &Block, known: &BTreeSet<&str>, text: &str) {
        let written = |span: grammar::Span| text.get(span.range()).unwrap_or_default().to_owned();
        walk::block(block, &mut |expr| match &expr.kind {
            ExprKind::Call(callee, _) => match &callee.kind {
                ExprKind::Name(name) if known.contains(&*name.name) => {
                    self.flows.insert(name.name.to_string());
                }
                _ => {}
            },
            ExprKind::Ask(role, _) => {
                self.roles.insert(role.name.to_string());
            }
            ExprKind::Signal(name, ty) => {
                let ty = ty.as_ref().map_or(String::new(), |ty| format!(": {}", written(ty.span)));
                self.signals.insert(format!("{}{ty}", name.name));
            }
            ExprKind::Message(topic, ty) => {
                let ty = ty.as_ref().map_or(String::new(), |ty| format!(": {}", written(ty.span)));
                self.received.insert(format!("{}{ty}", written(topic.span)));
            }
            ExprKind::Emit { topic, .. } => {
                self.sent.insert(written(topic.span));
            }
            ExprKind::RunPlan(_) => self.runs_plans = true,
            ExprKind::Postfix(_, Postfix::With(with)) => self.with(Some(with), text),
            other => self.with(walk::with_of(other), text),
        });
    }

    fn with(&mut self, with: Option<&With>, text: &str) {
        let class = |setting: &&Setting| &*setting.key.name == "class";
        for setting in with.iter().flat_map(|with| &with.settings).filter(class) {
            if let SettingValue::Expr(value) = &setting.value {
                self.classes.insert(text.get(value.span.range()).unwrap_or_default().to_owned());
            }
        }
    }
}

impl Document<'_> {
    /// What each component imports, beside what the flows grant to its steps.
    pub(super) fn components<'p>(&mut self, world: &dyn World, root: &str, plans: impl Iterator<Item = &'p Plan>) {
        let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for step in plans.flat_map(steps) {
            granted.entry(step.component).or_default().extend(step.grants);
        }
        let mut rows = Vec::new();
        for item in &self.file.items {
            let Item::Use(item) = item else { continue };
            let Ok(loaded) = world.component(&item.source.value, root) else { continue };
            let rights = codes(granted.get(&loaded.source).into_iter().flatten());
            rows.push(vec![code(&item.alias.name), code(&item.source.value), codes(&loaded.component.imports), rights]);
        }
        if !rows.is_empty() {
            self.out.push_str("\n## Components\n");
            self.table(&["name", "component", "imports", "is granted"], &rows);
        }
    }
}
