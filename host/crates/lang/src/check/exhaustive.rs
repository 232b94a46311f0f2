//! Whether the arms of a `match` cover everything, by the usual walk over a matrix of patterns
//! (Maranget, "Warnings for pattern matching", 2007). The work is bounded.

use catalog::{Name, Type, Value};

use crate::ir::Pattern;

/// Steps of the walk; a match that needs more must end in `_`.
const FUEL: u32 = 200_000;

/// What was found.
pub(super) struct Coverage {
    /// A value that no arm takes, as a pattern.
    pub(super) missing: Option<String>,
    /// Arms that are never reached.
    pub(super) unreachable: Vec<usize>,
}

/// The coverage of arms, each a pattern and whether it has a guard.
pub(super) fn coverage(ty: &Type, arms: &[(&Pattern, bool)]) -> Coverage {
    let mut walk = Walk { fuel: FUEL };
    let mut rows: Vec<Vec<&Pattern>> = Vec::new();
    let mut unreachable = Vec::new();
    for (index, (pattern, guarded)) in arms.iter().enumerate() {
        if matches!(walk.witness(&rows, &[pattern], std::slice::from_ref(ty)), Ok(None)) {
            unreachable.push(index);
        }
        if !guarded {
            rows.push(vec![pattern]);
        }
    }
    walk.fuel = FUEL;
    let missing = match walk.witness(&rows, &[&Pattern::Any], std::slice::from_ref(ty)) {
        Ok(None) => None,
        Ok(Some(witness)) => Some(witness.into_iter().next().unwrap_or_else(|| "_".to_owned())),
        Err(OutOfFuel) => Some("_".to_owned()),
    };
    Coverage { missing, unreachable }
}

struct OutOfFuel;

struct Walk {
    fuel: u32,
}

/// A way to build a value of a type.
#[derive(Clone, PartialEq)]
enum Constructor {
    Bool(bool),
    Literal(Value),
    Enum(Name),
    Variant(Name, bool),
    None,
    Some,
    Ok(bool),
    Err(bool),
    Tuple(usize),
    Record(Vec<Name>),
}

impl Walk {
    /// Values that `query` takes and no row does, as one pattern for each column.
    fn witness(&mut self, rows: &[Vec<&Pattern>], query: &[&Pattern], types: &[Type]) -> Result<Option<Vec<String>>, OutOfFuel> {
        self.fuel = self.fuel.checked_sub(1 + u32::try_from(rows.len()).unwrap_or(u32::MAX)).ok_or(OutOfFuel)?;
        let (Some((head, rest)), Some((ty, rest_types))) = (query.split_first(), types.split_first()) else {
            return Ok(rows.is_empty().then(Vec::new));
        };
        if let Some(constructor) = constructor_of(head, ty) {
            return self.specialised(&constructor, rows, query, types);
        }
        let used = rows.iter().any(|row| row.first().is_some_and(|pattern| constructor_of(pattern, ty).is_some()));
        let all = if used { constructors(ty) } else { None };
        let Some(all) = all else {
            let rows: Vec<Vec<&Pattern>> = rows.iter().filter_map(|row| default_row(row, ty)).collect();
            let found = self.witness(&rows, rest, rest_types)?;
            return Ok(found.map(|rest| std::iter::once("_".to_owned()).chain(rest).collect()));
        };
        for constructor in all {
            if let Some(found) = self.specialised(&constructor, rows, query, types)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The same for values that begin with one constructor.
    fn specialised(
        &mut self,
        constructor: &Constructor,
        rows: &[Vec<&Pattern>],
        query: &[&Pattern],
        types: &[Type],
    ) -> Result<Option<Vec<String>>, OutOfFuel> {
        let Some((ty, rest)) = types.split_first() else { return Ok(None) };
        let parts = constructor.parts(ty);
        let count = parts.len();
        let types: Vec<Type> = parts.into_iter().chain(rest.iter().cloned()).collect();
        let rows: Vec<Vec<&Pattern>> = rows.iter().filter_map(|row| specialised_row(row, constructor, ty, count)).collect();
        let Some(query) = specialised_row(query, constructor, ty, count) else { return Ok(None) };
        let found = self.witness(&rows, &query, &types)?;
        Ok(found.map(|mut found| {
            let rest = found.split_off(count.min(found.len()));
            std::iter::once(constructor.text(&found)).chain(rest).collect()
        }))
    }
}

/// The rows that a value fits whose constructor none of them names.
fn default_row<'p>(row: &[&'p Pattern], ty: &Type) -> Option<Vec<&'p Pattern>> {
    let (head, rest) = row.split_first()?;
    constructor_of(head, ty).is_none().then(|| rest.to_vec())
}

