//! The pure library.

use catalog::Type;
use grammar::ast::{Arg, ExprKind};
use grammar::{Ident, Span};

use super::expr::node;
use super::flow::{FlowChecker, Origin};
use super::literals::in_text;
use super::operators::is_ordered;
use super::place::Place;
use super::types::widens;
use super::why::{Want, Why, broken};
use crate::diagnostics::calls as say;
use crate::ir;
use crate::plan::LibraryFunction;

/// Names with how they are used.
pub(super) const NAMES: [(&str, &str); 22] = [
    ("concat", "concat(list of lists)"),
    ("contains", "contains(list, item) or contains(text, part)"),
    ("ends_with", "ends_with(text, suffix)"),
    ("f64", "f64(integer)"),
    ("join", "join(list of texts, separator)"),
    ("json", "json(value)"),
    ("keys", "keys(json)"),
    ("len", "len(list) or len(text)"),
    ("lower", "lower(text)"),
    ("max", "max(a, b) or max(list)"),
    ("min", "min(a, b) or min(list)"),
    ("range", "range(start, end)"),
    ("reverse", "reverse(list)"),
    ("sort_by", "sort_by(list, x => key)"),
    ("split", "split(text, separator)"),
    ("starts_with", "starts_with(text, prefix)"),
    ("string", "string(value)"),
    ("sum", "sum(list)"),
    ("take", "take(list, count)"),
    ("trim", "trim(text)"),
    ("upper", "upper(text)"),
    ("zip", "zip(list, list)"),
];

/// A function of the library.
#[derive(Clone, Copy)]
pub(super) struct Known {
    usage: &'static str,
    /// None for `sort_by`, which has a form of its own.
    function: Option<LibraryFunction>,
}

/// How a function of the library is called.
pub(super) fn usage(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, usage)| *usage)
}

/// The function with this name.
pub(super) fn find(name: &str) -> Option<Known> {
    let usage = usage(name)?;
    let function = match name {
        "concat" => LibraryFunction::Concat,
        "contains" => LibraryFunction::Contains,
        "ends_with" => LibraryFunction::EndsWith,
        "f64" => LibraryFunction::ToF64,
        "join" => LibraryFunction::Join,
        "json" => LibraryFunction::Json,
        "keys" => LibraryFunction::Keys,
        "len" => LibraryFunction::Len,
        "lower" => LibraryFunction::Lower,
        "max" => LibraryFunction::Max,
        "min" => LibraryFunction::Min,
        "range" => LibraryFunction::Range,
        "reverse" => LibraryFunction::Reverse,
        "split" => LibraryFunction::Split,
        "starts_with" => LibraryFunction::StartsWith,
        "string" => LibraryFunction::String,
        "sum" => LibraryFunction::Sum,
        "take" => LibraryFunction::Take,
        "trim" => LibraryFunction::Trim,
        "upper" => LibraryFunction::Upper,
        "zip" => LibraryFunction::Zip,
        _ => return Some(Known { usage, function: None }),
    };
    Some(Known { usage, function: Some(function) })
}

/// Whether a flow cannot have this name.
pub(super) fn is_reserved(name: &str) -> bool {
    find(name).is_some() || matches!(name, "some" | "ok" | "err")
}

/// The name here of a function as other languages call it.
pub(super) fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "length" | "size" | "count" | "strlen" => "len",
        "to_lower" | "lowercase" | "toLowerCase" => "lower",
        "to_upper" | "uppercase" | "toUpperCase" => "upper",
        "strip" => "trim",
        "str" | "to_string" | "toString" => "string",
        "float" | "to_f64" => "f64",
        "includes" | "has" => "contains",
        "flatten" => "concat",
        "sort" | "sorted" => "sort_by",
        "startswith" | "startsWith" => "starts_with",
        "endswith" | "endsWith" => "ends_with",
        "parse_json" | "to_json" => "json",
        _ => return None,
    })
}

