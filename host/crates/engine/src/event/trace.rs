//! The trace that a run belongs to, when whoever started it said so.

use std::sync::Arc;

/// A `traceparent` of W3C Trace Context: version, trace, span and flags, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(Arc<str>);

impl Trace {
    /// What a text says; none when it is no `traceparent`, which is then passed over as the standard wants it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lengths = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
        let whole = lengths.iter().all(|(part, length)| part.len() == *length && digits(part));
        let means = |part: &str| part.bytes().any(|byte| byte != b'0');
        // A later version may have more parts; what is known of them is the same.
        let ends = parts.next().is_none() || version != "00";
        (whole && ends && version != "ff" && means(trace) && means(span))
            .then(|| Self(format!("00-{trace}-{span}-{flags}").into()))
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The trace with a span of its own, in 16 hexadecimal digits.
    #[must_use]
    pub fn with_span(&self, span: &str) -> String {
        let mut parts = self.0.split('-');
        let (trace, flags) = (parts.nth(1).unwrap_or_default(), parts.nth(1).unwrap_or_default());
        format!("00-{trace}-{span}-{flags}")
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn only_a_traceparent_is_one() {
        let good = "00-34e9aedefffddf04c3cf3f9e055ba714-48eb0d9a9133f6d4-00";
        let trace = Trace::parse(good).unwrap();
        assert_eq!(trace.text(), good);
        assert_eq!(trace.with_span("0123456789abcdef"), "00-34e9aedefffddf04c3cf3f9e055ba714-0123456789abcdef-00");
        let later = Trace::parse(&format!("cc{}-more", &good[2..])).unwrap();
        assert_eq!(later, trace);
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &format!("ff{}", &good[2..]),
            &format!("{good}-more"),
            &good.replace("34e9aedefffddf04c3cf3f9e055ba714", &"0".repeat(32)),
            &good.replace("48eb0d9a9133f6d4", &"0".repeat(16)),
            &good.replace("48eb", "48e"),
            &good.replace("34e9", "é9"),
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
    }
}
