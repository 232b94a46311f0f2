//! The well-known workflows of other engines, with real folders.

use e2e::{Printed, Site, project};

fn run(site: &Site, flow: &str, inputs: &[&str]) -> Printed {
    let flow = project().join("examples").join(flow);
    let mut args = vec!["run", flow.to_str().unwrap(), "--json"];
    for input in inputs {
        args.extend(["--input", input]);
    }
    site.host(args)
}

#[test]
fn a_backfill_loads_the_days_that_have_orders() {
    let site = Site::new();
    site.write("source/2026-01-01.txt", "30127\n43321\n50222\n");
    site.write("source/2026-01-02.txt", "\n");
    site.write("source/2026-01-03.txt", "100\n");
    site.write("warehouse/.keep", "");
    let dates = r#"dates=["2026-01-01","2026-01-02","2026-01-03"]"#;
    run(&site, "airflow_etl.flow", &["source=source", "warehouse=warehouse", dates]).expect(0);
    let loaded = std::fs::read_to_string(site.path().join("warehouse/ledger.txt")).unwrap();
    assert_eq!(loaded, "+ 2026-01-01 123670\n+ 2026-01-03 100\n");
}

#[test]
fn a_transfer_books_both_accounts() {
    let site = Site::new();
    site.write("bank/.keep", "");
    run(&site, "temporal_transfer.flow", &["bank=bank", "reference=t1", "from=a", "to=b", "cents=100"]).expect(0);
    let booked = std::fs::read_to_string(site.path().join("bank/ledger.txt")).unwrap();
    assert_eq!(booked, "+ t1: a pays 100\n+ t1: b gets 100\n");
}

#[test]
fn an_answer_becomes_right_by_reflection() {
    let site = Site::new();
    let printed = run(&site, "langgraph_reflection.flow", &["task=20 * 21"]).expect(0);
    assert_eq!(printed.json()["result"]["answer"], "420");
}
