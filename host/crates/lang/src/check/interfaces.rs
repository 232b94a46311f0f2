//! Interfaces: what a component must export to be passed to a flow, and whether one does.
//!
//! Comparison is structural, as everywhere: a function fits when it has the same name, the same parameters by
//! name and type in the same order (arguments may be named), and a result that a step gives as the declared one.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use catalog::{Component, Function, Name, Signature as WitSignature, Type};
use grammar::{Ident, Span, ast};

use super::Checker;
use super::names::Target;
use super::signatures::{fits, path_of, unwrapped};
use super::types::difference;
use crate::diagnostics::generics as say;

/// An `interface` of a file.
pub(super) struct InterfaceDecl<'a> {
    file: usize,
    ast: &'a ast::InterfaceDef,
    requirement: Rc<Requirement>,
}

/// What a component must export.
pub(super) struct Requirement {
    /// As messages call it: `worker`, or `tools.api` for an interface that a component exports.
    pub(super) name: Name,
    /// Where it is declared.
    pub(super) declared: Span,
    pub(super) functions: Vec<Member>,
}

/// A function of an interface.
pub(super) struct Member {
    pub(super) name: Name,
    /// None: a type in it could not be resolved.
    pub(super) signature: Option<WitSignature>,
    /// Where it is declared.
    pub(super) span: Span,
}

/// A component as something that can be passed: all that it exports, or one of its interfaces.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Export {
    /// The `use`.
    pub(super) item: usize,
    pub(super) interface: Option<Name>,
}

/// Where a component is passed for what.
#[derive(Clone, Copy)]
pub(super) struct Passing<'x> {
    /// The argument.
    pub(super) at: Span,
    /// The parameter that it is for.
    pub(super) param: &'x Name,
    pub(super) declared: Span,
}

/// Why a function does not fit a member.
enum Misfit {
    Missing,
    Ambiguous(Vec<String>),
    Refused(String),
    Differs { found: WitSignature, why: String },
}

impl<'a> InterfaceDecl<'a> {
    pub(super) fn new(file: usize, ast: &'a ast::InterfaceDef) -> Self {
        let requirement = Requirement { name: Arc::from(&*ast.name.name), declared: ast.name.span, functions: Vec::new() };
        Self { file, ast, requirement: Rc::new(requirement) }
    }
}

impl Requirement {
    pub(super) fn find(&self, name: &str) -> Option<&Member> {
        self.functions.iter().find(|member| &*member.name == name)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.functions.iter().map(|member| &*member.name).collect()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Member {
    /// `work: func(task: string) -> string`.
    pub(super) fn text(&self) -> String {
        self.signature.as_ref().map_or_else(|| self.name.to_string(), |signature| format!("{}: {signature}", self.name))
    }

    /// What a call of it gives; none: not known.
    pub(super) fn output(&self) -> Option<Type> {
        self.signature.as_ref().map(|signature| unwrapped(&signature.result))
    }

    /// Whether a function of this signature can stand for it. Where the types are not known, any can.
    fn fit(&self, found: &WitSignature) -> Result<(), Misfit> {
        let Some(wanted) = &self.signature else { return Ok(()) };
        match mismatch(wanted, found) {
            None => Ok(()),
            Some(why) => Err(Misfit::Differs { found: found.clone(), why }),
        }
    }
}

/// What is different about a function, if it cannot stand for the wanted one.
fn mismatch(wanted: &WitSignature, found: &WitSignature) -> Option<String> {
    if wanted.params.len() != found.params.len() {
        let count = |count: usize| if count == 1 { "1 parameter".to_owned() } else { format!("{count} parameters") };
        return Some(format!("it takes {}, {} wanted", count(found.params.len()), are(wanted.params.len())));
    }
    for ((name, ty), (other, found)) in wanted.params.iter().zip(&found.params) {
        if name != other {
            return Some(format!("its parameter is called `{other}`, `{name}` is wanted: arguments may be named"));
        }
        if ty != found {
            return Some(match difference(ty, found) {
                Some(detail) => format!("its parameter `{name}` differs: {detail}"),
                None => format!("its parameter `{name}` is `{found}`, `{ty}` is wanted"),
            });
        }
    }
    if wanted.result == found.result || wanted.result == unwrapped(&found.result) {
        return None;
    }
    Some(match difference(&wanted.result, &found.result).or_else(|| difference(&wanted.result, &unwrapped(&found.result))) {
        Some(detail) => format!("its result differs: {detail}"),
        None => format!("it gives `{}`, `{}` is wanted", found.result, wanted.result),
    })
}

fn are(count: usize) -> String {
    if count == 1 { "1 is".to_owned() } else { format!("{count} are") }
}

/// The functions of a component, or of one of its interfaces, that a flow can call.
fn callable<'c>(component: &'c Component, interface: Option<&'c str>) -> impl Iterator<Item = &'c Function> {
    let fits = move |function: &Function| interface.is_none_or(|wanted| function.interface_name().as_deref() == Some(wanted));
    component.functions.iter().filter(move |function| function.signature.is_ok() && fits(function))
}

/// The function of a component that a member means.
fn function_for<'c>(
    component: &'c Component,
    alias: &str,
    interface: Option<&str>,
    member: &Member,
) -> Result<&'c Function, Misfit> {
    let named = component.functions.iter().filter(|function| fits(function, interface, &member.name));
    let found: Vec<&Function> = named.collect();
    match found.as_slice() {
        [] => Err(Misfit::Missing),
        [function] => match &function.signature {
            Ok(signature) => member.fit(signature).map(|()| *function),
            Err(refusal) => Err(Misfit::Refused(refusal.0.clone())),
        },
        several => Err(Misfit::Ambiguous(several.iter().map(|function| path_of(alias, function)).collect())),
    }
}

