//! The Markdown form of a digest.

use crate::bindings::exports::flowhost::report::api::{Keyword, Pieces, Quote, Tally};

/// The whole document. A section without content is left out.
pub(crate) fn render(pieces: &Pieces) -> String {
    let mut blocks = vec![format!("# {}", escape(&pieces.title)), counts(pieces)];
    if !pieces.lead.is_empty() {
        blocks.push(paragraphs(&pieces.lead));
    }
    section(&mut blocks, "Keywords", !pieces.keywords.is_empty(), || keywords(&pieces.keywords));
    section(&mut blocks, "Sentences", !pieces.sentences.is_empty(), || quotes(&pieces.sentences));
    // A short draft is its own lead and is not repeated.
    section(&mut blocks, "Digest", !pieces.draft.is_empty() && pieces.draft != pieces.lead, || paragraphs(&pieces.draft));
    section(&mut blocks, "Scores", !pieces.draft.is_empty(), || scores(pieces));
    section(&mut blocks, "Skipped", !pieces.skipped.is_empty(), || skipped(&pieces.skipped));
    blocks.join("\n\n") + "\n"
}

fn section(blocks: &mut Vec<String>, title: &str, wanted: bool, content: impl FnOnce() -> String) {
    if wanted {
        blocks.push(format!("## {title}"));
        blocks.push(content());
    }
}

fn counts(pieces: &Pieces) -> String {
    let skipped: u64 = pieces.skipped.iter().map(|tally| u64::from(tally.files)).sum();
    format!("{} files read, {} words; {} skipped.", pieces.files_read, pieces.words, skipped)
}

fn keywords(keywords: &[Keyword]) -> String {
    let row = |keyword: &Keyword| format!("| {} | {:.3} | {} |", escape(&keyword.term), keyword.score, keyword.documents);
    let rows: Vec<String> = keywords.iter().map(row).collect();
    format!("| term | score | documents |\n| --- | ---: | ---: |\n{}", rows.join("\n"))
}

fn quotes(quotes: &[Quote]) -> String {
    let item = |quote: &Quote| format!("> {}\n>\n> — {}", escape(&quote.text), escape(&quote.source));
    quotes.iter().map(item).collect::<Vec<_>>().join("\n\n")
}

fn scores(pieces: &Pieces) -> String {
    format!(
        "- coverage of the keywords: {:.2}\n- Flesch reading ease: {:.1}\n- score: {:.2} after {} revisions",
        pieces.coverage, pieces.readability, pieces.score, pieces.revisions
    )
}

fn skipped(tallies: &[Tally]) -> String {
    tallies.iter().map(|tally| format!("- {}: {}", escape(&tally.reason), tally.files)).collect::<Vec<_>>().join("\n")
}

/// Text whose paragraphs are divided by empty lines.
fn paragraphs(text: &str) -> String {
    text.split("\n\n").map(escape).collect::<Vec<_>>().join("\n\n")
}

/// Text in one line that shows as it is: a backslash before whatever Markdown or HTML would read as markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, piece) in text.split_whitespace().enumerate() {
        if index > 0 {
            escaped.push(' ');
        }
        let number = index == 0 && piece.ends_with(['.', ')']) && piece.starts_with(|c: char| c.is_ascii_digit());
        for (place, c) in piece.char_indices() {
            let line_start = index == 0 && place == 0 && matches!(c, '-' | '+' | '=');
            let list_end = number && place + 1 == piece.len();
            if line_start || list_end || matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '&' | '~' | '$')
            {
                escaped.push('\\');
            }
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escape, render};
    use crate::bindings::exports::flowhost::report::api::{Keyword, Pieces, Quote, Tally};

    fn empty() -> Pieces {
        Pieces {
            title: "Digest".into(),
            files_read: 0,
            words: 0,
            skipped: vec![],
            lead: String::new(),
            draft: String::new(),
            keywords: vec![],
            sentences: vec![],
            coverage: 0.0,
            readability: 0.0,
            score: 0.0,
            revisions: 0,
        }
    }

    #[test]
    fn nothing_has_a_title_and_counts() {
        assert_eq!(render(&empty()), "# Digest\n\n0 files read, 0 words; 0 skipped.\n");
    }

    #[test]
    fn a_whole_digest() {
        let pieces = Pieces {
            files_read: 2,
            words: 9,
            skipped: vec![Tally { reason: "not UTF-8".into(), files: 1 }],
            lead: "Bees hum.".into(),
            draft: "Bees hum.\n\nWax melts.".into(),
            keywords: vec![Keyword { term: "bees".into(), score: 1.5, documents: 2 }],
            sentences: vec![Quote { text: "Bees hum.".into(), source: "a_b.txt".into(), position: 0, score: 1.0 }],
            coverage: 1.0,
            readability: 99.44,
            score: 0.998,
            revisions: 2,
            ..empty()
        };
        assert_eq!(
            render(&pieces),
            "# Digest\n\n2 files read, 9 words; 1 skipped.\n\nBees hum.\n\n\
             ## Keywords\n\n| term | score | documents |\n| --- | ---: | ---: |\n| bees | 1.500 | 2 |\n\n\
             ## Sentences\n\n> Bees hum.\n>\n> — a\\_b.txt\n\n\
             ## Digest\n\nBees hum.\n\nWax melts.\n\n\
             ## Scores\n\n- coverage of the keywords: 1.00\n- Flesch reading ease: 99.4\n- score: 1.00 after 2 revisions\n\n\
             ## Skipped\n\n- not UTF-8: 1\n"
        );
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<b> *x* [a](b) a|b &amp;"), "\\<b\\> \\*x\\* \\[a\\](b) a\\|b \\&amp;");
        assert_eq!(escape("1. one\n2. two"), "1\\. one 2. two");
        assert_eq!(escape("- it - is"), "\\- it - is");
    }
}
