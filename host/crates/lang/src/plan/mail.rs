//! What a component may do with mail, and patterns of topics.

use std::fmt;

use crate::quote::quoted;

/// What a component may do with mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailUse {
    /// Send messages on topics that fit a pattern.
    Send,
    /// Ask whoever has a role.
    Ask,
    /// Take messages on a topic that came for the run.
    Receive,
}

impl MailUse {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Send, Self::Ask, Self::Receive];

    /// The word in an `allow`, in flows and of operators.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Send => "mail_send",
            Self::Ask => "mail_ask",
            Self::Receive => "mail_receive",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.word() == word)
    }

    /// A grant of it, as it is written in an `allow` of a flow: roles are names, topics are texts.
    #[must_use]
    pub fn written(self, subject: &str) -> String {
        match self {
            Self::Ask => format!("{self} {subject}"),
            Self::Send | Self::Receive => format!("{self} {}", quoted(subject)),
        }
    }
}

impl fmt::Display for MailUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Whether every topic that fits `inner` fits `outer`: `*` stands for one token, `>` at the end for one or more. A topic, or the
/// name of a step, is the pattern that it alone fits.
#[must_use]
pub fn topics_within(outer: &str, inner: &str) -> bool {
    let (mut wanted, mut found) = (outer.split('.'), inner.split('.'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) => return true,
            // INVARIANT: what stands for several tokens is only within what does too, which is above.
            (Some(_), Some(">")) => return false,
            (Some(token), Some(other)) if token == "*" || token == other => {}
            _ => return false,
        }
    }
}

/// Whether a text is a pattern of topics: tokens with dots between, `*` for one of them, `>` at the end for one or more.
#[must_use]
pub fn is_topic_pattern(text: &str) -> bool {
    let tokens: Vec<&str> = text.split('.').collect();
    let last = tokens.len().saturating_sub(1);
    tokens.iter().enumerate().all(|(place, token)| {
        !token.is_empty()
            && (*token == "*"
                || (*token == ">" && place == last)
                || !token.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>')))
    })
}

#[cfg(test)]
mod tests {
    use super::{MailUse, is_topic_pattern, topics_within};

    #[test]
    fn grants_are_written_as_in_flows() {
        assert_eq!(MailUse::Ask.written("reviewer"), "mail_ask reviewer");
        assert_eq!(MailUse::Send.written("orders.*"), r#"mail_send "orders.*""#);
        assert_eq!(MailUse::Receive.written(r#"a"\b"#), r#"mail_receive "a\"\\b""#);
    }

    #[test]
    fn topics_fit_token_by_token() {
        for (pattern, topic, fits) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("*.b", "a.b", true),
            // Patterns within patterns.
            ("a.>", "a.*", true),
            ("a.*", "a.>", false),
            ("*", "*", true),
            ("a", "*", false),
            (">", ">", true),
            ("a.>", ">", false),
        ] {
            assert_eq!(topics_within(pattern, topic), fits, "{pattern} {topic}");
        }
    }

    #[test]
    fn patterns_have_whole_tokens() {
        for (text, is) in [("a.b", true), (">", true), ("a.>", true), ("*.b", true), ("a.>.b", false), ("a*", false), ("", false)]
        {
            assert_eq!(is_topic_pattern(text), is, "{text}");
        }
    }
}