impl<'a> Checker<'a> {
    /// Resolves the types of all interfaces.
    pub(super) fn check_interfaces(&mut self) {
        for index in 0..self.interfaces.len() {
            let Some(decl) = self.interfaces.get(index) else { return };
            let (file, ast) = (decl.file, decl.ast);
            self.distinct("function", ast.functions.iter().map(|function| &function.name));
            let functions = ast.functions.iter().map(|function| self.check_member(file, function)).collect();
            let requirement = Requirement { name: Arc::from(&*ast.name.name), declared: ast.name.span, functions };
            if let Some(decl) = self.interfaces.get_mut(index) {
                decl.requirement = Rc::new(requirement);
            }
        }
    }

    fn check_member(&mut self, file: usize, ast: &ast::FunctionDef) -> Member {
        let distinct = self.distinct("parameter", ast.params.iter().map(|param| &param.name));
        let mut params = Vec::new();
        for param in &ast.params {
            params.extend(self.crossing_type(file, &param.ty).map(|ty| (Arc::from(&*param.name.name), ty)));
        }
        let result = match &ast.result {
            None => Some(Type::Unit),
            Some(written) => self.crossing_type(file, written),
        };
        let known = distinct && params.len() == ast.params.len();
        let signature = result.filter(|_| known).map(|result| WitSignature { params, result });
        Member { name: Arc::from(&*ast.name.name), signature, span: ast.name.span }
    }

    /// A written type that a component can have.
    fn crossing_type(&mut self, file: usize, written: &ast::TypeExpr) -> Option<Type> {
        if let ast::TypeKind::Named(name) = &written.kind
            && &*name.name == "dir"
        {
            self.report(say::interface_type("dir", "string", written.span));
            return None;
        }
        let ty = self.ty(file, written)?;
        let Some((found, wit)) = flows_only(&ty) else { return Some(ty) };
        self.report(say::interface_type(found, wit, written.span));
        None
    }

    /// What an interface declares.
    pub(super) fn requirement(&self, index: usize) -> Option<Rc<Requirement>> {
        self.interfaces.get(index).map(|decl| decl.requirement.clone())
    }

    /// What `alias.interface` as a type demands; none when the component exports no such interface with a function that a
    /// flow can call.
    pub(super) fn exported_requirement(&self, file: usize, alias: &Ident, name: &Ident) -> Option<Rc<Requirement>> {
        let found = self.files.get(file)?.get(&alias.name)?;
        let Target::Use(index) = found.target else { return None };
        let component = &self.uses.get(index)?.component?.component;
        let member = |function: &Function| {
            let signature = function.signature.as_ref().ok().cloned();
            Member { name: function.name.clone(), signature, span: found.span }
        };
        let functions: Vec<Member> = callable(component, Some(&*name.name)).map(member).collect();
        let name = format!("{}.{}", alias.name, name.name).into();
        (!functions.is_empty()).then(|| Rc::new(Requirement { name, declared: found.span, functions }))
    }

