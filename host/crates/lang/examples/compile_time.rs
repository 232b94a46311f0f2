//! How long a chain of steps takes to parse and to compile: `cargo run --release -p lang --example compile_time -- 100000`.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program for people")]

use std::fmt::Write as _;
use std::time::Instant;

use grammar::FileId;
use lang::{Entry, World, compile};
use testkit::world::MemoryWorld;

const WIT: &str = "package t:t; world w { export f: func(x: string) -> string; }";

fn main() {
    let length: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut text = String::from("use \"p.wasm\" as p\nflow main(x_0: string) -> string {\n");
    for step in 1..=length {
        writeln!(text, "    let x_{step} = p.f(x_{})", step - 1).expect("a string takes all");
    }
    writeln!(text, "    x_{length}\n}}").expect("a string takes all");
    let world = MemoryWorld::new().with("main.flow", text.as_str()).with("p.wit", WIT);
    // The component is made from its text once, which is not what is measured.
    world.component("p.wasm", "main.flow").expect("the text is right");
    for _ in 0..5 {
        let start = Instant::now();
        let parsed = grammar::parse(FileId(0), &text);
        let parse = start.elapsed();
        drop(parsed);
        let start = Instant::now();
        let compilation = compile(&world, "main.flow", Entry::Default);
        println!("{length} steps: parse {parse:?}, compile {:?} with parse", start.elapsed());
        assert!(compilation.plan.is_some(), "it compiles");
    }
}
