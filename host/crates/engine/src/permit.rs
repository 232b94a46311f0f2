//! What an operator permits: the text form of grants, as in `host run --allow "http example.com"`.
//!
//! `http HOST` (a name, `name:port`, `*.domain`, or `*` for any), `env NAME` (or `*`), `clock`, `random`,
//! `mail_send TOPIC` and `mail_receive TOPIC` (or patterns of topics), `mail_ask ROLE` (or `*`),
//! `read FOLDER` and `read_write FOLDER`. `clock` and `random` need no permission, and a folder that the
//! run's input names is consented to by naming it.

use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;
use std::sync::Arc;

use catalog::Name;
use lang::plan::{FolderAccess, MailUse, is_topic_pattern, topics_within};

use crate::ports::GrantedCapability;

/// Something that an operator permits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permit {
    /// `http HOST`: a name covers all its ports, `*.domain` what is below the domain, `*` everything.
    Http(Name),
    /// `env NAME`; `*` covers every name.
    Env(Name),
    /// `clock`
    Clock,
    /// `random`
    Random,
    /// `read FOLDER`, `read_write FOLDER`: the folder and what is below it.
    Folder(FolderAccess, Arc<str>),
    /// `mail_send TOPIC`, `mail_receive TOPIC`, `mail_ask ROLE`: a pattern covers the topics that fit it, `*` every role.
    Mail(MailUse, Name),
}

/// Why a text is not a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermitError {
    /// The first word is none of the capabilities.
    #[error(
        "`{0}` is not a capability; write `http HOST`, `env NAME`, `clock`, `random`, `read FOLDER`, `read_write FOLDER`, `mail_send TOPIC`, `mail_receive TOPIC` or `mail_ask ROLE`"
    )]
    Unknown(String),
    /// The capability needs a subject.
    #[error("`{0}` needs to say what it permits, as in `{1}`")]
    NoSubject(String, &'static str),
    /// The capability takes no subject.
    #[error("`{0}` stands alone: remove `{1}`")]
    Subject(String, String),
    /// The host is not one.
    #[error(
        "`{0}` is not a host; write a name such as `example.com`, `example.com:8080`, `*.example.com` or `*`, without `https://` and path"
    )]
    Host(String),
    /// The variable's name is not one.
    #[error("`{0}` is not the name of an environment variable; write letters, digits and `_`, or `*` for any")]
    Variable(String),
    /// The topic is no pattern of topics.
    #[error("`{0}` is no pattern of topics; write one such as `orders.new`, `orders.*`, `orders.>` or `>` for any")]
    Topic(String),
    /// The role is not one.
    #[error("`{0}` is not the name of a role; write letters, digits and `_`, or `*` for any")]
    Role(String),
}

/// Reads a permission, such as `http example.com`.
///
/// # Errors
/// Says what is wrong and how to write it.
pub fn parse(text: &str) -> Result<Permit, PermitError> {
    text.parse()
}

impl FromStr for Permit {
    type Err = PermitError;

    fn from_str(text: &str) -> Result<Self, PermitError> {
        let text = text.trim();
        let (word, subject) = text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()));
        let needs = |example| {
            if subject.is_empty() { Err(PermitError::NoSubject(word.to_owned(), example)) } else { Ok(subject) }
        };
        let alone = |permit| {
            if subject.is_empty() { Ok(permit) } else { Err(PermitError::Subject(word.to_owned(), subject.to_owned())) }
        };
        match word {
            "http" => host(needs("http example.com")?).map(Self::Http),
            "env" => variable(needs("env NAME")?).map(Self::Env),
            "clock" => alone(Self::Clock),
            "random" => alone(Self::Random),
            "read" => Ok(Self::Folder(FolderAccess::Read, needs("read ./folder")?.into())),
            "read_write" => Ok(Self::Folder(FolderAccess::ReadWrite, needs("read_write ./folder")?.into())),
            _ => match MailUse::from_word(word) {
                Some(MailUse::Ask) => role(needs("mail_ask reviewer")?),
                Some(of @ MailUse::Send) => topic(of, needs("mail_send orders.new")?),
                Some(of @ MailUse::Receive) => topic(of, needs("mail_receive orders.new")?),
                None => Err(PermitError::Unknown(word.to_owned())),
            },
        }
    }
}

impl Permit {
    /// What permits exactly this.
    #[must_use]
    pub fn of(grant: &GrantedCapability) -> Self {
        match grant {
            GrantedCapability::Folder { host_path, access } => Self::Folder(*access, Arc::clone(host_path)),
            GrantedCapability::Http(host) => Self::Http(Arc::clone(host)),
            GrantedCapability::Env(name) => Self::Env(Arc::clone(name)),
            GrantedCapability::Clock => Self::Clock,
            GrantedCapability::Random => Self::Random,
            GrantedCapability::Mail(of, subject) => Self::Mail(*of, Arc::clone(subject)),
        }
    }
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(host) => write!(f, "http {host}"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Clock => f.write_str("clock"),
            Self::Random => f.write_str("random"),
            Self::Folder(FolderAccess::Read, path) => write!(f, "read {path}"),
            Self::Folder(FolderAccess::ReadWrite, path) => write!(f, "read_write {path}"),
            Self::Mail(of, subject) => write!(f, "{of} {subject}"),
        }
    }
}

