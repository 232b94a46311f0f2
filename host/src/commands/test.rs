//! `host test`: runs the `test` blocks of flow files.
//!
//! # Steps
//!
//! 1. `search` finds the files.
//! 2. Each file is checked, and each of its tests compiled to a plan of its own and run by [`engine::trial`].
//!    With `--crash-everywhere` it is run again, and dies after each write of its journal in turn.
//! 3. `verdict` says what became of a test in the user's words, `trace` what happened on the way.
//! 4. `show` prints it for people, `document` for programs.

mod difference;
mod document;
mod search;
mod show;
mod trace;
mod verdict;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::Digest;
use engine::shell::EngineConfig;
use engine::trial::{self, Bounds, CrashOptions, CrashReport, Outside, TrialReport};
use lang::plan::{Plan, TRIAL};
use lang::{Compilation, Entry};
use sandbox::Sandbox;

use crate::cli::{Global, TestArgs};
use crate::commands::{check, session};
use crate::config::{Config, parse_duration};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::world::DiskWorld;
use show::Sheet;
use trace::Trace;
use verdict::Verdict;

/// What became of a file.
struct Tested {
    /// As it was found.
    file: String,
    checked: Compilation,
    tests: Vec<TestRun>,
}

/// What became of a test.
struct TestRun {
    name: String,
    /// None: it passed.
    verdict: Option<Verdict>,
    trace: Trace,
    /// How long it took.
    real: Duration,
    /// How long it would have taken.
    passed: Duration,
    /// Where its host died, when it was made to.
    crashes: Option<Crashes>,
}

/// How often the host of a test died.
struct Crashes {
    /// Writes after which it died.
    points: usize,
    /// How many times another host went on: in several ways where an effect may have happened or not.
    resumed: usize,
    /// After which event there was the first difference, and what had become of effects under way.
    difference: Option<(u64, Outside)>,
}

/// Runs all tests that are found.
pub(crate) fn run(output: Output, global: &Global, args: &TestArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let bounds = Bounds { time: parse_duration(&args.timeout)?, ..Bounds::default() };
    let files = search::files(&args.paths)?;
    let most_points = args.crash_points.and_then(|most| usize::try_from(most).ok());
    let crash = args.crash_everywhere.then(|| CrashOptions { most_points, ..CrashOptions::default() });
    let mut bench = Bench::open(&config, bounds, crash)?;
    let mut sheet = Sheet::new(output);
    let mut exit = Exit::Done;
    for found in files {
        let world = DiskWorld::open(output, &config, Path::new(&found.path))?;
        let checked = lang::compile(&world, &found.path, Entry::None);
        // A folder may have flows of all kinds; a file was named for its tests.
        if found.searched && checked.tests.is_empty() {
            continue;
        }
        let failed = check::failed(&checked);
        let mut tested = Tested { file: found.path, checked, tests: Vec::new() };
        sheet.begin(&tested);
        exit = check::worse(exit, failed);
        if failed == Exit::Done {
            for number in tested.chosen(args.filter.as_deref()) {
                let test = bench.run(&world, &tested, number)?;
                sheet.test(&tested, &test);
                tested.tests.push(test);
            }
        }
        sheet.end(&tested);
    }
    if sheet.failed() > 0 {
        exit = check::worse(exit, Exit::RunFailed);
    }
    if exit == Exit::Done && sheet.passed() == 0 {
        return Err(nothing_found(args));
    }
    sheet.finish();
    Ok(exit)
}

fn nothing_found(args: &TestArgs) -> Problem {
    let paths: Vec<String> = args.paths.iter().map(|path| format!("`{}`", path.display())).collect();
    match &args.filter {
        Some(filter) => Problem::usage(format!("no test of {} has `{filter}` in its name", paths.join(", "))),
        None => Problem::usage(format!("there are no tests in {}", paths.join(", ")))
            .help("write one into a flow file: `test \"name\" { assert flow_name(…) == … }`"),
    }
}

impl Tested {
    /// The numbers of the tests whose names contain the filter.
    fn chosen(&self, filter: Option<&str>) -> Vec<usize> {
        let fits = |name: &str| filter.is_none_or(|filter| name.contains(filter));
        self.checked.tests.iter().enumerate().filter(|(_, test)| fits(&test.name)).map(|(number, _)| number).collect()
    }
}

/// What tests are run with.
struct Bench {
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    config: EngineConfig,
    bounds: Bounds,
    crash: Option<CrashOptions>,
    loaded: BTreeSet<Digest>,
}

impl Bench {
    fn open(config: &Config, bounds: Bounds, crash: Option<CrashOptions>) -> Result<Self, Problem> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Problem::new(Exit::Store, format!("no runtime: {error}")))?;
        let config = session::engine_config(config, None)?;
        Ok(Self { sandbox: session::open_sandbox()?, runtime, config, bounds, crash, loaded: BTreeSet::new() })
    }

    fn run(&mut self, world: &DiskWorld, tested: &Tested, number: usize) -> Result<TestRun, Problem> {
        let begun = Instant::now();
        let name = tested.checked.tests.get(number).map_or_else(String::new, |test| test.name.clone());
        let compiled = lang::compile(world, &tested.file, Entry::Test(number));
        let Some(plan) = compiled.plan else {
            // The file was checked with this test in it.
            return Err(Problem::new(Exit::DoesNotCompile, format!("the test `{name}` of `{}` has no plan", tested.file)));
        };
        self.load(world, &plan)?;
        let plan = Arc::new(plan);
        let (report, crashed) = self.try_out(&plan);
        let passed = report.passed;
        let test = tested.checked.tests.get(number).map_or_else(lang::Span::default, |test| test.span);
        let crashes = crashed.as_ref().map(|crashed| Crashes {
            points: crashed.points,
            resumed: crashed.resumed,
            difference: crashed.difference.as_ref().map(|found| (found.after, found.outside)),
        });
        let (verdict, trace) = match crashed.and_then(|crashed| crashed.difference) {
            Some(found) => (Some(verdict::differs(&found, test)), Trace::of(&found.report)),
            None => (verdict::of(&report, &plan, &tested.checked, number, self.bounds), Trace::of(&report)),
        };
        Ok(TestRun { name, verdict, trace, real: begun.elapsed(), passed, crashes })
    }

    /// Runs a test, and again for each place where its host is to die.
    fn try_out(&self, plan: &Arc<Plan>) -> (TrialReport, Option<CrashReport>) {
        let plan = Arc::clone(plan);
        match self.crash {
            None => (self.runtime.block_on(trial::run(plan, &self.sandbox, &self.config, self.bounds)), None),
            Some(options) => {
                let sandbox = Arc::new(self.sandbox.clone());
                let report = self.runtime.block_on(trial::crash_everywhere(plan, sandbox, &self.config, self.bounds, options));
                (report.undisturbed.clone(), Some(report))
            }
        }
    }

    /// Makes the components of a plan ready to be called.
    fn load(&mut self, world: &DiskWorld, plan: &Plan) -> Result<(), Problem> {
        for component in plan.components.values().filter(|component| component.digest != TRIAL) {
            if self.loaded.insert(component.digest)
                && let Some(bytes) = world.bytes(component.digest)
            {
                self.sandbox.load(&bytes).map_err(|error| Problem::new(Exit::Plugin, error.to_string()))?;
            }
        }
        Ok(())
    }
}
