//! Guests that use too much, or end badly: each is contained, of the right kind, and billed.

use std::time::Duration;

use catalog::{FailureKind, Value};
use engine::ports::Invoker;
use sandbox::{Sandbox, SandboxConfig};

use crate::support::{Subject, guest, within};

const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn a_guest_that_never_ends_runs_into_its_timeout() {
    let spin = Subject::new(&guest("spin"), "run").limits(|limits| limits.timeout = Duration::from_millis(100));
    let (_, outcome) = within(SECONDS, || spin.fails(FailureKind::Timeout, "longer than 100ms"));
    assert!(outcome.bill.wall >= 100_000, "{:?}", outcome.bill);
    assert!(outcome.bill.fuel > 0);
}

#[test]
fn a_guest_that_never_ends_uses_up_its_fuel() {
    let spin = Subject::new(&guest("spin"), "run").limits(|limits| limits.fuel = 1_000_000);
    let (_, outcome) = within(SECONDS, || spin.fails(FailureKind::Resource, "fuel"));
    assert!((999_990..=1_000_010).contains(&outcome.bill.fuel), "{:?}", outcome.bill);
}

#[test]
fn fuel_is_the_same_each_time() {
    let echo = Subject::new(&guest("echo"), "text").args([Value::string("abc")]);
    let fuel = echo.run().bill.fuel;
    assert!(fuel > 0);
    assert_eq!(echo.run().bill.fuel, fuel);
}

#[test]
fn memory_is_bounded() {
    let bytes = guest("grow_memory");
    let limited = |function| Subject::new(&bytes, function).limits(|limits| limits.memory = 32 << 20);
    let (_, outcome) = limited("run").fails(FailureKind::Resource, "limit of 32 MiB");
    assert!((31 << 20..=32 << 20).contains(&outcome.bill.peak_memory), "{:?}", outcome.bill);
    limited("fail").fails(FailureKind::Resource, "limit of 32 MiB");
    let Value::U32(pages) = limited("cope").value() else { panic!("pages") };
    assert!((496..=512).contains(&pages), "{pages}");
}

#[test]
fn a_guest_that_starts_too_large_is_refused() {
    let large = Subject::new(&guest("large_memory"), "run");
    assert_eq!(large.value(), Value::Unit);
    large.limits(|limits| limits.memory = 1 << 20).fails(FailureKind::Resource, "limit of 1 MiB");
}

#[test]
fn the_ceiling_of_the_host_is_above_all_limits() {
    let sandbox = Sandbox::new(SandboxConfig { pool_instances: 2, max_memory: 8 << 20, ..SandboxConfig::default() }).unwrap();
    let cope = Subject::within(sandbox, &guest("grow_memory"), "cope").limits(|limits| limits.memory = 1 << 30);
    let Value::U32(pages) = cope.value() else { panic!("pages") };
    assert!(pages <= 128, "{pages}");
}

#[test]
fn tables_are_bounded() {
    Subject::new(&guest("grow_table"), "run").fails(FailureKind::Resource, "100000 table elements");
}

#[test]
fn recursion_is_bounded() {
    let recurse = Subject::new(&guest("recurse"), "run").args([Value::U32(1)]);
    recurse.fails(FailureKind::Resource, "recursed too deep");
}

#[test]
fn results_are_bounded_before_they_are_built() {
    let bytes = guest("huge_result");
    let of =
        |function, size: u32| Subject::new(&bytes, function).args([Value::U32(size)]).limits(|limits| limits.memory = 2 << 30);
    let gibibyte = (1 << 30) - (1 << 20);
    for function in ["bytes", "flags", "text"] {
        within(SECONDS, || of(function, gibibyte).fails(FailureKind::Resource, "limit for results"));
    }
    for function in ["bytes", "flags", "text"] {
        let small = of(function, 2_000).limits(|limits| limits.result_size = 1_000);
        small.fails(FailureKind::Resource, "larger than its limit of 1000 bytes");
    }
    assert_eq!(of("bytes", 3).value(), Value::Bytes([0, 0, 0].into()));
    // A length beyond its memory is a fault of the guest.
    of("bytes", gibibyte).limits(|limits| limits.memory = 1 << 20).fails(FailureKind::Resource, "memory");
}

#[test]
fn a_flood_of_log_lines_is_bounded() {
    let flood = Subject::new(&guest("log_flood"), "run").limits(|limits| {
        limits.fuel = 100_000_000;
        limits.log_size = 10_000;
    });
    let (_, outcome) = within(SECONDS, || flood.fails(FailureKind::Resource, "fuel"));
    let kept: usize = outcome.log.iter().map(String::len).sum();
    assert!(kept < 12_000, "{kept}");
    assert!(outcome.log.last().unwrap().contains("were dropped"));
    assert!((50_000..=100_000).contains(&outcome.bill.host_calls), "{:?}", outcome.bill);
}

