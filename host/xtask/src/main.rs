//! Developer tasks: `cargo xtask demo | test | simulate | chaos | fuzz | bench | plugins | tidy`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on standard streams")]

mod bench;
mod chaos;
mod coverage;
mod demo;
mod fuzz;
mod nats;
mod plugins;
mod process;
mod python;
mod simulate;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  demo [FOLDER]   installs what is missing, builds host and plugins, and runs workflows/digest.flow on FOLDER
  test [--coverage] [ARGS]
                  installs what is missing, builds plugins, and passes every test; ARGS go to `cargo test`;
                  measured line by line with --coverage, which fails below the bound
  simulate [SEEDS] runs the engine under the seeded simulator, then finds each planted bug; 10,000 seeds unless stated
  chaos [KILLSxRUNS]
                  kills the service while it drives many runs, and compares with what they left outside; 200x50 unless stated
  fuzz [SECONDS] [TARGET]
                  installs what is missing, and lets the fuzzer look for inputs that break the parser, the formatter, the
                  compiler or the component reader, for 60 seconds each unless stated; with --keep it takes what was found
                  into the corpus
  bench [--json] [GROUP]
                  installs what is missing, and measures against floors of the same run; a table, or one JSON object;
                  all of it, or one of steps, durable, many, memory, nats, compile, start
  plugins         builds the shipped plugins into plugins/dist
  tidy            checks the layout and the invariants of host/ARCHITECTURE.md
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let done = match task.as_str() {
        "demo" => demo::run(&rest),
        "test" => test::run(&rest),
        "chaos" => chaos::run(&rest),
        "simulate" => simulate::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "bench" => bench::run(&rest),
        "plugins" => plugins::build(),
        "tidy" => tidy::run(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {task}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
