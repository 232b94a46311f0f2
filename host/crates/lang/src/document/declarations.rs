//! Types, interfaces, roles, classes, triggers and hooks.

use std::fmt::Write as _;

use grammar::ast::{FieldDef, FunctionDef, Item};

use super::{Document, code};

impl Document<'_> {
    pub(super) fn declarations(&mut self) {
        let file = self.file;
        let is_type = |item: &&Item| matches!(item, Item::Record(_) | Item::Enum(_) | Item::Variant(_));
        self.section("Types", file.items.iter().filter(is_type));
        self.section("Interfaces", file.items.iter().filter(|item| matches!(item, Item::Interface(_))));
        self.section("Roles", file.items.iter().filter(|item| matches!(item, Item::Role(_))));
        self.section("Classes", file.items.iter().filter(|item| matches!(item, Item::Class(_))));
        self.section("Triggers", file.items.iter().filter(|item| matches!(item, Item::Trigger(_))));
        self.section("Hooks", file.items.iter().filter(|item| matches!(item, Item::Hook(_))));
    }

    fn section<'i>(&mut self, title: &str, items: impl Iterator<Item = &'i Item>) {
        for (index, item) in items.enumerate() {
            if index == 0 {
                let _ = writeln!(self.out, "\n## {title}");
            }
            self.declaration(item);
        }
    }

    fn declaration(&mut self, item: &Item) {
        match item {
            Item::Record(record) => {
                self.headed("record", &record.name.name, &record.docs);
                let rows: Vec<Vec<String>> = record.fields.iter().map(|field| self.field(field)).collect();
                self.table(&["field", "type", "what it is"], &rows);
            }
            Item::Enum(item) => {
                self.headed("enum", &item.name.name, &item.docs);
                let cases: Vec<String> = item.cases.iter().map(|case| code(&case.name)).collect();
                let _ = writeln!(self.out, "\n{}", cases.join(", "));
            }
            Item::Variant(item) => {
                self.headed("variant", &item.name.name, &item.docs);
                let case = |case: &grammar::ast::CaseDef| {
                    vec![code(&case.name.name), case.ty.as_ref().map_or(String::new(), |ty| code(self.written(ty.span)))]
                };
                let rows: Vec<Vec<String>> = item.cases.iter().map(case).collect();
                self.table(&["case", "carries"], &rows);
            }
            Item::Class(class) => {
                self.headed("class", &class.name.name, &class.docs);
                let _ = writeln!(self.out, "\n```flow\n{}\n```", self.written(class.span));
            }
            Item::Interface(item) => {
                self.headed("interface", &item.name.name, &item.docs);
                let function = |function: &FunctionDef| vec![code(self.written(function.span)), function.docs.join(" ")];
                let rows: Vec<Vec<String>> = item.functions.iter().map(function).collect();
                self.table(&["function", "what it does"], &rows);
            }
            Item::Role(role) => {
                self.headed("role", &role.name.name, &role.docs);
                let _ = writeln!(self.out, "\n```flow\n{}\n```", self.written(role.span));
                let rows: Vec<Vec<String>> = role.params.iter().map(|param| self.field(param)).collect();
                self.table(&["parameter", "type", "what it is"], &rows);
            }
            Item::Trigger(trigger) => self.line(trigger.span, &trigger.docs),
            Item::Hook(hook) => self.line(hook.span, &hook.docs),
            Item::Import(_) | Item::Use(_) | Item::Flow(_) | Item::Test(_) => {}
        }
    }

    fn headed(&mut self, keyword: &str, name: &str, docs: &[Box<str>]) {
        let _ = writeln!(self.out, "\n### {keyword} {name}");
        self.docs(docs);
    }

    fn line(&mut self, span: grammar::Span, docs: &[Box<str>]) {
        self.docs(docs);
        let _ = writeln!(self.out, "\n```flow\n{}\n```", self.written(span));
    }

    fn field(&self, field: &FieldDef) -> Vec<String> {
        vec![code(&field.name.name), code(self.written(field.ty.span)), field.docs.join(" ")]
    }
}