fn specialised_row<'p>(row: &[&'p Pattern], constructor: &Constructor, ty: &Type, count: usize) -> Option<Vec<&'p Pattern>> {
    const ANY: &Pattern = &Pattern::Any;
    let (head, rest) = row.split_first()?;
    let parts: Vec<&Pattern> = match constructor_of(head, ty) {
        None => vec![ANY; count],
        Some(own) if own == *constructor => match head {
            Pattern::Variant(_, Some(inner)) | Pattern::Some(inner) | Pattern::Ok(Some(inner)) | Pattern::Err(Some(inner)) => {
                vec![inner]
            }
            Pattern::Tuple(members) => members.iter().collect(),
            Pattern::Record(fields) => record_parts(fields, ty),
            _ => vec![ANY; count],
        },
        Some(_) => return None,
    };
    Some(parts.into_iter().chain(rest.iter().copied()).collect())
}

/// A pattern for each field of the type.
fn record_parts<'p>(fields: &'p [(Name, Pattern)], ty: &Type) -> Vec<&'p Pattern> {
    const ANY: &Pattern = &Pattern::Any;
    let Type::Record(record) = ty else { return Vec::new() };
    let of = |name: &Name| fields.iter().find(|(field, _)| field == name).map_or(ANY, |(_, pattern)| pattern);
    record.fields.iter().map(|(name, _)| of(name)).collect()
}

/// What a pattern begins with; none when it takes anything.
fn constructor_of(pattern: &Pattern, ty: &Type) -> Option<Constructor> {
    Some(match pattern {
        Pattern::Any | Pattern::Bind(_) => return None,
        Pattern::Literal(Value::Bool(value)) => Constructor::Bool(*value),
        Pattern::Literal(value) => Constructor::Literal(value.clone()),
        Pattern::Enum(name) => Constructor::Enum(name.clone()),
        Pattern::Variant(name, inner) => Constructor::Variant(name.clone(), inner.is_some()),
        Pattern::None => Constructor::None,
        Pattern::Some(_) => Constructor::Some,
        Pattern::Ok(inner) => Constructor::Ok(inner.is_some()),
        Pattern::Err(inner) => Constructor::Err(inner.is_some()),
        Pattern::Tuple(members) => Constructor::Tuple(members.len()),
        Pattern::Record(_) => match ty {
            Type::Record(record) => Constructor::Record(record.fields.iter().map(|(name, _)| name.clone()).collect()),
            _ => return None,
        },
    })
}

/// All constructors of a type; none when there are too many to list.
fn constructors(ty: &Type) -> Option<Vec<Constructor>> {
    Some(match ty {
        Type::Bool => vec![Constructor::Bool(true), Constructor::Bool(false)],
        Type::Enum(cases) => cases.cases.iter().cloned().map(Constructor::Enum).collect(),
        Type::Variant(cases) => cases.cases.iter().map(|(name, ty)| Constructor::Variant(name.clone(), ty.is_some())).collect(),
        Type::Option(_) => vec![Constructor::Some, Constructor::None],
        Type::Result(ok, err) => vec![Constructor::Ok(ok.is_some()), Constructor::Err(err.is_some())],
        Type::Tuple(members) => vec![Constructor::Tuple(members.len())],
        Type::Record(record) => vec![Constructor::Record(record.fields.iter().map(|(name, _)| name.clone()).collect())],
        _ => return None,
    })
}

impl Constructor {
    /// The types of what it holds.
    fn parts(&self, ty: &Type) -> Vec<Type> {
        match (self, ty) {
            (Self::Some, Type::Option(some)) => vec![(**some).clone()],
            (Self::Ok(true), Type::Result(Some(ok), _)) => vec![(**ok).clone()],
            (Self::Err(true), Type::Result(_, Some(err))) => vec![(**err).clone()],
            (Self::Variant(name, true), Type::Variant(cases)) => {
                cases.cases.iter().filter(|(case, _)| case == name).filter_map(|(_, ty)| ty.clone()).collect()
            }
            (Self::Tuple(_), Type::Tuple(members)) => members.to_vec(),
            (Self::Record(_), Type::Record(record)) => record.fields.iter().map(|(_, ty)| ty.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// A pattern with these parts.
    fn text(&self, parts: &[String]) -> String {
        let inner = parts.join(", ");
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Literal(_) => "_".to_owned(),
            Self::Enum(name) | Self::Variant(name, false) => name.to_string(),
            Self::Variant(name, true) => format!("{name}({inner})"),
            Self::None => "none".to_owned(),
            Self::Some => format!("some({inner})"),
            Self::Ok(true) => format!("ok({inner})"),
            Self::Err(true) => format!("err({inner})"),
            Self::Ok(false) => "ok".to_owned(),
            Self::Err(false) => "err".to_owned(),
            Self::Tuple(_) if parts.iter().all(|part| part == "_") => "_".to_owned(),
            Self::Tuple(_) => format!("({inner})"),
            Self::Record(names) => {
                let fields =
                    names.iter().zip(parts).filter(|(_, part)| *part != "_").map(|(name, part)| format!("{name}: {part}"));
                let fields: Vec<String> = fields.collect();
                if fields.is_empty() { "_".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
            }
        }
    }
}
