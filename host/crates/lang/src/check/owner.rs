//! What a `with` stands on, and which keys have a meaning there.

/// What a `with` stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Step,
    /// The call of a flow, whose steps have their own policies.
    Call,
    Block,
    Map,
    Wait,
    Emit,
    Ask,
    Plan,
    Flow,
    Use,
    Import,
    Class,
    Hook,
    Budget,
}

use Owner::{Ask, Block, Budget, Call, Class, Emit, Flow, Hook, Import, Map, Plan, Step, Use, Wait};

/// On a step; on what is around it a default for the steps inside.
const STEPS: &[Owner] = &[Step, Use, Block, Flow, Map, Ask, Plan];

/// On whatever calls a function; likewise.
const CALLS: &[Owner] = &[Step, Use, Block, Flow, Map, Hook, Ask, Plan];

/// On what has steps inside.
const BLOCKS: &[Owner] = &[Block, Flow, Map, Call, Plan];

/// All keys, and where they may stand.
pub(super) const KEYS: [(&str, &[Owner]); 21] = [
    ("allow", &[Step, Call, Use, Block, Flow, Map, Import, Hook, Plan]),
    ("artifact", &[Step, Ask]),
    ("backoff", CALLS),
    ("breaker", STEPS),
    ("budget", BLOCKS),
    ("cache", &[Step, Use, Block, Flow, Map]),
    ("class", &[Step, Use, Block, Flow, Map, Hook, Ask]),
    ("deadline", &[Step, Call, Use, Block, Flow, Map, Hook, Wait, Emit, Ask, Plan]),
    ("fuel", &[Step, Use, Block, Flow, Map, Hook, Class, Budget, Ask, Plan]),
    ("idempotent", &[Step, Use, Hook, Ask]),
    ("key", STEPS),
    ("memory", &[Step, Use, Block, Flow, Map, Hook, Class, Ask, Plan]),
    ("on_error", &[Map]),
    ("on_exhausted", STEPS),
    ("parallel", &[Call, Block, Flow, Map, Class]),
    ("priority", STEPS),
    ("rate", STEPS),
    ("retry", CALLS),
    ("steps", &[Budget]),
    ("time", &[Budget]),
    ("timeout", &[Step, Use, Block, Flow, Map, Hook, Class, Wait, Emit, Ask, Plan]),
];

impl Owner {
    /// As a diagnostic names it.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Step => "a step",
            Self::Call => "the call of a flow",
            Self::Block => "this form",
            Self::Map => "a `map`",
            Self::Wait => "a `wait`",
            Self::Emit => "an `emit`",
            Self::Ask => "an `ask`",
            Self::Plan => "a `run plan`",
            Self::Flow => "a flow",
            Self::Use => "a `use`",
            Self::Import => "an `import`",
            Self::Class => "a class",
            Self::Hook => "a hook",
            Self::Budget => "a budget",
        }
    }

    /// The keys that may stand here, in order.
    pub(super) fn keys(self) -> Vec<&'static str> {
        KEYS.iter().filter(|(_, owners)| owners.contains(&self)).map(|(key, _)| *key).collect()
    }
}
