//! What an `import` permits the flows that it brings in to grant.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::ir::{Grant, GrantKind};
use crate::plan::{FolderAccess, topics_within};

/// A cap in a form that can be compared; none: no cap.
pub(super) type Key = Option<BTreeSet<String>>;

/// The key of a cap.
pub(super) fn key(cap: Option<&[Grant]>) -> Key {
    cap.map(|grants| grants.iter().map(text).collect())
}

fn text(grant: &Grant) -> String {
    match &grant.kind {
        GrantKind::Folder(FolderAccess::Read, _) => "read".to_owned(),
        GrantKind::Folder(FolderAccess::ReadWrite, _) => "read_write".to_owned(),
        GrantKind::Http(host) => format!("http {host}"),
        GrantKind::Env(name) => format!("env {name}"),
        GrantKind::Clock => "clock".to_owned(),
        GrantKind::Random => "random".to_owned(),
        GrantKind::Mail(of, subject) => format!("{of} {subject}"),
    }
}

/// What both caps permit.
pub(super) fn intersection(outer: Option<&Rc<[Grant]>>, inner: Option<&Rc<[Grant]>>) -> Option<Rc<[Grant]>> {
    let (Some(outer), Some(inner)) = (outer, inner) else { return outer.or(inner).cloned() };
    let kept_inner = inner.iter().filter(|grant| outer.iter().any(|cap| covers(&cap.kind, &grant.kind)));
    let kept_outer = outer.iter().filter(|grant| inner.iter().any(|cap| covers(&cap.kind, &grant.kind)));
    let mut seen = BTreeSet::new();
    Some(kept_inner.chain(kept_outer).filter(|grant| seen.insert(text(grant))).cloned().collect())
}

/// Whether a cap permits a grant.
fn covers(cap: &GrantKind, grant: &GrantKind) -> bool {
    match (cap, grant) {
        (GrantKind::Folder(cap, _), GrantKind::Folder(access, _)) => cap >= access,
        (GrantKind::Http(cap), GrantKind::Http(host)) => {
            cap == host || cap.strip_prefix('*').is_some_and(|domain| host.len() > domain.len() && host.ends_with(domain))
        }
        (GrantKind::Env(cap), GrantKind::Env(name)) => cap == name,
        (GrantKind::Mail(cap, outer), GrantKind::Mail(of, inner)) => cap == of && topics_within(outer, inner),
        (GrantKind::Clock, GrantKind::Clock) | (GrantKind::Random, GrantKind::Random) => true,
        _ => false,
    }
}