#[test]
fn a_flood_of_output_is_bounded() {
    let flood = Subject::new(&guest("print"), "flood").limits(|limits| {
        limits.fuel = 50_000_000;
        limits.log_size = 10_000;
    });
    let (_, outcome) = within(SECONDS, || flood.fails(FailureKind::Resource, "fuel"));
    assert!(outcome.log.iter().map(String::len).sum::<usize>() < 15_000);
    assert!(outcome.log.last().unwrap().contains("were dropped"));
}

#[test]
fn a_flood_of_wasi_calls_is_bounded() {
    let flood = Subject::new(&guest("clock_flood"), "run").limits(|limits| limits.fuel = 200_000_000);
    let (_, outcome) = within(SECONDS, || flood.fails(FailureKind::Resource, "fuel"));
    // Each call counts for 1,000 units of fuel, far more than the guest itself burns.
    assert!(outcome.bill.fuel >= 200_000_000, "{:?}", outcome.bill);
    assert!(outcome.bill.host_calls >= 150_000, "{:?}", outcome.bill);
}

#[test]
fn sleeping_is_real_and_ends_with_the_timeout() {
    let sleep = |nanos| Subject::new(&guest("sleep"), "run").args([Value::U64(nanos)]);
    let outcome = sleep(50_000_000).run();
    assert!(outcome.bill.wall >= 50_000, "{:?}", outcome.bill);
    assert_eq!(outcome.result.unwrap(), Value::Unit);
    let long = sleep(u64::MAX).limits(|limits| limits.timeout = Duration::from_millis(50));
    within(SECONDS, || long.fails(FailureKind::Timeout, "longer than 50ms"));
}

#[test]
fn an_exit_is_a_fault_of_the_guest() {
    let exit = |well| Subject::new(&guest("exit"), "run").args([Value::Bool(well)]);
    exit(true).fails(FailureKind::Internal, "exited with status 0");
    exit(false).fails(FailureKind::Internal, "exited with status 1");
}

#[test]
fn traps_are_faults_of_the_guest() {
    let bytes = guest("trap");
    Subject::new(&bytes, "unreachable").fails(FailureKind::Internal, "trapped: wasm `unreachable` instruction executed");
    Subject::new(&bytes, "divide").args([Value::U32(0)]).fails(FailureKind::Internal, "divide by zero");
    Subject::new(&bytes, "outside").fails(FailureKind::Internal, "out of bounds memory access");
    assert_eq!(Subject::new(&bytes, "divide").args([Value::U32(1)]).value(), Value::U32(1));
}

#[test]
fn a_guest_in_trouble_leaves_the_others_alone() {
    let spin = Subject::new(&guest("spin"), "run").limits(|limits| limits.timeout = Duration::from_millis(300));
    let echo = Subject::within(spin.sandbox.clone(), &guest("echo"), "number").args([Value::U64(7)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let spinning = tokio::spawn(spin.sandbox.invoke(spin.invocation.clone()));
        // One thread serves both: the spinning guest has to give way.
        for _ in 0..10 {
            let outcome = echo.sandbox.invoke(echo.invocation.clone()).await;
            assert_eq!(outcome.result.unwrap(), Value::U64(7));
        }
        assert!(!spinning.is_finished());
        assert_eq!(spinning.await.unwrap().result.unwrap_err().kind, FailureKind::Timeout);
    });
}

#[test]
fn dropping_an_invocation_stops_its_guest() {
    let sandbox = Sandbox::new(SandboxConfig { pool_instances: 1, ..SandboxConfig::default() }).unwrap();
    let spin = Subject::within(sandbox, &guest("spin"), "run");
    let echo = Subject::within(spin.sandbox.clone(), &guest("echo"), "number").args([Value::U64(7)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let call = spin.sandbox.invoke(spin.invocation.clone());
        assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
        // The only place is free again.
        let outcome = tokio::time::timeout(SECONDS, echo.sandbox.invoke(echo.invocation.clone())).await.unwrap();
        assert_eq!(outcome.result.unwrap(), Value::U64(7));
    });
}

#[test]
fn more_guests_than_places_wait_for_their_turn() {
    let sandbox = Sandbox::new(SandboxConfig { pool_instances: 2, ..SandboxConfig::default() }).unwrap();
    let sleep = Subject::within(sandbox, &guest("sleep"), "run").args([Value::U64(20_000_000)]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let calls: Vec<_> = (0..10).map(|_| tokio::spawn(sleep.sandbox.invoke(sleep.invocation.clone()))).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().result.unwrap(), Value::Unit);
        }
    });
}