impl FlowChecker<'_, '_> {
    pub(super) fn library(&mut self, known: Known, name: &Ident, args: &[Arg], span: Span, want: Want<'_>) -> Option<ir::Expr> {
        if let Some(named) = args.iter().find_map(|arg| arg.name.as_ref()) {
            return self.library_problem(name, known, "takes its arguments without names", named.span, args);
        }
        let Some(function) = known.function else { return self.sort_by(known, name, args, span) };
        let (least, most) = match function {
            LibraryFunction::Min | LibraryFunction::Max => (1, 2),
            LibraryFunction::Join
            | LibraryFunction::Split
            | LibraryFunction::Contains
            | LibraryFunction::Zip
            | LibraryFunction::Range
            | LibraryFunction::Take
            | LibraryFunction::StartsWith
            | LibraryFunction::EndsWith => (2, 2),
            _ => (1, 1),
        };
        if args.len() < least || args.len() > most {
            let problem = format!(
                "takes {} {}, {} given",
                if least == most { least.to_string() } else { format!("{least} or {most}") },
                if most == 1 { "argument" } else { "arguments" },
                if args.len() == 1 { "1 is".to_owned() } else { format!("{} are", args.len()) }
            );
            return self.library_problem(name, known, &problem, span, args);
        }
        let (checked, ty) = self.apply(function, known.usage, name, args, want)?;
        Some(match checked {
            Some(args) => node(ir::ExprKind::Library(function, args), ty, span),
            None => broken(ty, span),
        })
    }

    fn library_problem(&mut self, name: &Ident, known: Known, problem: &str, at: Span, args: &[Arg]) -> Option<ir::Expr> {
        for arg in args {
            self.visit(&arg.value);
        }
        self.g.report(say::library(&name.name, known.usage, problem, at));
        None
    }

    /// Checks the arguments, whose number is right. Gives the type even where an argument is wrong, if it can be told.
    fn apply(
        &mut self,
        function: LibraryFunction,
        usage: &'static str,
        name: &Ident,
        args: &[Arg],
        want: Want<'_>,
    ) -> Option<(Option<Vec<ir::Expr>>, Type)> {
        use LibraryFunction as F;
        let why = Why::Library(usage);
        let text = Type::String;
        match function {
            F::Join => Some((self.fixed(args, &[Type::list(text.clone()), text], why), Type::String)),
            F::Split => Some((self.fixed(args, &[text.clone(), text], why), Type::list(Type::String))),
            F::Keys => Some((self.fixed(args, &[Type::Json], why), Type::list(Type::String))),
            F::Lower | F::Upper | F::Trim => Some((self.fixed(args, &[text], why), Type::String)),
            F::StartsWith | F::EndsWith => Some((self.fixed(args, &[text.clone(), text], why), Type::Bool)),
            F::Json => {
                let arg = self.any(args, 0, Want::Any)?;
                let bad = matches!(arg.ty, Type::Dir | Type::Unit);
                if bad {
                    self.misfit(name, usage, "any value but a folder", &arg);
                }
                Some(((!bad).then(|| vec![arg]), Type::Json))
            }
            F::String => {
                Some((self.test(args, name, usage, "texts, numbers, bools, chars, durations and enums", in_text), Type::String))
            }
            F::ToF64 => {
                let fits = |ty: &Type| ty.is_integer() || matches!(ty, Type::F32 | Type::F64);
                Some((self.test(args, name, usage, "a number", fits), Type::F64))
            }
            F::Len => {
                let fits = |ty: &Type| matches!(ty, Type::List(_) | Type::String);
                Some((self.test(args, name, usage, "a list or a text", fits), Type::U64))
            }
            F::Contains => Some((self.contains(args, name, usage), Type::Bool)),
            F::Min | F::Max => self.extreme(args, name, usage, want),
            F::Sum => {
                let list = self.list_arg(args, name, usage, Want::Any)?;
                let item = item_of(&list);
                let bad = !(item.is_number() || item == Type::Duration);
                if bad {
                    self.misfit(name, usage, "a list of numbers or durations", &list);
                }
                Some(((!bad).then(|| vec![list]), item))
            }
            F::Reverse => {
                let list = self.list_arg(args, name, usage, want)?;
                let ty = list.ty.clone();
                Some((Some(vec![list]), ty))
            }
            F::Concat => {
                let list = self.list_arg(args, name, usage, Want::Any)?;
                let item = item_of(&list);
                if !matches!(item, Type::List(_)) {
                    self.misfit(name, usage, "a list of lists", &list);
                    return None;
                }
                Some((Some(vec![list]), item))
            }
            F::Take => {
                let count = args.get(1).and_then(|arg| self.check(&arg.value, &Type::U64, why));
                let list = self.list_arg(args, name, usage, want)?;
                let ty = list.ty.clone();
                Some((count.map(|count| vec![list, count]), ty))
            }
            F::Zip => self.zip(args, name, usage),
            F::Range => self.range(args, name, usage, want),
        }
    }

