//! Items.

use super::doc::{BRACES, Doc, HARD, Listed, PARENS, TIGHT, close, concat, indent, listed, open, spaced, word};
use super::printer::Printer;
use crate::ast::{
    CaseDef, FieldDef, Flow, FunctionDef, Hook, HookTarget, Import, ImportName, InterfaceDef, Item, Package, Param, TestDef,
    Trigger, TriggerKind, Use,
};
use crate::span::{Ident, Span};

/// Where an item stands.
pub(super) fn span_of(item: &Item) -> Span {
    match item {
        Item::Import(item) => item.span,
        Item::Use(item) => item.span,
        Item::Record(item) => item.span,
        Item::Enum(item) => item.span,
        Item::Variant(item) => item.span,
        Item::Class(item) => item.span,
        Item::Interface(item) => item.span,
        Item::Role(item) => item.span,
        Item::Flow(item) => item.span,
        Item::Hook(item) => item.span,
        Item::Trigger(item) => item.span,
        Item::Test(item) => item.span,
    }
}

/// Whether blank lines set the item apart from others.
pub(super) fn stands_apart(item: &Item) -> bool {
    matches!(item, Item::Flow(_) | Item::Test(_))
}

impl Printer<'_> {
    pub(super) fn package(&self, package: &Package) -> Doc {
        let version = package.version.as_ref().map_or(Doc::Nil, |version| concat([word("@"), self.as_is(version)]));
        let name = concat([self.as_is(&package.namespace), word(":"), self.as_is(&package.name), version]);
        concat([word("package"), Doc::Space, name])
    }

    /// A word that may be a keyword.
    fn as_is(&self, ident: &Ident) -> Doc {
        match self.source {
            Some(_) => self.name(ident),
            None => word(ident.name.clone()),
        }
    }

    pub(super) fn item(&self, item: &Item) -> Doc {
        match item {
            Item::Import(import) => self.import(import),
            Item::Use(item) => self.use_item(item),
            Item::Record(record) => {
                let first = record.fields.first().map(|field| field.name.span);
                let fields = record.fields.iter().map(|field| self.field(field)).collect();
                self.declared("record", &record.docs, &record.name, first, fields)
            }
            Item::Enum(item) => {
                let cases = item.cases.iter().map(|case| self.name(case)).collect();
                self.declared("enum", &item.docs, &item.name, item.cases.first().map(|case| case.span), cases)
            }
            Item::Variant(item) => {
                let case = |case: &CaseDef| {
                    let payload = case.ty.as_ref().map(|ty| concat([open("("), self.ty(ty), close(")")]));
                    concat([self.name(&case.name), payload.unwrap_or(Doc::Nil)])
                };
                let first = item.cases.first().map(|case| case.name.span);
                self.declared("variant", &item.docs, &item.name, first, item.cases.iter().map(case).collect())
            }
            Item::Class(class) => {
                let first = class.settings.first().map_or(class.name.span, |setting| setting.key.span);
                let settings = self.settings(&class.settings, self.breaks_between(class.name.span.end, first.start));
                concat([self.docs(&class.docs), word("class"), Doc::Space, self.name(&class.name), Doc::Space, settings])
            }
            Item::Interface(item) => self.interface(item),
            Item::Role(role) => concat([self.docs(&role.docs), word("role"), Doc::Space, self.function(role)]),
            Item::Flow(flow) => self.flow(flow),
            Item::Hook(hook) => self.hook(hook),
            Item::Trigger(trigger) => self.trigger(trigger),
            Item::Test(test) => self.test(test),
        }
    }

    fn declared(&self, keyword: &'static str, docs: &[Box<str>], name: &Ident, first: Option<Span>, parts: Vec<Doc>) -> Doc {
        let expanded = first.is_some_and(|first| self.breaks_between(name.span.end, first.start));
        let body = listed(parts, Listed { expanded, ..BRACES });
        concat([self.docs(docs), word(keyword), Doc::Space, self.name(name), Doc::Space, body])
    }

    fn import(&self, import: &Import) -> Doc {
        let name = |name: &ImportName| {
            let alias = name.alias.as_ref().map(|alias| concat([word("as"), Doc::Space, self.name(alias)]));
            concat([self.name(&name.name), spaced(alias)])
        };
        let names = listed(import.names.iter().map(name).collect(), BRACES);
        concat([word("import"), Doc::Space, self.text(&import.path), Doc::Space, names, self.with(import.with.as_ref())])
    }

    fn use_item(&self, item: &Use) -> Doc {
        let source = concat([word("use"), Doc::Space, self.text(&item.source), Doc::Space]);
        concat([source, word("as"), Doc::Space, self.name(&item.alias), self.with(item.with.as_ref())])
    }

    fn field(&self, field: &FieldDef) -> Doc {
        concat([self.docs(&field.docs), self.name(&field.name), word(":"), Doc::Space, self.ty(&field.ty)])
    }

    fn function(&self, function: &FunctionDef) -> Doc {
        let params = function.params.iter().map(|param| self.field(param)).collect();
        concat([self.name(&function.name), listed(params, PARENS), self.result(function.result.as_ref())])
    }

    fn interface(&self, item: &InterfaceDef) -> Doc {
        let head = concat([self.docs(&item.docs), word("interface"), Doc::Space, self.name(&item.name), Doc::Space]);
        if item.functions.is_empty() {
            return concat([head, listed(Vec::new(), BRACES)]);
        }
        let function = |(index, function): (usize, &FunctionDef)| {
            let line = if index == 0 { TIGHT } else { HARD };
            [line, self.docs(&function.docs), self.function(function)]
        };
        let functions = item.functions.iter().enumerate().flat_map(function).collect();
        concat([head, open("{"), indent(Doc::Concat(functions)), TIGHT, close("}")])
    }

    fn flow(&self, flow: &Flow) -> Doc {
        let params = listed(flow.params.iter().map(|param| self.param(param)).collect(), PARENS);
        let recursive = flow.recursive.as_ref();
        let recursive = recursive.map(|bound| concat([word("recursive"), Doc::Space, word("max"), Doc::Space, self.head(bound)]));
        let head = concat([self.docs(&flow.docs), word("flow"), Doc::Space, self.name(&flow.name), params]);
        let head = concat([head, self.result(flow.result.as_ref()), spaced(recursive), self.with(flow.with.as_ref())]);
        concat([head, Doc::Space, self.block(&flow.body)])
    }

    fn param(&self, param: &Param) -> Doc {
        let default = param.default.as_ref().map(|default| concat([word("="), Doc::Space, self.element(default, false)]));
        let ty = concat([word(":"), Doc::Space, self.ty(&param.ty), spaced(default)]);
        concat([self.docs(&param.docs), self.name(&param.name), ty])
    }

    fn hook(&self, hook: &Hook) -> Doc {
        let target = hook.target.as_ref().map(|target| match target {
            HookTarget::All => word("*"),
            HookTarget::Component(component) => concat([self.name(component), word("."), word("*")]),
            HookTarget::Function(component, function) => concat([self.name(component), word("."), self.name(function)]),
            HookTarget::Name(name) => self.name(name),
            HookTarget::Topic(topic) => self.text(topic),
        });
        let event = concat([self.as_is(&hook.phase), Doc::Space, self.as_is(&hook.event), spaced(target)]);
        let handler = concat([word("->"), Doc::Space, self.full(&hook.handler), self.with(hook.with.as_ref())]);
        concat([self.docs(&hook.docs), word("hook"), Doc::Space, event, Doc::Space, handler])
    }

    fn trigger(&self, trigger: &Trigger) -> Doc {
        let kind = match &trigger.kind {
            TriggerKind::Schedule(times, zone) => {
                let zone = zone.as_ref().map(|zone| concat([word("in"), Doc::Space, self.text(zone)]));
                concat([word("schedule"), Doc::Space, self.text(times), spaced(zone)])
            }
            TriggerKind::Event(topic) => concat([word("event"), Doc::Space, self.text(topic)]),
            TriggerKind::Webhook(path) => concat([word("webhook"), Doc::Space, self.text(path)]),
        };
        let args = if trigger.args.is_empty() { Doc::Nil } else { self.args(&trigger.args) };
        let flow = concat([word("->"), Doc::Space, self.name(&trigger.flow), args]);
        concat([self.docs(&trigger.docs), word("on"), Doc::Space, kind, Doc::Space, flow])
    }

    fn test(&self, test: &TestDef) -> Doc {
        let head = concat([self.docs(&test.docs), word("test"), Doc::Space, self.text(&test.name), Doc::Space]);
        concat([head, self.block(&test.body)])
    }
}
