//! What the service says on standard error: one line for each thing that happened.

use serde_json::{Map, Value};

use crate::output::{self, Output};

/// Where lines go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    json: bool,
    quiet: bool,
}

impl Log {
    pub(crate) fn new(output: Output) -> Self {
        Self { json: output.json(), quiet: output.quiet() }
    }

    /// Something that happened, which `--quiet` leaves out.
    pub(crate) fn note(self, event: &str, fields: &[(&str, &str)]) {
        if !self.quiet {
            self.line(event, fields);
        }
    }

    /// Something that went wrong.
    pub(crate) fn problem(self, event: &str, fields: &[(&str, &str)]) {
        self.line(event, fields);
    }

    fn line(self, event: &str, fields: &[(&str, &str)]) {
        let at = format!("{:.3}", jiff::Timestamp::now());
        output::write_err(&if self.json { document(&at, event, fields) } else { text(&at, event, fields) });
    }
}

fn document(at: &str, event: &str, fields: &[(&str, &str)]) -> String {
    let head = [("at", at), ("event", event)];
    let all = head.iter().chain(fields).map(|(name, value)| ((*name).to_owned(), Value::String((*value).to_owned())));
    Value::Object(all.collect::<Map<_, _>>()).to_string()
}

/// A value with blanks stands in quotes, so that a line can be split again.
fn text(at: &str, event: &str, fields: &[(&str, &str)]) -> String {
    let mut line = format!("{at} {event}");
    for (name, value) in fields {
        let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        line.push_str(&if plain { format!(" {name}={value}") } else { format!(" {name}={value:?}") });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{document, text};

    #[test]
    fn a_line_can_be_taken_apart_again() {
        let fields = [("run", "abc"), ("why", "two words\nand \"more\""), ("empty", "")];
        assert_eq!(text("T", "run-ended", &fields), r#"T run-ended run=abc why="two words\nand \"more\"" empty="""#);
        let document: serde_json::Value = serde_json::from_str(&document("T", "run-ended", &fields)).unwrap();
        assert_eq!((&document["event"], &document["why"]), (&"run-ended".into(), &fields[1].1.into()));
    }
}