    /// The interfaces that a component exports, by the last part of their names.
    pub(super) fn exported_interfaces(&self, item: usize) -> Vec<String> {
        let Some(loaded) = self.uses.get(item).and_then(|item| item.component) else { return Vec::new() };
        let mut names: Vec<String> = loaded.component.functions.iter().filter_map(Function::interface_name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// How messages call what is passed: `writer` or `writer.api`.
    pub(super) fn export_name(&self, export: &Export) -> Name {
        let alias = self.uses.get(export.item).map_or("", |item| &*item.ast.alias.name);
        export.interface.as_ref().map_or_else(|| alias.into(), |interface| format!("{alias}.{interface}").into())
    }

    /// Whether a component exports what is demanded. One that could not be loaded was reported, and does.
    pub(super) fn satisfies(&self, export: &Export, wanted: &Requirement) -> bool {
        let Some(loaded) = self.uses.get(export.item).and_then(|item| item.component) else { return true };
        let fits = |member: &Member| function_for(&loaded.component, "", export.interface.as_deref(), member).is_ok();
        wanted.functions.iter().all(fits)
    }

    /// Reports where a component does not export what is demanded.
    pub(super) fn check_export(&mut self, export: &Export, wanted: &Requirement, passing: Passing<'_>) -> bool {
        let Some(item) = self.uses.get(export.item) else { return true };
        let alias = &*item.ast.alias.name;
        let Some(loaded) = item.component else { return true };
        let find = |member: &Member| function_for(&loaded.component, alias, export.interface.as_deref(), member).map(|_| ());
        let problems: Vec<(&Member, Misfit)> =
            wanted.functions.iter().filter_map(|member| Some((member, find(member).err()?))).collect();
        let known: Vec<String> =
            callable(&loaded.component, export.interface.as_deref()).map(|function| function.name.to_string()).collect();
        let subject = say::Subject { name: self.export_name(export), what: "the component", verb: "exports" };
        self.report_misfits(&subject, wanted, &known, problems, passing)
    }

    /// Reports where a parameter's interface does not have what is demanded of it when it is passed on.
    pub(super) fn check_passed_on(&mut self, own: &Requirement, wanted: &Requirement, passing: Passing<'_>) -> bool {
        let fit = |member: &Member| match own.find(&member.name).map(|own| own.signature.as_ref()) {
            None => Err(Misfit::Missing),
            Some(None) => Ok(()),
            Some(Some(signature)) => member.fit(signature),
        };
        let problems: Vec<(&Member, Misfit)> =
            wanted.functions.iter().filter_map(|member| Some((member, fit(member).err()?))).collect();
        let known: Vec<String> = own.functions.iter().map(|member| member.name.to_string()).collect();
        let subject = say::Subject { name: own.name.clone(), what: "the interface", verb: "declares" };
        self.report_misfits(&subject, wanted, &known, problems, passing)
    }

    fn report_misfits(
        &mut self,
        subject: &say::Subject,
        wanted: &Requirement,
        known: &[String],
        problems: Vec<(&Member, Misfit)>,
        passing: Passing<'_>,
    ) -> bool {
        let fits = problems.is_empty();
        let place = say::Place { at: passing.at, param: passing.param, declared: passing.declared, interface: &wanted.name };
        let mut missing: Vec<&Member> = Vec::new();
        for (member, problem) in problems {
            let wanted = say::Wanted { name: &member.name, signature: member.text(), declared: member.span };
            let diagnostic = match problem {
                Misfit::Missing => {
                    missing.push(member);
                    continue;
                }
                Misfit::Ambiguous(choices) => say::ambiguous_export(subject, &place, &member.name, &choices),
                Misfit::Refused(reason) => say::refused_export(subject, &place, &member.name, &reason),
                Misfit::Differs { found, why } => say::function_differs(subject, &place, &wanted, &found, &why),
            };
            self.report(diagnostic);
        }
        if let Some(first) = missing.first() {
            let close = if let [only] = missing.as_slice() { self.suggestions.closest(&only.name, known) } else { None };
            let signatures: Vec<String> = missing.iter().map(|member| member.text()).collect();
            let names: Vec<&Name> = missing.iter().map(|member| &member.name).collect();
            let diagnostic = say::missing_functions(subject, &place, &names, &signatures, first.span, (close.as_deref(), known));
            self.report(diagnostic);
        }
        fits
    }

    /// The function of a passed component that a member means; the argument was checked.
    pub(super) fn exported_function(&self, export: &Export, member: &Member) -> Option<&'a Function> {
        let loaded = self.uses.get(export.item)?.component?;
        function_for(&loaded.component, "", export.interface.as_deref(), member).ok()
    }
}

/// A part of a type that only flows have, with what a component has in its place.
fn flows_only(ty: &Type) -> Option<(&'static str, &'static str)> {
    match ty {
        Type::Json => Some(("json", "string")),
        Type::Dir => Some(("dir", "string")),
        Type::Duration => Some(("duration", "u64")),
        Type::List(item) | Type::Option(item) => flows_only(item),
        Type::Result(ok, err) => [ok, err].into_iter().flatten().find_map(|ty| flows_only(ty)),
        Type::Tuple(items) => items.iter().find_map(flows_only),
        Type::Record(record) => record.fields.iter().find_map(|(_, ty)| flows_only(ty)),
        Type::Variant(variant) => variant.cases.iter().filter_map(|(_, ty)| ty.as_ref()).find_map(flows_only),
        _ => None,
    }
}
