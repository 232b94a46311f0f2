//! The part of a source that a report shows. A line of megabytes is cut to what stands around the label.

use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A longer line is cut.
const LONGEST_LINE: usize = 500;
/// So much of it stays on each side of the label's first byte.
const AROUND: usize = 120;

/// A named source text.
#[derive(Debug)]
pub(super) struct Excerpt {
    path: String,
    text: Arc<str>,
}

impl Excerpt {
    pub(super) fn new(path: &str, text: Arc<str>) -> Self {
        Self { path: path.to_owned(), text }
    }

    /// What of the label can be shown: in a line that is cut, not beyond the cut.
    pub(super) fn shown(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        if self.is_long_at(range.start) { range.start..range.end.min(self.cut(range.start).1) } else { range }
    }

    fn line(&self, at: usize) -> (usize, usize) {
        let bytes = self.text.as_bytes();
        let at = at.min(bytes.len());
        let start = bytes.iter().take(at).rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let end = bytes.iter().skip(at).position(|byte| *byte == b'\n').map_or(bytes.len(), |newline| at + newline);
        (start, end)
    }

    fn is_long_at(&self, at: usize) -> bool {
        let (start, end) = self.line(at);
        end - start > LONGEST_LINE
    }

    /// The piece of the line at an offset that is shown.
    fn cut(&self, at: usize) -> (usize, usize) {
        let (start, end) = self.line(at);
        let from = self.text.floor_char_boundary(at.saturating_sub(AROUND)).max(start);
        let to = self.text.ceil_char_boundary(at.saturating_add(AROUND)).min(end);
        (from, to)
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        if !self.is_long_at(span.offset()) {
            let contents = self.text.read_span(span, before, after)?;
            // Counted here: miette counts from the beginning of the text, and so shows all lines between two labels.
            let lines = contents.data().iter().filter(|byte| **byte == b'\n').count() + 1;
            return Ok(Box::new(MietteSpanContents::new_named(
                self.path.clone(),
                contents.data(),
                *contents.span(),
                contents.line(),
                contents.column(),
                lines,
            )));
        }
        let (from, to) = self.cut(span.offset());
        // As for a short line: the label's own column when no context is asked for.
        let counted = if before == 0 { span.offset() } else { from };
        let here = self.text.read_span(&(counted, 0).into(), 0, 0)?;
        let data = self.text.as_bytes().get(from..to).ok_or(MietteError::OutOfBounds)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.clone(),
            data,
            (from, to - from).into(),
            here.line(),
            here.column(),
            1,
        )))
    }
}