    fn fixed(&mut self, args: &[Arg], types: &[Type], why: Why<'_>) -> Option<Vec<ir::Expr>> {
        let checked: Vec<Option<ir::Expr>> = args.iter().zip(types).map(|(arg, ty)| self.check(&arg.value, ty, why)).collect();
        checked.into_iter().collect()
    }

    fn any(&mut self, args: &[Arg], index: usize, want: Want<'_>) -> Option<ir::Expr> {
        args.get(index).and_then(|arg| self.expr(&arg.value, want.value()))
    }

    fn test(
        &mut self,
        args: &[Arg],
        name: &Ident,
        usage: &str,
        wants: &str,
        fits: impl Fn(&Type) -> bool,
    ) -> Option<Vec<ir::Expr>> {
        let arg = self.any(args, 0, Want::Any)?;
        if fits(&arg.ty) {
            return Some(vec![arg]);
        }
        self.misfit(name, usage, wants, &arg);
        None
    }

    fn misfit(&mut self, name: &Ident, usage: &str, wants: &str, arg: &ir::Expr) {
        let problem = format!("takes {wants}, found `{}`", arg.ty);
        self.g.report(say::library(&name.name, usage, &problem, arg.span));
    }

    /// The first argument, a list.
    fn list_arg(&mut self, args: &[Arg], name: &Ident, usage: &str, want: Want<'_>) -> Option<ir::Expr> {
        let list = self.any(args, 0, want)?;
        if matches!(list.ty, Type::List(_)) {
            return Some(list);
        }
        self.misfit(name, usage, "a list", &list);
        None
    }

    fn contains(&mut self, args: &[Arg], name: &Ident, usage: &'static str) -> Option<Vec<ir::Expr>> {
        let first = self.any(args, 0, Want::Any);
        let second = &args.get(1)?.value;
        let Some(first) = first else {
            self.visit(second);
            return None;
        };
        let wanted = match &first.ty {
            Type::List(item) => (**item).clone(),
            Type::String => Type::String,
            _ => {
                self.misfit(name, usage, "a list or a text", &first);
                self.visit(second);
                return None;
            }
        };
        let second = self.check(second, &wanted, Why::Library(usage))?;
        Some(vec![first, second])
    }

    fn extreme(
        &mut self,
        args: &[Arg],
        name: &Ident,
        usage: &'static str,
        want: Want<'_>,
    ) -> Option<(Option<Vec<ir::Expr>>, Type)> {
        let [left, right] = args else {
            let list = self.list_arg(args, name, usage, Want::Any)?;
            let item = item_of(&list);
            let fits = is_ordered(&item);
            if !fits {
                self.misfit(name, usage, "a list of numbers, texts, chars or durations", &list);
            }
            return Some((fits.then(|| vec![list]), item));
        };
        let (left, right) = self.pair(left, right, usage, want)?;
        let fits = is_ordered(&left.ty);
        if !fits {
            self.misfit(name, usage, "numbers, texts, chars or durations", &left);
        }
        let ty = left.ty.clone();
        Some((fits.then(|| vec![left, right]), ty))
    }

