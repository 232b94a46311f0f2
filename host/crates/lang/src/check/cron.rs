//! What is wrong with the pattern of a schedule, and in which of its fields.

use std::ops::Range;

use croner::parser::{CronParser, Seconds, Year};

/// The most bytes of a pattern.
const LONGEST: usize = 256;

/// What is wrong with a pattern.
pub(super) struct Problem {
    /// Where in the pattern; empty: all of it.
    pub(super) at: Range<usize>,
    pub(super) reason: String,
}

/// A field of a pattern.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", least: 0, most: 59, words: &[] },
    Field { name: "minute", least: 0, most: 59, words: &[] },
    Field { name: "hour", least: 0, most: 23, words: &[] },
    Field { name: "day of the month", least: 1, most: 31, words: &[] },
    Field {
        name: "month",
        least: 1,
        most: 12,
        words: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Field { name: "day of the week", least: 0, most: 7, words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/// What is wrong with a pattern of five fields, or six with seconds first, or a name such as `@daily`.
pub(super) fn problem(text: &str) -> Option<Problem> {
    let whole = |reason: String| Some(Problem { at: 0..0, reason });
    if text.len() > LONGEST {
        return whole(format!("it is longer than {LONGEST} bytes"));
    }
    if parses(text) {
        return None;
    }
    let fields = fields_of(text);
    if let [(_, name)] = fields.as_slice()
        && name.starts_with('@')
    {
        return whole("not one of `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`".to_owned());
    }
    let names = match fields.len() {
        5 => FIELDS.get(1..).unwrap_or(&[]),
        6 => &FIELDS,
        1 => return whole("it has 1 field; a schedule has five, or six with seconds first".to_owned()),
        count => return whole(format!("it has {count} fields; a schedule has five, or six with seconds first")),
    };
    let wrong = fields.iter().zip(names).enumerate().find(|(index, ((_, field), _))| {
        let alone: Vec<&str> = (0..names.len()).map(|other| if other == *index { field } else { "*" }).collect();
        !parses(&alone.join(" "))
    });
    match wrong {
        Some((_, ((at, field), known))) => {
            Some(Problem { at: at.clone(), reason: format!("the {}: {}", known.name, known.objection(field)) })
        }
        None => whole("these fields do not go together".to_owned()),
    }
}

fn parses(text: &str) -> bool {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(text).is_ok()
}

/// The fields with their places.
fn fields_of(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut from = 0;
    let mut fields = Vec::new();
    for part in text.split(char::is_whitespace) {
        if !part.is_empty() {
            fields.push((from..from + part.len(), part));
        }
        let blank = text.get(from + part.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        from += part.len() + blank;
    }
    fields
}

impl Field {
    /// Why a field cannot be what is written.
    fn objection(&self, written: &str) -> String {
        let found = written.split(',').find_map(|part| self.objection_to(part));
        found.unwrap_or_else(|| format!("`{written}` is not understood, {}", self.range()))
    }

    fn objection_to(&self, part: &str) -> Option<String> {
        let (bounds, step) = part.split_once('/').map_or((part, None), |(bounds, step)| (bounds, Some(step)));
        match step.map(str::parse::<u32>) {
            Some(Ok(0)) => return Some("a step of 0 goes nowhere".to_owned()),
            Some(Err(_)) => return Some(format!("`{}` is not a number of steps", step.unwrap_or_default())),
            _ => {}
        }
        if let Some(odd) = bounds.split('-').find(|bound| self.is_odd(bound)) {
            return Some(format!("`{odd}` is not {}", self.range()));
        }
        let (first, last) = bounds.split_once('-')?;
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        (first > last).then(|| format!("`{bounds}` runs backwards"))
    }

    /// Whether a number or word cannot stand in the field.
    fn is_odd(&self, bound: &str) -> bool {
        if let Ok(number) = bound.parse::<u32>() {
            return number < self.least || number > self.most;
        }
        let letters = !bound.is_empty() && bound.chars().all(|c| c.is_ascii_alphabetic());
        letters && bound.len() > 1 && !self.words.iter().any(|word| bound.eq_ignore_ascii_case(word))
    }

    fn range(&self) -> String {
        let numbers = format!("{} to {}", self.least, self.most);
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => format!("one of `{first}` to `{last}`, or {numbers}"),
            _ => numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn the_wrong_field_is_named() {
        for (text, part, reason) in [
            ("60 * * * *", "60", "the minute: `60` is not 0 to 59"),
            ("0 0  24 * * *", "24", "the hour: `24` is not 0 to 23"),
            ("0 9 0 * *", "0", "the day of the month: `0` is not 1 to 31"),
            ("0 9 * 1,13 *", "1,13", "the month: `13` is not one of `jan` to `dec`, or 1 to 12"),
            ("0 9 * * mon-fryday", "mon-fryday", "the day of the week: `fryday` is not one of `sun` to `sat`, or 0 to 7"),
            ("*/0 * * * *", "*/0", "the minute: a step of 0 goes nowhere"),
            ("*/x * * * *", "*/x", "the minute: `x` is not a number of steps"),
            ("30-10 * * * *", "30-10", "the minute: `30-10` runs backwards"),
            ("9am * * * *", "9am", "the minute: `9am` is not understood, 0 to 59"),
        ] {
            let found = problem(text).unwrap();
            assert_eq!((&text[found.at], &*found.reason), (part, reason), "{text}");
        }
        for text in ["", "daily", "* * * *", "* * * * * * *", "@dayly"] {
            let found = problem(text).unwrap();
            assert!(found.at.is_empty() && found.reason.len() > 10, "{text:?}: {}", found.reason);
        }
        for text in ["0 9 * * mon-fri", "*/5 * * * * *", "@daily", "0 0 L * *", "0 0 1,15 jan-mar sun"] {
            assert!(problem(text).is_none(), "{text}");
        }
    }
}
