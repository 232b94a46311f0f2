//! Places in which only pure expressions can stand.

/// Where only pure expressions can stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Comprehension,
    Text,
    Guard,
    Policy,
    Default,
    Lambda,
    Mock,
}

impl Place {
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Comprehension => "a comprehension",
            Self::Text => "a text",
            Self::Guard => "the guard of a `match` arm",
            Self::Policy => "a setting",
            Self::Default => "the default of a parameter",
            Self::Lambda => "`sort_by`",
            Self::Mock => "a `mock`",
        }
    }

    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::Comprehension => "use `map`: `map x in list { step(x) }`",
            Self::Default => "make the parameter an `option` and call the step in the flow",
            Self::Guard => "bind it with `let` before the `match`, or use `if` in the arm",
            Self::Lambda => "compute the keys first: `let keys = map x in list { step(x) }`",
            Self::Mock => "a mock stands for a step and runs none: write the value itself",
            Self::Text | Self::Policy => "bind it with `let` before",
        }
    }
}
