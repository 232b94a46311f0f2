//! What a host says of itself to those that look for places: the field `work` of its presence.

use std::collections::BTreeMap;

use engine::ports::Kind;
use serde_json::{Value, json};

/// What a host runs for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Announcement {
    /// Attempts at once.
    pub(super) places: u32,
    /// Places that nobody has.
    pub(super) free: u32,
    /// How long tasks of others waited that began here lately: the mean, in milliseconds.
    pub(super) waited: u64,
    /// Attempts at once of the classes that are bounded.
    pub(super) classes: BTreeMap<String, u32>,
    /// The only classes that it takes; none: any.
    pub(super) only: Option<Vec<String>>,
    /// Whether it permits requests to some host.
    pub(super) http: bool,
    /// Whether it permits some variable of the environment.
    pub(super) env: bool,
    /// The components that are ready to be called.
    pub(super) components: Vec<String>,
    /// For people and programs that choose hosts.
    pub(super) labels: BTreeMap<String, String>,
}

impl Announcement {
    pub(super) fn document(&self) -> Value {
        let Self { places, free, waited, classes, only, http, env, components, labels } = self;
        json!({
            "v": 1,
            "places": places,
            "free": free,
            "waited_ms": waited,
            "classes": classes,
            "only": only,
            "http": http,
            "env": env,
            "components": components,
            "labels": labels,
        })
    }

    /// None where it is not of this version, or not complete.
    pub(super) fn read(document: &Value) -> Option<Self> {
        let number = |name: &str| u32::try_from(document.get(name)?.as_u64()?).ok();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let flag = |name: &str| document.get(name).and_then(Value::as_bool);
        if document.get("v")?.as_u64()? != 1 {
            return None;
        }
        let classes = document.get("classes")?.as_object()?.iter();
        let only = match document.get("only")? {
            Value::Array(names) => Some(names.iter().filter_map(text).collect()),
            _ => None,
        };
        Some(Self {
            places: number("places")?,
            free: number("free")?,
            waited: document.get("waited_ms")?.as_u64()?,
            classes: classes.filter_map(|(name, most)| Some((name.clone(), u32::try_from(most.as_u64()?).ok()?))).collect(),
            only,
            http: flag("http")?,
            env: flag("env")?,
            components: document.get("components")?.as_array()?.iter().filter_map(text).collect(),
            labels: document
                .get("labels")?
                .as_object()?
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), text(value)?)))
                .collect(),
        })
    }

    /// So many attempts of a kind it runs at once.
    pub(super) fn places_for(&self, kind: &Kind) -> u32 {
        let takes = self.takes(kind);
        let most = kind.class.as_deref().and_then(|class| self.classes.get(class)).copied();
        if takes { most.unwrap_or(u32::MAX).min(self.places) } else { 0 }
    }

    /// Whether it runs attempts of a kind at all.
    pub(super) fn takes(&self, kind: &Kind) -> bool {
        let may = (self.http || !kind.http) && (self.env || !kind.env);
        let class = kind.class.as_deref();
        may && self.only.as_ref().is_none_or(|only| only.iter().any(|name| Some(name.as_str()) == class))
    }

    /// Whether it has places for other kinds, or another number of them.
    pub(super) fn differs(&self, other: &Self) -> bool {
        let places = |of: &Self| (of.places, of.classes.clone(), of.only.clone(), of.http, of.env);
        places(self) != places(other)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine::ports::Kind;
    use serde_json::json;

    use super::Announcement;

    #[test]
    fn what_a_host_says_is_read_again() {
        let said = Announcement {
            places: 8,
            free: 3,
            waited: 70,
            classes: BTreeMap::from([("small".to_owned(), 2)]),
            only: Some(vec!["small".to_owned()]),
            http: true,
            components: vec!["sha256:00".to_owned()],
            labels: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
            ..Announcement::default()
        };
        assert_eq!(Announcement::read(&said.document()), Some(said.clone()));
        assert_eq!(Announcement::read(&json!({ "v": 2 })), None);
        let kind = |class: Option<&str>, http, env| Kind { class: class.map(Into::into), http, env };
        assert_eq!(said.places_for(&kind(Some("small"), true, false)), 2);
        assert_eq!(said.places_for(&kind(Some("small"), false, true)), 0, "it permits no variables");
        assert_eq!(said.places_for(&kind(None, false, false)), 0, "it takes one class only");
        let open = Announcement { only: None, ..said.clone() };
        assert_eq!(open.places_for(&kind(Some("large"), false, false)), 8);
        assert!(open.differs(&said) && !said.differs(&Announcement { free: 0, ..said.clone() }));
    }
}
