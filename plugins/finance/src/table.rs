//! Tables as text: comma-separated values as RFC 4180 has them, and CRC-32 to tell whether a text was changed.

use std::fmt;

/// Why a text is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Reads rows of fields: RFC 4180 section 2, lines may also end with a bare line feed. All rows have as many fields as the first.
///
/// # Errors
/// With the line: a quote that is not closed or stands in a bare field, text after a closing quote, a row of another length.
pub fn read(text: &str) -> Result<Vec<Vec<String>>, TableError> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut rows: Vec<Vec<String>> = Vec::new();
    while !reader.rest.is_empty() {
        let line = reader.line;
        let row = reader.row()?;
        if rows.first().is_some_and(|first| first.len() != row.len()) {
            return Err(TableError { line, what: "it has another number of fields than the first line" });
        }
        rows.push(row);
    }
    Ok(rows)
}

struct Reader<'t> {
    rest: &'t str,
    line: u32,
}

impl Reader<'_> {
    fn row(&mut self) -> Result<Vec<String>, TableError> {
        let mut row = Vec::new();
        loop {
            row.push(if self.take("\"") { self.quoted()? } else { self.bare()? });
            if self.take(",") {
                continue;
            }
            if self.rest.is_empty() || self.take("\r\n") || self.take("\n") {
                self.line += 1;
                return Ok(row);
            }
            return Err(self.wrong("there is text after a closing quote"));
        }
    }

    fn bare(&mut self) -> Result<String, TableError> {
        let end = self.rest.find([',', '\n', '"']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        if rest.starts_with('"') {
            return Err(self.wrong("a quote stands inside a field that is not quoted"));
        }
        let ending = rest.starts_with('\n');
        let field = if ending { field.strip_suffix('\r').unwrap_or(field) } else { field };
        self.rest = rest;
        Ok(field.to_owned())
    }

    fn quoted(&mut self) -> Result<String, TableError> {
        let mut field = String::new();
        let opened = self.line;
        loop {
            let Some((part, rest)) = self.rest.split_once('"') else {
                return Err(TableError { line: opened, what: "a quote is not closed" });
            };
            field.push_str(part);
            self.line += u32::try_from(part.matches('\n').count()).unwrap_or(u32::MAX);
            self.rest = rest;
            if !self.take("\"") {
                return Ok(field);
            }
            field.push('"');
        }
    }

    fn take(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    const fn wrong(&self, what: &'static str) -> TableError {
        TableError { line: self.line, what }
    }
}

/// The text that [`read`] reads: fields are quoted where they must be, lines end with CRLF.
#[must_use]
pub fn write(rows: &[Vec<String>]) -> String {
    let quoted = |field: &String| {
        // A row of one empty field would be an empty line.
        let plain = !field.contains([',', '"', '\n', '\r']) && !field.is_empty();
        if plain { field.clone() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
    };
    let lines = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n");
    lines.collect()
}

/// CRC-32 of ISO/IEC/IEEE 8802-3, as in RFC 1952, section 8: the reflected polynomial `edb88320`, bit by bit.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::{checksum, read, write};

    #[test]
    fn what_is_written_is_read() {
        let rows: Vec<Vec<String>> =
            vec![vec!["a".into(), String::new()], vec!["x, \"y\"\r\nz".into(), " b ".into()], vec!["é".into(), "=1".into()]];
        assert_eq!(read(&write(&rows)).unwrap(), rows);
        assert_eq!(read("").unwrap(), Vec::<Vec<String>>::new());
        assert_eq!(read(&write(&[vec![String::new()]])).unwrap(), [[""]]);
    }

    #[test]
    fn a_changed_byte_changes_the_checksum() {
        let text = write(&[vec!["opening".into(), "100".into()]]);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert_ne!(checksum(&bytes), checksum(text.as_bytes()));
        }
    }
}
