//! What the formats for other tools look like.

use lang::render::{Format, critical_path, leaves, render, roots};

use crate::cases::compiled;

const FLOW: &str = r#"
use "tools.wasm" as tools

flow main(n: s64, paths: list<string>) -> s64 {
    let a = tools.double(n)
    let texts = map path in paths { tools.read(tools.join(path, "\"<&>")) }
    let b = tools.add(a, n)
    if tools.flag(b) { tools.number() } else { b }
}
"#;

#[test]
fn json_has_every_node_with_its_edges() {
    let plan = compiled(FLOW).plan.unwrap();
    let json: serde_json::Value = serde_json::from_str(&render(&plan, Format::Json)).unwrap();
    let nodes = json["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), plan.nodes.len());
    let ids: Vec<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    for node in nodes {
        for later in node["successors"].as_array().unwrap() {
            assert!(ids.contains(&later.as_str().unwrap()));
        }
    }
    let read = nodes.iter().find(|node| node["name"] == "tools.read").unwrap();
    assert_eq!(read["path"], "main/texts[]/tools.read");
    assert_eq!(read["type"], "string");
    assert_eq!(json["digest"], plan.digest().to_string());
    assert_eq!(json["regions"].as_array().unwrap().len(), plan.regions.len());
}

#[test]
fn mermaid_and_dot_name_every_node_and_close_what_they_open() {
    let plan = compiled(FLOW).plan.unwrap();
    let mermaid = render(&plan, Format::Mermaid);
    assert!(mermaid.starts_with("flowchart TD\n"));
    let count = |text: &str, word: &str| text.lines().filter(|line| line.trim().starts_with(word)).count();
    assert_eq!(count(&mermaid, "subgraph "), plan.regions.len());
    assert_eq!(count(&mermaid, "subgraph "), mermaid.lines().filter(|line| line.trim() == "end").count());
    let dot = render(&plan, Format::Dot);
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    for node in plan.nodes.keys() {
        assert!(mermaid.contains(&node.to_string()));
        assert!(dot.contains(&format!("{node} [label=")));
    }
}

#[test]
fn the_longest_way_goes_through_branches() {
    let plan = compiled(FLOW).plan.unwrap();
    let names = |nodes: Vec<lang::plan::NodeId>| nodes.into_iter().map(|id| plan.nodes[id].name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(critical_path(&plan)), ["a", "b", "tools.flag", "if", "tools.number"]);
    assert_eq!(names(roots(&plan)), ["a", "texts"]);
    assert_eq!(names(leaves(&plan)), ["texts", "if"]);
}
