//! Stores that are not as they should be.

use e2e::Site;

const FLOW: &str = "use \"{plugins}/kit.wasm\" as kit\nflow main() -> string { kit.echo(\"x\") }\n";

fn site() -> Site {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site
}

#[test]
fn a_store_that_is_no_database_is_refused_and_left_alone() {
    let site = site();
    let store = site.write("store.db", "this is not a database, it is a letter to my aunt\n".repeat(100));
    let before = std::fs::read(&store).unwrap();
    let printed = site.host(["run", "main.flow", "--store", "store.db"]).expect(5);
    assert!(printed.err.contains("store.db"), "{}", printed.err);
    assert_eq!(std::fs::read(&store).unwrap(), before);
}

#[test]
fn a_folder_in_the_stores_place_is_refused() {
    let site = site();
    std::fs::create_dir(site.path().join("store.db")).unwrap();
    site.host(["run", "main.flow", "--store", "store.db"]).expect(5);
}

#[test]
fn a_truncated_store_is_reported() {
    let site = site();
    site.host(["run", "main.flow", "--store", "store.db"]).expect(0);
    let store = site.path().join("store.db");
    let bytes = std::fs::read(&store).unwrap();
    std::fs::write(&store, &bytes[..bytes.len() / 2]).unwrap();
    let printed = site.host(["ps", "--store", "store.db"]);
    assert!([0, 5].contains(&printed.code), "{}", printed.err);
    assert!(!printed.err.contains("panicked"), "{}", printed.err);
    let printed = site.host(["run", "main.flow", "--store", "store.db"]);
    assert_eq!(printed.code, 5, "{}", printed.err);
}

#[test]
fn a_damaged_event_is_named() {
    let site = site();
    let run =
        site.host(["run", "main.flow", "--json", "--store", "store.db"]).expect(0).json()["run"].as_str().unwrap().to_owned();
    let store = site.path().join("store.db");
    let bytes = std::fs::read(&store).unwrap();
    // Both results of the echo are the text "x"; in the event's row it stands as a JSON text.
    let needle = b"\"output\":{\"value\":\"x\"}";
    let places: Vec<usize> = bytes.windows(needle.len()).enumerate().filter(|(_, w)| w == needle).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the result does not stand in the store as it was expected");
    let mut damaged = bytes;
    for place in places {
        damaged[place + needle.len() - 3] = b'y';
    }
    std::fs::write(&store, damaged).unwrap();
    let printed = site.host(["events", &run, "--store", "store.db"]).expect(5);
    assert!(printed.err.contains("damaged") && printed.err.contains('2'), "{}", printed.err);
}

#[test]
fn many_processes_share_a_store() {
    let site = site();
    let children: Vec<_> = (0..6).map(|_| site.command(["run", "main.flow", "-q"]).spawn().unwrap()).collect();
    for child in children {
        assert_eq!(e2e::finish(child).expect(0).out.trim(), "\"x\"");
    }
    assert_eq!(site.host(["ps", "--json"]).expect(0).json().as_array().unwrap().len(), 6);
}