    /// Two arguments of one type.
    fn pair(&mut self, left: &Arg, right: &Arg, usage: &'static str, want: Want<'_>) -> Option<(ir::Expr, ir::Expr)> {
        let why = Why::Library(usage);
        let swap = self.weakness(&left.value) > self.weakness(&right.value);
        let (strong, weak) = if swap { (right, left) } else { (left, right) };
        let strong = self.expr(&strong.value, want.value());
        let Some(strong) = strong else {
            self.visit(&weak.value);
            return None;
        };
        let weak = self.expr(&weak.value, Want::Type(&strong.ty, why))?;
        let (strong, weak) = if widens(&strong.ty, &weak.ty) {
            let ty = weak.ty.clone();
            (self.coerce(strong, &ty, why), weak)
        } else {
            let ty = strong.ty.clone();
            (strong, self.coerce(weak, &ty, why))
        };
        Some(if swap { (weak, strong) } else { (strong, weak) })
    }

    fn zip(&mut self, args: &[Arg], name: &Ident, usage: &'static str) -> Option<(Option<Vec<ir::Expr>>, Type)> {
        let first = self.list_arg(args, name, usage, Want::Any);
        let second = args.get(1..).and_then(|rest| self.list_arg(rest, name, usage, Want::Any));
        let (first, second) = (first?, second?);
        let ty = Type::list(Type::Tuple([item_of(&first), item_of(&second)].into()));
        Some((Some(vec![first, second]), ty))
    }

    fn range(
        &mut self,
        args: &[Arg],
        name: &Ident,
        usage: &'static str,
        want: Want<'_>,
    ) -> Option<(Option<Vec<ir::Expr>>, Type)> {
        let [start, end] = args else { return None };
        let part = want.part(|ty| if let Type::List(item) = ty { Some(&**item).filter(|item| item.is_integer()) } else { None });
        let (start, end) = self.pair(start, end, usage, part)?;
        if !start.ty.is_integer() {
            self.misfit(name, usage, "integers", &start);
            return None;
        }
        let ty = Type::list(start.ty.clone());
        Some((Some(vec![start, end]), ty))
    }

    fn sort_by(&mut self, known: Known, name: &Ident, args: &[Arg], span: Span) -> Option<ir::Expr> {
        let [list, key] = args else {
            let problem = format!(
                "takes a list and `x => key`, {} given",
                if args.len() == 1 { "1 is".to_owned() } else { format!("{} are", args.len()) }
            );
            return self.library_problem(name, known, &problem, span, args);
        };
        let ExprKind::Lambda(item_name, body) = &key.value.kind else {
            return self.library_problem(name, known, "takes `x => key` as its second argument", key.value.span, args);
        };
        let list = self.list_arg(std::slice::from_ref(list), name, known.usage, Want::Any);
        let item = list.as_ref().map(item_of);
        let (binding, key) = self.scoped(|flow| {
            let binding = flow.bind(item_name, item.as_ref(), Origin::Other);
            (binding, flow.pure(Place::Lambda, |flow| flow.expr(body, Want::Any)))
        });
        let (list, key) = (list?, key);
        let ty = list.ty.clone();
        let Some(key) = key else { return Some(broken(ty, span)) };
        if !is_ordered(&key.ty) {
            self.misfit(name, known.usage, "a key that is a number, text, char or duration", &key);
            return Some(broken(ty, span));
        }
        Some(node(ir::ExprKind::SortBy { list: Box::new(list), binding, key: Box::new(key) }, ty, span))
    }
}

fn item_of(list: &ir::Expr) -> Type {
    match &list.ty {
        Type::List(item) => (**item).clone(),
        _ => Type::Unit,
    }
}
