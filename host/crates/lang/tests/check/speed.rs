//! Checking is close to linear. Bounds are wide: they are to notice a quadratic scan, not to measure.

use std::fmt::Write as _;
use std::time::Instant;

use lang::{Entry, compile};
use testkit::world::MemoryWorld;

const WIT: &str = "package t:t; world w { export f: func(x: string) -> string; }";

fn chain(length: usize) -> String {
    let mut text = String::from("use \"p.wasm\" as p\nflow main(x_0: string) -> string {\n");
    for step in 1..=length {
        writeln!(text, "    let x_{step} = p.f(x_{})", step - 1).unwrap();
    }
    writeln!(text, "    x_{length}\n}}").unwrap();
    text
}

fn seconds(text: String) -> f64 {
    let world = MemoryWorld::new().with("main.flow", text).with("p.wit", WIT);
    let start = Instant::now();
    let compilation = compile(&world, "main.flow", Entry::Default);
    assert!(compilation.plan.is_some(), "{:?}", compilation.diagnostics.first());
    start.elapsed().as_secs_f64()
}

#[test]
fn a_long_chain_takes_linear_time() {
    let (short, long) = (seconds(chain(2_000)), seconds(chain(20_000)));
    assert!(long < short * 40.0 + 0.5, "2,000 steps took {short:.2} s, 20,000 took {long:.2} s");
}

#[test]
fn many_mistakes_take_linear_time() {
    let seconds = |lines: usize| {
        let mut text = String::from("flow main() {\n");
        for line in 0..lines {
            writeln!(text, "    let value_{line} = unknown_{line} + 1").unwrap();
        }
        text.push_str("}\n");
        let world = MemoryWorld::new().with("main.flow", text);
        let start = Instant::now();
        let compilation = compile(&world, "main.flow", Entry::Default);
        assert_eq!(compilation.diagnostics.len(), lines);
        start.elapsed().as_secs_f64()
    };
    let (short, long) = (seconds(2_000), seconds(20_000));
    assert!(long < short * 40.0 + 0.5, "2,000 mistakes took {short:.2} s, 20,000 took {long:.2} s");
}
