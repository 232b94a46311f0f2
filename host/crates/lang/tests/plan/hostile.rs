//! Large, deep and odd flows: an answer each time, no panic, and no more edges than statements.

use std::fmt::Write as _;

use lang::check_plan;
use lang::render::{Format, render};

use crate::cases::compiled;

fn flow(body: &str) -> String {
    format!("use \"tools.wasm\" as tools\n\nflow main(out: dir, n: s64) -> s64 {{\n{body}    n\n}}\n")
}

#[test]
fn gates_between_many_effects_keep_edges_linear() {
    let write = "    tools.write(out, \"x\") with { allow: [read_write out] }\n";
    let body = format!("{}    require n > 0\n{}", write.repeat(500), write.repeat(500));
    let plan = compiled(&flow(&body)).plan.unwrap();
    check_plan(&plan).unwrap();
    assert_eq!(plan.successors.len(), 1000);
}

#[test]
fn a_thousand_phases_keep_edges_linear() {
    let mut body = String::new();
    for n in 0..300 {
        writeln!(body, "    phase p{n} {{ tools.double(n)\n tools.number() }}").unwrap();
    }
    let plan = compiled(&flow(&body)).plan.unwrap();
    check_plan(&plan).unwrap();
    assert!(plan.successors.len() < 1000);
}

#[test]
fn wide_statements_of_a_seq_keep_edges_linear() {
    let wide = format!("        ({})\n", vec!["tools.number()"; 100].join(", "));
    let body = format!("    seq {{\n{}    }}\n", wide.repeat(10));
    let plan = compiled(&flow(&body)).plan.unwrap();
    check_plan(&plan).unwrap();
    assert!(plan.successors.len() < 3000, "{} edges", plan.successors.len());
}

#[test]
fn chains_at_the_limits_of_the_grammar_lower_or_are_refused() {
    for length in [10, 100, 150, 250, 1000] {
        let sum = vec!["n"; length].join(" + ");
        let ifs = "if n > 1 { n } else ".repeat(length);
        let steps = format!("{}n{}", "tools.double(".repeat(length), ")".repeat(length));
        let maps = format!("{}n{}", "map x in [n] { ".repeat(length), " }".repeat(length));
        let fallbacks = format!("tools.number(){}", " else tools.number()".repeat(length));
        for text in [sum, format!("{ifs} {{ n }}"), steps, maps, fallbacks] {
            let compilation = compiled(&flow(&format!("    let x = {text}\n")));
            assert!(compilation.plan.is_some() || !compilation.diagnostics.is_empty());
            if let Some(plan) = &compilation.plan {
                check_plan(plan).unwrap();
                assert!(!render(plan, Format::Table).is_empty());
            }
        }
    }
}
