//! Test plugin `witness`: leaves a trace of each execution.

mod bindings;
mod telling;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use bindings::exports::flowhost::witness::api::{Failure, Guest};
use bindings::flowhost::plugin::attempt::current;
use bindings::flowhost::plugin::failure::FailureKind;

struct Plugin;

impl Guest for Plugin {
    fn mark(folder: String, value: String) -> Result<String, Failure> {
        append(&folder, &current().idempotency_key, &value)?;
        Ok(value)
    }

    fn mark_slowly(folder: String, value: String, ms: u64) -> Result<String, Failure> {
        std::thread::sleep(Duration::from_millis(ms / 2));
        append(&folder, &current().idempotency_key, &value)?;
        std::thread::sleep(Duration::from_millis(ms - ms / 2));
        Ok(value)
    }

    fn tell(address: String, value: String, ms: u64) -> Result<String, Failure> {
        let attempt = current();
        let text = format!("{}\n{}\n{value}", attempt.number, attempt.idempotency_key);
        let say = |what: &str| {
            telling::post(&address, what, &text).map_err(|why| failure(FailureKind::Network, format!("{what}: {why}")))
        };
        say("begin")?;
        std::thread::sleep(Duration::from_millis(ms / 2));
        say("done")?;
        std::thread::sleep(Duration::from_millis(ms - ms / 2));
        Ok(value)
    }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, details: None, retry_after: None }
}

/// One write of the whole line to a file opened for appending: lines of attempts that run at once do not mix.
fn append(folder: &str, key: &str, value: &str) -> Result<(), Failure> {
    let path = Path::new(folder).join("witness.txt");
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{key} = {value}\n").as_bytes()));
    written.map_err(|error| failure(FailureKind::Permission, format!("`{}` cannot be written: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn keys_are_appended_as_lines() {
        let folder = std::env::temp_dir().join(format!("flowhost-witness-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let name = folder.to_str().unwrap();
        append(name, "run/a", "1").unwrap();
        append(name, "run/b", "2").unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("witness.txt")).unwrap(), "run/a = 1\nrun/b = 2\n");
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(append(name, "run/c", "3").unwrap_err().message.contains("cannot be written"));
    }
}