fn host(text: &str) -> Result<Name, PermitError> {
    let refused = || PermitError::Host(text.to_owned());
    if text == "*" {
        return Ok(text.into());
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    let (name, port) = match name.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (name, None),
    };
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !name.split('.').all(label) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(refused());
    }
    Ok(text.to_ascii_lowercase().into())
}

fn variable(text: &str) -> Result<Name, PermitError> {
    let fits = text == "*" || text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if fits { Ok(text.into()) } else { Err(PermitError::Variable(text.to_owned())) }
}

fn topic(of: MailUse, text: &str) -> Result<Permit, PermitError> {
    if is_topic_pattern(text) { Ok(Permit::Mail(of, text.into())) } else { Err(PermitError::Topic(text.to_owned())) }
}

fn role(text: &str) -> Result<Permit, PermitError> {
    let fits = text == "*" || text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if fits { Ok(Permit::Mail(MailUse::Ask, text.into())) } else { Err(PermitError::Role(text.to_owned())) }
}

/// What the operator permits of a grant: the grant itself, what of it is permitted, or nothing.
/// `consented` are the folders that the run's input names.
#[must_use]
pub fn permitted(grant: &GrantedCapability, permits: &[Permit], consented: &[Arc<str>]) -> Vec<GrantedCapability> {
    match grant {
        GrantedCapability::Clock | GrantedCapability::Random => vec![grant.clone()],
        GrantedCapability::Env(name) => {
            let fits = |permit: &Permit| matches!(permit, Permit::Env(pattern) if &**pattern == "*" || pattern == name);
            if permits.iter().any(fits) { vec![grant.clone()] } else { Vec::new() }
        }
        GrantedCapability::Folder { host_path, access } => {
            let named = consented.iter().any(|path| path == host_path);
            let fits = |permit: &Permit| match permit {
                Permit::Folder(most, folder) => access <= most && is_below(host_path, folder),
                _ => false,
            };
            if named || permits.iter().any(fits) { vec![grant.clone()] } else { Vec::new() }
        }
        GrantedCapability::Http(wanted) => permitted_hosts(wanted, permits),
        GrantedCapability::Mail(of, wanted) => permitted_mail(*of, wanted, permits),
    }
}

/// The grant where it is permitted, else what of it is.
fn permitted_mail(of: MailUse, wanted: &Name, permits: &[Permit]) -> Vec<GrantedCapability> {
    let subjects = || {
        permits
            .iter()
            .filter_map(|permit| if let Permit::Mail(use_, subject) = permit { (*use_ == of).then_some(subject) } else { None })
    };
    if subjects().any(|subject| topics_within(subject, wanted)) {
        return vec![GrantedCapability::Mail(of, wanted.clone())];
    }
    subjects()
        .filter(|subject| topics_within(wanted, subject))
        .map(|subject| GrantedCapability::Mail(of, subject.clone()))
        .collect()
}

/// Whether a grant is within one of those that are given already.
pub(crate) fn covers_grant(given: &[GrantedCapability], wanted: &GrantedCapability) -> bool {
    given.iter().any(|given| match (given, wanted) {
        (GrantedCapability::Http(outer), GrantedCapability::Http(inner)) => {
            covers(&outer.to_ascii_lowercase(), &inner.to_ascii_lowercase())
        }
        _ => given == wanted,
    })
}

fn permitted_hosts(wanted: &Name, permits: &[Permit]) -> Vec<GrantedCapability> {
    let wanted: Name = wanted.to_ascii_lowercase().into();
    let hosts = || permits.iter().filter_map(|permit| if let Permit::Http(host) = permit { Some(host) } else { None });
    if hosts().any(|host| covers(host, &wanted)) {
        return vec![GrantedCapability::Http(wanted)];
    }
    hosts().filter(|host| covers(&wanted, host)).map(|host| GrantedCapability::Http(host.clone())).collect()
}

/// Whether every host that `inner` means is one that `outer` means.
fn covers(outer: &str, inner: &str) -> bool {
    if outer == "*" || outer == inner {
        return true;
    }
    let (outer_name, outer_port) = split_port(outer);
    let (inner_name, inner_port) = split_port(inner);
    if outer_port.is_some() && outer_port != inner_port {
        return false;
    }
    match outer_name.strip_prefix('*') {
        // INVARIANT: a suffix begins with a dot, so `*.b.c` covers `a.b.c` and `*.a.b.c`, but neither `b.c` nor `ab.c`.
        Some(suffix) => {
            suffix.starts_with('.') && inner_name.len() > suffix.len() && inner_name.ends_with(suffix) && inner_name != "*"
        }
        None => outer_name == inner_name,
    }
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    }
}

