//! The section of a flow.

use std::fmt::Write as _;

use grammar::ast::{Flow, Param};

use super::{Document, code, codes};
use crate::document::uses::Uses;
use crate::plan::Plan;
use crate::render::{Format, Step, render, steps};

impl Document<'_> {
    pub(super) fn flow(&mut self, flow: &Flow, plan: Option<&Plan>, graph: bool) {
        let _ = writeln!(self.out, "\n### {}", flow.name.name);
        self.docs(&flow.docs);
        let params: Vec<String> = flow.params.iter().map(|param| self.declared(param)).collect();
        let result = flow.result.as_ref().map_or(String::new(), |ty| format!(" -> {}", self.written(ty.span)));
        let _ = writeln!(self.out, "\n```flow\nflow {}({}){result}\n```", flow.name.name, params.join(", "));
        let rows: Vec<Vec<String>> = flow.params.iter().map(|param| self.parameter(param)).collect();
        self.table(&["parameter", "type", "default", "what it is"], &rows);
        if let Some(bound) = &flow.recursive {
            let _ = writeln!(self.out, "\nIt calls itself, at most {} deep.", code(self.written(bound.span)));
        }
        self.uses(flow);
        match plan {
            Some(plan) => self.capabilities(plan),
            None => self.out.push_str("\nIt takes components or flows, so its rights are those of the flow that calls it.\n"),
        }
        if let Some(plan) = plan.filter(|_| graph) {
            let _ = writeln!(self.out, "\n```mermaid\n{}\n```", render(plan, Format::Mermaid).trim_end());
        }
    }

    fn declared(&self, param: &Param) -> String {
        let default = param.default.as_ref().map_or(String::new(), |value| format!(" = {}", self.written(value.span)));
        format!("{}: {}{default}", param.name.name, self.written(param.ty.span))
    }

    fn parameter(&self, param: &Param) -> Vec<String> {
        let default = param.default.as_ref().map_or("", |value| self.written(value.span));
        vec![code(&param.name.name), code(self.written(param.ty.span)), code(default), param.docs.join(" ")]
    }

    /// What the flow's own text calls, asks, sends and waits for.
    fn uses(&mut self, flow: &Flow) {
        let uses = Uses::of(flow, self.file, self.text);
        let lists = [
            ("Calls the flows", &uses.flows),
            ("Asks the roles", &uses.roles),
            ("Waits for the signals", &uses.signals),
            ("Waits for messages on", &uses.received),
            ("Sends messages on", &uses.sent),
            ("Uses the classes", &uses.classes),
        ];
        let mut lines = Vec::new();
        for (what, names) in lists {
            if !names.is_empty() {
                lines.push(format!("- {what} {}", codes(names)));
            }
        }
        if uses.runs_plans {
            lines.push("- Runs flows whose text it is given".to_owned());
        }
        if !lines.is_empty() {
            let _ = writeln!(self.out, "\n{}", lines.join("\n"));
        }
    }

    /// What each step is granted, those of called flows among them.
    fn capabilities(&mut self, plan: &Plan) {
        let row = |step: &Step| {
            let file = step.component.rsplit(['/', '\\']).next().unwrap_or(&step.component);
            vec![code(&step.path), format!("{} of {}", code(&step.function), code(file)), codes(&step.grants)]
        };
        let rows: Vec<Vec<String>> = steps(plan).iter().map(row).collect();
        self.table(&["step", "calls", "is granted"], &rows);
    }
}
