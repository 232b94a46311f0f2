//! Components out of an OCI registry.

use e2e::{Printed, Site, component, finish};

use crate::parts::{made, told};
use crate::registry::{Answer, CONFIG, LAYER, Registry, digest, manifest};

const NAMED: &str = "Basic bWU6cHc="; // me:pw

/// A site whose flow uses an image, with a cache of its own.
struct Pulling {
    site: Site,
    registry: Registry,
}

impl Pulling {
    fn new(version: &str) -> Self {
        let (site, registry) = (Site::new(), Registry::start());
        let pulling = Self { site, registry };
        pulling.flow(version);
        pulling
    }

    /// The flow with `oci://…/team/text` and this tag or digest.
    fn flow(&self, version: &str) {
        let host = self.registry.host();
        self.site.flow(
            "main.flow",
            &format!(
                "use \"oci://{host}/team/text{version}\" as text\n\nflow main(a: string) -> u32 {{\n    text.words(a)\n}}\n"
            ),
        );
    }

    fn host(&self, args: &[&str]) -> Printed {
        let mut command = self.site.command(args);
        command.env("FLOWHOST_CACHE", self.site.path().join("cache")).env("DOCKER_CONFIG", self.site.path());
        command.env("REGISTRY_PASSWORD", "pw");
        finish(command.spawn().unwrap())
    }

    fn refused(&self, what: &str, help: &str) {
        let text = told(&self.host(&["check", "main.flow", "--json"]).expect(4));
        assert!(text.contains(what), "no `{what}` in\n{text}");
        assert!(text.contains(help), "no `{help}` in\n{text}");
    }
}

#[test]
fn an_image_is_pulled_run_and_pinned() {
    let pulling = Pulling::new(":1.0");
    let bytes = std::fs::read(component("text")).unwrap();
    let pushed = pulling.registry.push("team/text", "1.0", &bytes);
    let host = pulling.registry.host();
    pulling.site.flow(
        "main.flow",
        &format!("use \"oci://{host}/team/text:1.0\" as text\n\nflow main(a: string) -> u64 {{\n    len(text.words(a, 9))\n}}\n"),
    );
    let printed = pulling.host(&["run", "main.flow", "--input", "a=one two", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], 2);
    assert!(printed.err.contains(&format!("fetching oci://{host}/team/text:1.0")), "{}", printed.err);
    // A tag that is not pinned is asked for again; its bytes are here already.
    pulling.registry.asked();
    pulling.host(&["check", "main.flow"]).expect(0);
    let paths = |asked: Vec<(String, Option<String>)>| asked.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(pulling.registry.asked()), ["/v2/team/text/manifests/1.0"]);
    // One that is pinned is not asked for at all.
    pulling.host(&["lock"]).expect(0);
    let lock = std::fs::read_to_string(pulling.site.path().join("flow.lock")).unwrap();
    assert!(lock.contains(&digest(&bytes).replace("sha256:", "sha256 = \"")), "{lock}");
    assert!(lock.contains(&pushed.replace("sha256:", "manifest = \"")), "{lock}");
    pulling.registry.asked();
    let printed = pulling.host(&["check", "main.flow"]).expect(0);
    assert!(pulling.registry.asked().is_empty() && !printed.err.contains("fetching"), "{}", printed.err);
    // A tag that moves moves nothing that is pinned, also when the cache is lost.
    pulling.registry.push("team/text", "1.0", &made("acme:text", "other"));
    std::fs::remove_dir_all(pulling.site.path().join("cache")).unwrap();
    pulling.host(&["check", "main.flow"]).expect(0);
    assert_eq!(
        paths(pulling.registry.asked()),
        [format!("/v2/team/text/manifests/{pushed}"), format!("/v2/team/text/blobs/{}", digest(&bytes))]
    );
    // The moved one has other functions, so that the flow does not compile with it, and nothing is written.
    pulling.host(&["lock", "--update=text"]).expect(3);
    assert_eq!(std::fs::read_to_string(pulling.site.path().join("flow.lock")).unwrap(), lock);
}

#[test]
fn a_moved_tag_is_pinned_when_that_is_asked_for() {
    let pulling = Pulling::new(":1.0");
    pulling.registry.push("team/text", "1.0", &made("acme:text", "one"));
    pulling.host(&["lock"]).expect(0);
    let moved = made("acme:text", "two");
    pulling.registry.push("team/text", "1.0", &moved);
    pulling.host(&["lock", "--check"]).expect(0);
    let name = format!("--update=oci://{}/team/text", pulling.registry.host());
    let document = pulling.host(&["lock", &name, "--json"]).expect(0).json();
    let sha = digest(&moved).replace("sha256:", "");
    assert_eq!(document[0]["changes"][0]["after"]["sha256"], sha);
}

