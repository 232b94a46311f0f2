//! Topics as subjects, and back.
//!
//! The parts of a topic between its dots become parts of the subject: letters, digits, `-` and `_` stay, every other byte is
//! written `=XX` in hexadecimal digits, and a part without any text is `=`. So each topic has one subject, and each subject at most
//! one topic; wildcards of NATS fit whole parts, as those of flows do.

use engine::core::mail::check_topic;

use super::assets::token;

/// The parts of a subject that stand for a topic.
pub(super) fn to_subject(topic: &str) -> String {
    let part = |part: &str| if part.is_empty() { "=".to_owned() } else { token(part) };
    topic.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// The topic that these parts of a subject stand for.
///
/// # Errors
/// They stand for none.
pub(super) fn from_subject(parts: &str) -> Result<String, String> {
    let topic = parts.split('.').map(read).collect::<Option<Vec<_>>>().map(|parts| parts.join("."));
    let topic = topic.ok_or("its subject is not written as a topic is: letters, digits, `-` and `_`, other bytes as `=XX`")?;
    check_topic(&topic)?;
    if to_subject(&topic) == parts { Ok(topic) } else { Err("its subject is another way to write a topic".to_owned()) }
}

fn read(part: &str) -> Option<String> {
    if part == "=" {
        return Some(String::new());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(part.len()), part.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'=' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                bytes.extend(byte);
                rest = after;
            }
            plain if plain.is_ascii_alphanumeric() || matches!(plain, b'-' | b'_') => bytes.push(*plain),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{from_subject, to_subject};

    #[test]
    fn a_topic_has_one_subject() {
        for (topic, subject) in [
            ("orders.new", "orders.new"),
            ("a/b", "a=2Fb"),
            ("ä.=", "=C3=A4.=3D"),
            ("a..b", "a.=.b"),
            (".", "=.="),
            ("$SYS", "=24SYS"),
        ] {
            assert_eq!(to_subject(topic), subject);
            assert_eq!(from_subject(subject).as_deref(), Ok(topic));
        }
    }

    #[test]
    fn what_is_no_topic_is_refused() {
        for subject in ["", "a.", "ä", "a=2fb", "a=61", "=2", "=XY", "=FF", "a=20b", "=2A", "a=2Eb", "=0A", &"x".repeat(257)] {
            assert!(from_subject(subject).is_err(), "{subject}");
        }
    }
}
