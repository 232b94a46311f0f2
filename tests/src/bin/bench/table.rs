//! Named figures with units, bounds and ratios.

/// What was measured.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    unit: &'static str,
    value: f64,
    bound: Option<Bound>,
}

/// What a figure is held against.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// It should not be larger.
    Most(f64),
    /// It should not be smaller.
    Least(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Most(most) => value <= most,
            Self::Least(least) => value >= least,
        }
    }
}

impl Table {
    /// A figure without a bound.
    pub(crate) fn figure(&mut self, name: &str, unit: &'static str, value: f64) {
        self.rows.push(Row { name: name.to_owned(), unit, value, bound: None });
    }

    /// A figure that is held against a bound.
    pub(crate) fn bounded(&mut self, name: &str, unit: &'static str, value: f64, bound: Bound) {
        self.rows.push(Row { name: name.to_owned(), unit, value, bound: Some(bound) });
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let bound = match row.bound {
                None => String::new(),
                Some(bound) => {
                    let (word, limit) = match bound {
                        Bound::Most(limit) => ("at most", limit),
                        Bound::Least(limit) => ("at least", limit),
                    };
                    format!("  {word} {limit}: {}", if bound.holds(row.value) { "holds" } else { "MISSED" })
                }
            };
            text.push_str(&format!("{:<52} {:>14.3} {:<8}{bound}\n", row.name, row.value, row.unit));
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        let figures: serde_json::Map<String, serde_json::Value> = self
            .rows
            .iter()
            .map(|row| {
                let holds = row.bound.map(|bound| bound.holds(row.value));
                (row.name.clone(), serde_json::json!({ "value": row.value, "unit": row.unit, "holds": holds }))
            })
            .collect();
        format!("{:#}", serde_json::Value::Object(figures))
    }
}
