//! Items.

use super::{Build, Pair, Pairs, Parts};
use crate::ast::{
    CaseDef, ClassDef, EnumDef, FieldDef, Flow, Import, ImportName, InterfaceDef, Item, Package, Param, RecordDef, TestDef, Text,
    TypeExpr, Use, VariantDef,
};
use crate::diagnostics;
use crate::keywords::ItemWord;
use crate::rules::Rule;
use crate::span::{Ident, Span};

impl Build<'_> {
    fn whole(&self, pairs: &Pairs<'_>) -> Span {
        let text = pairs.as_str().trim_end_matches([' ', '\n']);
        let start = pairs.clone().next().map_or(0, |pair| pair.as_span().start());
        self.range(start, start + text.len())
    }

    pub(crate) fn package(&mut self, pairs: Pairs<'_>) -> Option<Package> {
        let span = self.whole(&pairs);
        let mut parts = Parts { pairs, span };
        let (namespace, name) = (parts.next()?, parts.next()?);
        let version = parts.next().map(|version| self.key(&version));
        Some(Package { namespace: self.key(&namespace), name: self.key(&name), version, span })
    }

    /// Any item but a flow.
    pub(crate) fn item(&mut self, word: ItemWord, pairs: Pairs<'_>) -> Option<Item> {
        let span = self.whole(&pairs);
        let docs = self.docs_at(span.start);
        let mut parts = Parts { pairs, span };
        Some(match word {
            ItemWord::Import => Item::Import(self.import(parts)?),
            ItemWord::Use => Item::Use(self.use_item(parts)?),
            ItemWord::Record => {
                let name = self.next_ident(&mut parts);
                let fields = parts.filter_map(|part| self.field_def(part)).collect();
                Item::Record(RecordDef { docs, name, fields, span })
            }
            ItemWord::Enum => {
                let name = self.next_ident(&mut parts);
                let cases = parts.filter_map(|part| self.enum_case(part)).collect();
                Item::Enum(EnumDef { docs, name, cases, span })
            }
            ItemWord::Variant => {
                let name = self.next_ident(&mut parts);
                let cases = parts.filter_map(|part| self.case_def(part)).collect();
                Item::Variant(VariantDef { docs, name, cases, span })
            }
            ItemWord::Class => {
                let name = self.next_ident(&mut parts);
                Item::Class(ClassDef { docs, name, settings: self.settings(parts), span })
            }
            ItemWord::Interface => {
                let name = self.next_ident(&mut parts);
                let functions = parts.filter_map(|part| self.function_def(part)).collect();
                Item::Interface(InterfaceDef { docs, name, functions, span })
            }
            ItemWord::Role => Item::Role(self.signature(docs, parts)?),
            ItemWord::Hook => Item::Hook(self.hook(docs, parts)?),
            ItemWord::Trigger => Item::Trigger(self.trigger(docs, parts)?),
            _ => return None,
        })
    }

    fn import(&mut self, mut parts: Parts<'_>) -> Option<Import> {
        let span = parts.span;
        let first = parts.next()?;
        let (path, names) = if first.as_rule() == Rule::text {
            let path = self.plain_text(first);
            if !parts.next_is(Rule::import_names) {
                self.report(diagnostics::import_without_names(path.span));
            }
            let names = if parts.next_is(Rule::import_names) { parts.next() } else { None };
            (path, names.map(|names| self.import_names(names)).unwrap_or_default())
        } else {
            self.import_from(first)?
        };
        Some(Import { path, names, with: self.next_with(&mut parts), span })
    }

    fn import_from(&mut self, pair: Pair<'_>) -> Option<(Text, Vec<ImportName>)> {
        let at = self.span(&pair);
        let mut names = Vec::new();
        let mut path = None;
        for part in self.parts(pair) {
            match part.as_rule() {
                Rule::import_names => names.extend(self.import_names(part)),
                Rule::import_name => names.extend(self.import_name(part)),
                _ => path = Some(self.plain_text(part)),
            }
        }
        let path = path?;
        let shown: Vec<&str> = names.iter().map(|name| &*name.name.name).collect();
        self.report(diagnostics::import_from(at, &shown.join(", "), &path.value));
        Some((path, names))
    }

    fn import_names(&mut self, pair: Pair<'_>) -> Vec<ImportName> {
        let parts = self.parts(pair);
        parts.filter_map(|name| self.import_name(name)).collect()
    }

    fn import_name(&mut self, pair: Pair<'_>) -> Option<ImportName> {
        let mut parts = self.parts(pair);
        if parts.next_is(Rule::hole) {
            return None;
        }
        let name = self.next_ident(&mut parts);
        Some(ImportName { name, alias: parts.next().map(|alias| self.ident(&alias)) })
    }

    fn use_item(&mut self, mut parts: Parts<'_>) -> Option<Use> {
        let span = parts.span;
        let source = parts.next().map(|text| self.plain_text(text))?;
        Some(Use { source, alias: self.next_ident(&mut parts), with: self.next_with(&mut parts), span })
    }

    pub(super) fn field_def(&mut self, pair: Pair<'_>) -> Option<FieldDef> {
        let docs = self.docs(&pair);
        let mut parts = self.parts(pair);
        if parts.next_is(Rule::hole) {
            return None;
        }
        let name = self.next_ident(&mut parts);
        Some(FieldDef { docs, name, ty: parts.next().map(|ty| self.type_expr(ty))? })
    }

    fn enum_case(&mut self, pair: Pair<'_>) -> Option<Ident> {
        let mut parts = self.parts(pair);
        if parts.next_is(Rule::hole) { None } else { Some(self.next_ident(&mut parts)) }
    }

    fn case_def(&mut self, pair: Pair<'_>) -> Option<CaseDef> {
        let mut parts = self.parts(pair);
        if parts.next_is(Rule::hole) {
            return None;
        }
        let name = self.next_ident(&mut parts);
        Some(CaseDef { name, ty: parts.next().map(|ty| self.type_expr(ty)) })
    }

    /// A flow without its body.
    pub(crate) fn flow_head(&mut self, pairs: Pairs<'_>) -> Option<Flow> {
        let span = self.whole(&pairs);
        let docs = self.docs_at(span.start);
        let mut parts = Parts { pairs, span };
        let name = self.next_ident(&mut parts);
        let params = self.parts(parts.next()?);
        let params = params.filter_map(|param| self.param(param)).collect();
        let result = self.next_type(&mut parts);
        let recursive = if parts.next_is(Rule::recursive) { parts.next() } else { None };
        let recursive = recursive.and_then(|pair| self.parts(pair).find(|part| part.as_rule() == Rule::head));
        let recursive = recursive.map(|bound| self.expr(bound));
        let with = self.next_with(&mut parts);
        Some(Flow { docs, name, params, result, recursive, with, body: Default::default(), span })
    }

    /// A parameter by itself.
    pub(crate) fn lone_param(&mut self, pairs: Pairs<'_>) -> Option<Param> {
        let span = self.whole(&pairs);
        let param = Parts { pairs, span }.next()?;
        self.param(param)
    }

    /// A test without its body.
    pub(crate) fn test_head(&mut self, pairs: Pairs<'_>) -> Option<TestDef> {
        let span = self.whole(&pairs);
        let docs = self.docs_at(span.start);
        let mut parts = Parts { pairs, span };
        let name = parts.next().map(|name| self.plain_text(name))?;
        Some(TestDef { docs, name, body: Default::default(), span })
    }

    pub(super) fn next_type(&mut self, parts: &mut Parts<'_>) -> Option<TypeExpr> {
        let written = if parts.next_is(Rule::type_expr) { parts.next() } else { None };
        written.map(|ty| self.type_expr(ty))
    }

    fn param(&mut self, pair: Pair<'_>) -> Option<Param> {
        let docs = self.docs(&pair);
        let mut parts = self.parts(pair);
        let name = self.next_ident(&mut parts);
        let ty = parts.next().map(|ty| self.type_expr(ty))?;
        let default = parts.find(|part| part.as_rule() == Rule::expr).map(|default| self.expr(default));
        Some(Param { docs, name, ty, default })
    }
}