#[test]
fn an_image_can_be_named_by_digest() {
    let pulling = Pulling::new(":1.0");
    let pushed = pulling.registry.push("team/text", "1.0", &made("acme:text", "one"));
    pulling.flow(&format!("@{pushed}"));
    pulling.host(&["check", "main.flow"]).expect(0);
    pulling.flow(&format!(":1.0@{pushed}"));
    pulling.host(&["check", "main.flow"]).expect(0);
    // A registry that gives something else under that digest.
    let other = manifest(CONFIG, LAYER, &digest(b"x"), 1);
    pulling.registry.put(&format!("/v2/team/text/manifests/{pushed}"), Answer::ok(other));
    pulling.refused("the registry gave a manifest with sha256:", &pushed);
}

#[test]
fn who_asks_is_said_as_the_registry_wants_it() {
    let pulling = Pulling::new(":1.0");
    let registry = &pulling.registry;
    let bytes = made("acme:text", "one");
    let (blob, manifest) =
        (format!("/v2/team/text/blobs/{}", digest(&bytes)), manifest(CONFIG, LAYER, &digest(&bytes), bytes.len()));
    let guard = |authorization: &str, challenge: &str| {
        registry.put("/v2/team/text/manifests/1.0", Answer::ok(manifest.clone()).for_those_with(authorization, challenge));
        registry.put(&blob, Answer::ok(bytes.clone()).for_those_with(authorization, challenge));
    };
    let configure = |text: &str| pulling.site.write("flowhost.toml", text.replace("HOST", &registry.host()));
    const ENTRY: &str = "[catalog.registry.\"HOST\"]\nusername = \"me\"\npassword_env = \"REGISTRY_PASSWORD\"\n";

    // A name and a password with each request.
    guard(NAMED, "Basic realm=\"team\"");
    pulling.refused("does not let it be pulled: authentication required", "docker login");
    configure(ENTRY);
    pulling.host(&["check", "main.flow"]).expect(0);
    configure(&ENTRY.replace("REGISTRY_PASSWORD", "NOT_SET"));
    pulling.refused("the environment has no `NOT_SET`", "[catalog.registry.");
    configure(&ENTRY.replace("\"me\"", "\"you\""));
    pulling.refused("does not let it be pulled", "`you` may not pull it");
    configure("");
    pulling.site.write("config.json", format!("{{\"auths\": {{\"{}\": {{\"auth\": \"bWU6cHc=\"}}}}}}", registry.host()));
    pulling.host(&["check", "main.flow"]).expect(0);
    pulling.site.write("config.json", "{\"credsStore\": \"desktop\"}");
    pulling.refused("does not let it be pulled", "keeps the password for");

    // A token, which everybody gets, or who has a password.
    let challenge =
        format!("Bearer realm=\"http://{}/token\",service=\"the registry\",scope=\"repository:team/text:pull\"", registry.host());
    guard("Bearer t1", &challenge);
    let token = "/token?service=the%20registry&scope=repository:team/text:pull";
    registry.put(token, Answer::ok(r#"{"token": "t1"}"#));
    std::fs::remove_dir_all(pulling.site.path().join("cache")).unwrap();
    registry.asked();
    pulling.host(&["check", "main.flow"]).expect(0);
    let asked = registry.asked();
    let asked: Vec<(&str, Option<&str>)> = asked.iter().map(|(path, who)| (path.as_str(), who.as_deref())).collect();
    let path = "/v2/team/text/manifests/1.0";
    assert_eq!(asked, [(path, None), (token, None), (path, Some("Bearer t1")), (&blob, Some("Bearer t1"))]);
    registry.put(token, Answer::ok(r#"{"access_token": "t1"}"#).for_those_with(NAMED, "Basic"));
    pulling.refused("does not let it be pulled", "");
    configure(ENTRY);
    pulling.host(&["check", "main.flow"]).expect(0);
    registry.put(token, Answer::ok("{}"));
    pulling.refused("gave no token", "");
    guard("Bearer t1", "Negotiate");
    pulling.refused("wants to know who asks in a way that is not known", "");
}

#[test]
fn redirects_are_followed_without_the_password() {
    let pulling = Pulling::new(":1.0");
    let elsewhere = Registry::start();
    let bytes = made("acme:text", "one");
    pulling.registry.push("team/text", "1.0", &bytes);
    let blob = format!("/v2/team/text/blobs/{}", digest(&bytes));
    let to = |place: &str| Answer::status("307 Temporary Redirect", "").with("Location", place);
    pulling.registry.put("/v2/team/text/manifests/1.0", {
        Answer::ok(manifest(CONFIG, LAYER, &digest(&bytes), bytes.len())).for_those_with(NAMED, "Basic")
    });
    pulling.site.write("flowhost.toml", {
        format!("[catalog.registry.\"{}\"]\nusername = \"me\"\npassword_env = \"REGISTRY_PASSWORD\"\n", pulling.registry.host())
    });
    pulling.registry.put(&blob, to(&format!("http://{}/store?x=1", elsewhere.host())));
    elsewhere.put("/store?x=1", Answer::ok(bytes));
    pulling.host(&["check", "main.flow"]).expect(0);
    assert_eq!(elsewhere.asked(), [("/store?x=1".to_owned(), None)]);
    assert_eq!(pulling.registry.asked().last(), Some(&(blob.clone(), Some(NAMED.to_owned()))));
    std::fs::remove_dir_all(pulling.site.path().join("cache")).unwrap();
    pulling.registry.put(&blob, to(&blob));
    pulling.refused("redirected more than 5 times", "");
    pulling.registry.put(&blob, to("http://example.com/x"));
    pulling.refused("sends to an address that has no TLS", "");
}

#[test]
fn what_a_registry_should_not_answer_is_refused() {
    let pulling = Pulling::new(":1.0");
    let registry = &pulling.registry;
    let bytes = made("acme:text", "one");
    let path = "/v2/team/text/manifests/1.0";
    pulling.refused("has no such image: manifest unknown", "look at the repository and the tag");
    registry.put(path, Answer::status("503 Service Unavailable", "busy"));
    pulling.refused("answered with status 503", "");
    registry.put(path, Answer::ok("<html>"));
    pulling.refused("the registry gave no manifest", "");
    registry.put(path, Answer::ok(manifest("application/vnd.oci.image.config.v1+json", LAYER, &digest(&bytes), 1)));
    pulling.refused("the image is no component", "wkg oci push");
    registry.put(path, Answer::garbage(b"SSH-2.0-x\r\n"));
    pulling.refused("gave no proper answer", "is it the address of a registry?");
    registry.put(path, Answer::garbage(b""));
    pulling.refused("gave no proper answer", "");
    registry.put(path, Answer::ok(vec![b' '; (4 << 20) + 1]));
    pulling.refused("gave more than the 4194304 bytes", "");

    // The manifest is right, its layer is not.
    registry.push("team/text", "1.0", &bytes);
    let blob = format!("/v2/team/text/blobs/{}", digest(&bytes));
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    registry.put(&blob, Answer::ok(changed));
    pulling.refused("the registry gave bytes with sha256:", &digest(&bytes));
    registry.put(&blob, Answer::ok([bytes.as_slice(), b"x"].concat()));
    pulling.refused("bytes that were to come", "");
    let module = b"\0asm\x01\0\0\0";
    registry.push("team/text", "1.0", module);
    pulling.refused("it is a core WebAssembly module", "");
    // Nothing of all that is kept.
    registry.push("team/text", "1.0", &bytes);
    pulling.host(&["check", "main.flow"]).expect(0);
}

/// On a busy machine it may be silent earlier than it is meant to be, which is as good.
#[test]
fn a_registry_that_falls_silent_is_not_waited_for() {
    let pulling = Pulling::new(":1.0");
    let registry = &pulling.registry;
    pulling.site.write("flowhost.toml", "[catalog]\ntimeout = \"300ms\"\n");
    let (bytes, path) = (made("acme:text", "one"), "/v2/team/text/manifests/1.0");
    registry.put(path, Answer::garbage(b"HTTP/1.1 200 OK\r\n").that_hangs());
    pulling.refused("within 300ms", "[catalog] timeout");
    registry.put(path, Answer::ok("{").that_hangs());
    pulling.refused("within 300ms", "[catalog] timeout");
    registry.push("team/text", "1.0", &bytes);
    registry.put(&format!("/v2/team/text/blobs/{}", digest(&bytes)), Answer::ok(&bytes[..9]).that_hangs());
    pulling.refused("within 300ms", "[catalog] timeout");
}

#[test]
fn without_a_network_what_is_pinned_and_here_is_used() {
    let pulling = Pulling::new(":1.0");
    pulling.registry.push("team/text", "1.0", &made("acme:text", "one"));
    pulling.host(&["lock"]).expect(0);
    let host = pulling.registry.host();
    let lock = std::fs::read_to_string(pulling.site.path().join("flow.lock")).unwrap();
    // A port that nobody listens on.
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    pulling.site.write("flow.lock", lock.replace(&host, &gone));
    let flow = std::fs::read_to_string(pulling.site.path().join("main.flow")).unwrap();
    pulling.site.write("main.flow", flow.replace(&host, &gone));
    pulling.host(&["check", "main.flow"]).expect(0);
    // A cached file that was damaged is as good as none.
    for entry in std::fs::read_dir(pulling.site.path().join("cache/pulled")).unwrap() {
        std::fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    pulling.refused("cannot be reached", "only what is pinned in `flow.lock` and was pulled before");
}
