//! A setting of an engine: as it was found, as it has to be, and what comes of it if it is not.
//!
//! Below store and archive, which look at their engines, and the commands, which show what they found.

use std::fmt;

/// What comes of a setting as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// As it has to be.
    Fit,
    /// It sells, but promises less; what, is said in `docs/operations.md`.
    Weak,
    /// A process refuses to start on it.
    Unfit,
}

/// A setting that sales rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSetting {
    /// `redis`, `valkey`, `mysql` or `mariadb`.
    pub engine: &'static str,
    /// What the engine calls it.
    pub name: &'static str,
    /// As it is.
    pub have: String,
    /// As it has to be, in the engine's words.
    pub want: String,
    /// What comes of it.
    pub fitness: Fitness,
}

impl Fitness {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fit => "ok",
            Self::Weak => "weak",
            Self::Unfit => "wrong",
        }
    }
}

impl EngineSetting {
    /// A setting without which nothing may be sold.
    pub fn needed(name: &'static str, have: impl Into<String>, want: impl Into<String>, holds: bool) -> Self {
        Self::judged(name, have.into(), want.into(), if holds { Fitness::Fit } else { Fitness::Unfit })
    }

    /// A setting without which less is promised.
    pub fn advised(
        name: &'static str,
        have: impl Into<String>,
        want: impl Into<String>,
        holds: bool,
    ) -> Self {
        Self::judged(name, have.into(), want.into(), if holds { Fitness::Fit } else { Fitness::Weak })
    }

    /// The same, of this engine.
    pub fn of(self, engine: &'static str) -> Self {
        Self { engine, ..self }
    }

    fn judged(name: &'static str, have: String, want: String, fitness: Fitness) -> Self {
        Self { engine: "", name, have, want, fitness }
    }
}

impl fmt::Display for EngineSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, name, have, want, fitness } = self;
        write!(formatter, "{engine} {name}: have {have:?}, want {want:?}: {}", fitness.as_str())
    }
}
