//! Runs many seeds of the simulator on all cores, then looks for each planted bug: `simulate [SEEDS [FIRST]]`.
#![allow(clippy::print_stdout, reason = "it is a program for people")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use engine::core::Bug;
use testkit::simulator::{Features, SeedReport, run_seed, run_seed_with};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map_while(|text| text.parse::<u64>().ok());
    let seeds = arguments.next().unwrap_or(10_000);
    let first = arguments.next().unwrap_or(0);
    let passed = run_all(first, seeds);
    let found = find_all(first);
    if passed && found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_all(first: u64, seeds: u64) -> bool {
    let (begun, next) = (Instant::now(), AtomicU64::new(first));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let (mut sum, mut failed, mut shortest) = (SeedReport::default(), Vec::new(), usize::MAX);
        let mut used: BTreeMap<&str, usize> = BTreeMap::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                sum.length = shortest;
                return (sum, failed, used);
            }
            match run_seed(seed) {
                Ok(report) => {
                    sum.events += report.events;
                    shortest = shortest.min(report.length);
                    sum.crashes += report.crashes;
                    sum.decisions += report.decisions;
                    report.features.used().for_each(|name| *used.entry(name).or_default() += 1);
                }
                Err(error) => failed.push((seed, error)),
            }
        }
    };
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let all_joined = results.len() == workers;
    let sum = |of: fn(&SeedReport) -> usize| results.iter().map(|(report, ..)| of(report)).sum::<usize>();
    println!(
        "{seeds} seeds, {} events, {} crashes, {} decisions, {:.1} s on {workers} threads",
        sum(|report| report.events),
        sum(|report| report.crashes),
        sum(|report| report.decisions),
        begun.elapsed().as_secs_f64()
    );
    let shortest = results.iter().map(|(report, ..)| report.length).min().unwrap_or_default();
    let unused = print_coverage(&results.iter().map(|(_, _, used)| used).collect::<Vec<_>>(), seeds);
    let failed: Vec<_> = results.into_iter().flat_map(|(_, failed, _)| failed).collect();
    for (seed, error) in failed.iter().take(10) {
        println!("seed {seed} failed: {}", error.chars().take(600).collect::<String>());
    }
    println!("{} seeds failed; the shortest run has {shortest} events", failed.len());
    all_joined && failed.is_empty() && unused == 0
}

/// How many runs used each feature. Gives how many features none used.
fn print_coverage(used: &[&BTreeMap<&'static str, usize>], seeds: u64) -> usize {
    let count = |name: &str| used.iter().filter_map(|used| used.get(name)).sum::<usize>();
    let counts: Vec<(&str, usize)> = Features::names().map(|name| (name, count(name))).collect();
    println!("of {seeds} runs so many used:");
    for four in counts.chunks(4) {
        let line: Vec<String> = four.iter().map(|(name, count)| format!("{name:<30} {count:>6}")).collect();
        println!("  {}", line.join("   "));
    }
    counts.iter().filter(|(_, count)| *count == 0).count()
}

fn find_all(first: u64) -> bool {
    let begun = Instant::now();
    let mut all = true;
    for bug in Bug::ALL {
        let found = (first..first + 1000).find_map(|seed| run_seed_with(seed, bug).err().map(|error| (seed - first + 1, error)));
        match found {
            Some((count, error)) => println!("{bug:?}: found by seed {count}: {}", error.chars().take(160).collect::<String>()),
            None => {
                all = false;
                println!("{bug:?}: NOT FOUND in 1000 seeds");
            }
        }
    }
    println!("{} bugs, {:.1} s", Bug::ALL.len(), begun.elapsed().as_secs_f64());
    all
}
