//! Which blobs are needed, by looking for digests in texts.
//!
//! Whatever looks like a digest keeps the blob of that digest: in events `sha256:` and 64 hexadecimal digits, in other
//! tables and in the documents of programs 64 hexadecimal digits. So a new kind of event or table needs no change here, and
//! a mistake can only keep too much.

use std::collections::BTreeSet;

use catalog::Digest;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

/// A longer document is not searched.
const MOST_SEARCHED: i64 = 64 << 20;

/// Digits of a digest.
const DIGITS: usize = 64;

/// How a document with a version begins: programs do.
const VERSIONED: &[u8] = b"{\"v\":";

/// Digests.
pub(crate) type Marks = BTreeSet<Digest>;

/// Adds what the text of an event names.
pub(crate) fn of_event(text: &str, marks: &mut Marks) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("sha256:") {
        if let Some(digest) = after.get(..DIGITS).and_then(parse) {
            marks.insert(digest);
        }
        rest = after;
    }
}

/// Adds whatever looks like a digest.
pub(crate) fn of_text(text: &[u8], marks: &mut Marks) {
    for word in text.split(|byte| !byte.is_ascii_hexdigit()) {
        if word.len() == DIGITS
            && let Some(digest) = std::str::from_utf8(word).ok().and_then(parse)
        {
            marks.insert(digest);
        }
    }
}

/// Adds what the documents that are named name themselves, and so on.
pub(crate) fn close(connection: &Connection, marks: &mut Marks) -> rusqlite::Result<()> {
    let mut open: Vec<Digest> = marks.iter().copied().collect();
    let mut find = connection.prepare_cached("SELECT data FROM blobs WHERE digest = ?1 AND size <= ?2")?;
    let mut begin = connection.prepare_cached("SELECT substr(data, 1, 5) FROM blobs WHERE digest = ?1")?;
    while let Some(digest) = open.pop() {
        let name = digest.to_string();
        let begins: Option<Vec<u8>> = begin.query_row([&name], |row| row.get(0)).optional()?;
        if begins.as_deref() != Some(VERSIONED) {
            continue;
        }
        let mut named = Marks::new();
        find.query_row((&name, MOST_SEARCHED), |row| {
            of_text(row.get_ref(0)?.as_bytes().unwrap_or_default(), &mut named);
            Ok(())
        })
        .optional()?;
        open.extend(named.into_iter().filter(|digest| marks.insert(*digest)));
    }
    Ok(())
}

/// Adds what all rows of a table name.
pub(crate) fn of_table(connection: &Connection, table: &str, marks: &mut Marks) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            if let ValueRef::Text(text) | ValueRef::Blob(text) = row.get_ref(column)? {
                of_text(text, marks);
            }
        }
    }
    Ok(())
}

fn parse(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok()?;
    Some(Digest(digest))
}

#[cfg(test)]
mod tests {
    use super::{Marks, of_event, of_text};

    #[test]
    fn digests_are_found_and_nothing_else() {
        let digest = "ab".repeat(32);
        let event = format!(r#"{{"v":1,"a":{{"blob":"sha256:{digest}"}},"b":"sha256:é","c":"sha256:12","d":"sha256:{digest}"}}"#);
        let mut marks = Marks::new();
        of_event(&event, &mut marks);
        assert_eq!(marks.len(), 1);
        let mut marks = Marks::new();
        of_event(&format!("\"{digest}\""), &mut marks);
        assert!(marks.is_empty(), "an event names its blobs in full");
        of_text(format!(r#"{{"digest":"{digest}","other":"{digest}0","short":"abab"}}"#).as_bytes(), &mut marks);
        assert_eq!(marks.len(), 1);
    }
}
