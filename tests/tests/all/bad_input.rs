//! What bad input gets: a clear error with the documented exit code, never a panic or a hang.

use std::time::{Duration, Instant};

use e2e::{Printed, Site, component};

/// Runs a command that must fail with this code and say these words.
#[track_caller]
fn refused(site: &Site, args: &[&str], code: i32, words: &[&str]) -> Printed {
    let started = Instant::now();
    let printed = site.host(args).expect(code);
    assert!(started.elapsed() < Duration::from_secs(60), "took {:?}", started.elapsed());
    assert!(!printed.err.contains("panicked"), "{}", printed.err);
    for word in words {
        assert!(printed.err.contains(word), "`{word}` is missing in:\n{}", printed.err);
    }
    printed
}

#[test]
fn usage() {
    let site = Site::new();
    refused(&site, &["rnu"], 2, &["rnu"]);
    refused(&site, &["run"], 2, &[]);
    site.write("flowhost.toml", "[store]\npth = \"x\"\n");
    site.flow("main.flow", "flow main() -> u32 { 1 }\n");
    refused(&site, &["run", "main.flow"], 2, &["flowhost.toml", "pth"]);
}

#[test]
fn inputs_as_other_programs_take_them() {
    let site = Site::new();
    site.flow("main.flow", "flow main(name: string) -> string { name }\n");
    let tip = "the inputs of a flow are given as `--input name=value`";
    refused(&site, &["run", "main.flow", "name=x"], 2, &[tip]);
    refused(&site, &["run", "main.flow", "--name", "x"], 2, &[tip]);
    refused(&site, &["submit", "main.flow", "name=x"], 2, &[tip]);
    refused(&site, &["run", "main.flow", "--inputs", "name=x"], 2, &["--input"]);
    refused(&site, &["run", "main.flow", "--input", "name=x", "--input", "name=y"], 2, &["`--input name=…` is given twice"]);
}

#[test]
fn flow_files() {
    let site = Site::new();
    refused(&site, &["check", "missing.flow"], 3, &["missing.flow"]);
    site.write("bytes.flow", b"flow main() -> u32 { \xff\xfe }");
    refused(&site, &["check", "bytes.flow"], 3, &["UTF-8"]);
    std::fs::create_dir(site.path().join("folder.flow")).unwrap();
    refused(&site, &["check", "folder.flow"], 3, &["it is a folder"]);
    site.write("empty.flow", "");
    site.host(["check", "empty.flow"]).expect(0);
    refused(&site, &["run", "empty.flow"], 3, &["flow"]);
}

#[test]
fn ten_megabytes_of_nesting() {
    let site = Site::new();
    for (name, piece) in
        [("parens", "("), ("nots", "not "), ("elses", "x() else "), ("lists", "["), ("minus", "-"), ("blocks", "if a { ")]
    {
        let body = piece.repeat((10 << 20) / piece.len());
        let file = format!("{name}.flow");
        site.write(&file, format!("flow main() -> bool {{ let a = {body}"));
        refused(&site, &["check", &file], 3, &[]);
    }
}

#[test]
fn import_cycle() {
    let site = Site::new();
    site.write("a.flow", "import \"b.flow\" { b }\nflow a() -> u32 { b() }\n");
    site.write("b.flow", "import \"a.flow\" { a }\nflow b() -> u32 { a() }\n");
    refused(&site, &["check", "a.flow"], 3, &["a.flow", "b.flow"]);
}

#[test]
fn components() {
    let site = Site::new();
    let whole = std::fs::read(component("kit")).unwrap();
    let with = |name: &str, bytes: &[u8], words: &[&str]| {
        site.write(&format!("{name}.wasm"), bytes);
        site.write(&format!("{name}.flow"), format!("use \"{name}.wasm\" as it\nflow main() -> string {{ it.echo(\"x\") }}\n"));
        refused(&site, &["run", &format!("{name}.flow")], 4, words);
    };
    with("core", b"\0asm\x01\0\0\0", &["it is a core"]);
    with("text", b"(component)", &[]);
    with("truncated", &whole[..whole.len() / 2], &[]);
    with("nothing", b"", &[]);
    site.write("missing.flow", "use \"missing.wasm\" as it\nflow main() -> string { it.echo(\"x\") }\n");
    refused(&site, &["run", "missing.flow"], 4, &["missing.wasm"]);
    site.write("witness.wasm", &whole);
    site.write("close.flow", "use \"witnes.wasm\" as it\nflow main() -> string { it.echo(\"x\") }\n");
    refused(&site, &["run", "close.flow"], 4, &["did you mean `witness.wasm`, which is there?"]);
    // An error in the text wins over a component that cannot be loaded.
    site.write("both.flow", "use \"missing.wasm\" as it\nflow main() -> string { let x: u32 = \"text\"\n it.echo(\"x\") }\n");
    refused(&site, &["run", "both.flow"], 3, &[]);
}

#[test]
fn inputs() {
    let site = Site::new();
    site.flow(
        "main.flow",
        "record point { x: u32, y: u32 }\nrecord shape { points: list<point>, name: string }\nflow main(shape: shape, n: u8 = 1) -> u32 { shape.points[0].x }\n",
    );
    refused(&site, &["run", "main.flow"], 7, &["shape", "missing"]);
    refused(&site, &["run", "main.flow", "-i", "n=300", "-i", "shape={}"], 7, &["n"]);
    refused(
        &site,
        &["run", "main.flow", "-i", r#"shape={"points":[{"x":1,"y":2},{"x":1,"y":"two"}],"name":"a"}"#],
        7,
        &["points[1].y"],
    );
    refused(&site, &["run", "main.flow", "-i", r#"shape={"points":[],"name":"a","colour":1}"#], 7, &["colour"]);
    refused(&site, &["run", "main.flow", "-i", "size=1"], 7, &["size", "shape"]);
    refused(&site, &["run", "main.flow", "-i", "shape"], 2, &["="]);
    site.flow("folder.flow", "flow main(folder: dir) -> string { \"ok\" }\n");
    refused(&site, &["run", "folder.flow", "-i", "folder=nowhere"], 7, &["nowhere"]);
}

#[test]
fn a_text_that_doubles_ends_as_resource() {
    let site = Site::new();
    site.flow("main.flow", "flow main() -> string { loop text = \"abcdefgh\" until false max 100 { \"${text}${text}\" } }\n");
    let printed = refused(&site, &["run", "main.flow"], 1, &["resource"]);
    assert!(printed.err.len() < 100_000);
    site.flow("list.flow", "flow main() -> u64 { let x = loop xs = [1, 2] until false max 100 { xs + xs }\n len(x) }\n");
    refused(&site, &["run", "list.flow"], 1, &["resource"]);
}

#[test]
fn five_independent_errors_are_five() {
    let site = Site::new();
    site.flow(
        "main.flow",
        r#"
use "{plugins}/kit.wasm" as kit

flow main(name: string) -> u32 {
    let a = kit.ecoh(name)
    let b: u32 = "text"
    let c = unknown_name + 1
    let d = if name { 1 } else { 2 }
    let e = [1, 2].first
    4
}
"#,
    );
    let printed = site.host(["check", "main.flow", "--json"]).expect(3).json();
    let errors = printed.as_array().unwrap().iter().filter(|finding| finding["severity"] == "error").count();
    assert_eq!(errors, 5, "{printed:#}");
}