/// Whether a path is the folder or below it. A path that goes up with `..` is below nothing.
fn is_below(path: &str, folder: &str) -> bool {
    let plain = |path: &str| Path::new(path).components().all(|part| part != Component::ParentDir);
    plain(path) && plain(folder) && Path::new(path).starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::{Permit, permitted};
    use crate::ports::GrantedCapability;
    use lang::plan::FolderAccess;

    fn answer(grant: &str, permits: &[&str]) -> String {
        let permits: Vec<Permit> = permits.iter().map(|text| text.parse().unwrap()).collect();
        let grant = match grant.parse::<Permit>().unwrap() {
            Permit::Http(host) => GrantedCapability::Http(host),
            Permit::Env(name) => GrantedCapability::Env(name),
            Permit::Folder(access, path) => GrantedCapability::Folder { host_path: path, access },
            Permit::Clock => GrantedCapability::Clock,
            Permit::Random => GrantedCapability::Random,
            Permit::Mail(of, subject) => GrantedCapability::Mail(of, subject),
        };
        let show = |granted: &GrantedCapability| Permit::of(granted).to_string();
        let granted = permitted(&grant, &permits, &["/named".into()]);
        granted.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn only_what_both_agree_on_is_granted() {
        let cases: [(&str, &[&str], &str); 25] = [
            ("clock", &[], "clock"),
            ("random", &[], "random"),
            ("http a.example.com", &[], ""),
            ("http a.example.com", &["http *"], "http a.example.com"),
            ("http A.Example.com", &["http a.example.com"], "http a.example.com"),
            ("http a.example.com", &["http *.example.com"], "http a.example.com"),
            ("http example.com", &["http *.example.com"], ""),
            ("http badexample.com", &["http *.example.com"], ""),
            (
                "http *.example.com",
                &["http a.example.com", "http b.example.com:81", "http c.org"],
                "http a.example.com, http b.example.com:81",
            ),
            ("http a.b:81", &["http a.b"], "http a.b:81"),
            ("http a.b", &["http a.b:81"], "http a.b:81"),
            ("http a.b:80", &["http a.b:81"], ""),
            ("env HOME", &["env PATH"], ""),
            ("env HOME", &["env *"], "env HOME"),
            ("read /named", &[], "read /named"),
            ("read /named/../etc", &["read /named"], ""),
            ("read_write /data/x", &["read /data"], ""),
            ("read /data/x", &["read_write /data"], "read /data/x"),
            ("mail_send orders.new", &[], ""),
            ("mail_send orders.new", &["mail_receive >"], ""),
            ("mail_send orders.new", &["mail_send orders.*"], "mail_send orders.new"),
            ("mail_send orders.>", &["mail_send orders.new", "mail_send bills.new"], "mail_send orders.new"),
            ("mail_receive orders.new", &["mail_receive >"], "mail_receive orders.new"),
            ("mail_ask reviewer", &["mail_ask writer"], ""),
            ("mail_ask reviewer", &["mail_ask *"], "mail_ask reviewer"),
        ];
        for (grant, permits, expected) in cases {
            assert_eq!(answer(grant, permits), expected, "{grant} with {permits:?}");
        }
        assert_eq!(
            Permit::Folder(FolderAccess::Read, "a b".into()).to_string().parse(),
            Ok(Permit::Folder(FolderAccess::Read, "a b".into()))
        );
    }

    #[test]
    fn what_is_not_a_permission_is_refused_with_the_way_out() {
        let cases = [
            (
                "",
                "`` is not a capability; write `http HOST`, `env NAME`, `clock`, `random`, `read FOLDER`, `read_write FOLDER`, `mail_send TOPIC`, `mail_receive TOPIC` or `mail_ask ROLE`",
            ),
            ("http", "`http` needs to say what it permits, as in `http example.com`"),
            ("mail_send", "`mail_send` needs to say what it permits, as in `mail_send orders.new`"),
            ("mail_receive", "`mail_receive` needs to say what it permits, as in `mail_receive orders.new`"),
            (
                "mail_send orders*",
                "`orders*` is no pattern of topics; write one such as `orders.new`, `orders.*`, `orders.>` or `>` for any",
            ),
            ("mail_ask a b", "`a b` is not the name of a role; write letters, digits and `_`, or `*` for any"),
            ("clock now", "`clock` stands alone: remove `now`"),
            ("env A=B", "`A=B` is not the name of an environment variable; write letters, digits and `_`, or `*` for any"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Permit>().unwrap_err().to_string(), expected);
        }
        for host in ["https://a.b", "a..b", "a.b:x", "a.*.b", "a/b", "a.b:"] {
            assert!(format!("http {host}").parse::<Permit>().unwrap_err().to_string().contains("is not a host"), "{host}");
        }
    }
}
