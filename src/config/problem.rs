//! A fault in the configuration, told so that it can be cured.

use std::fmt;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Dotted name of the key, as `camera.exposure-us` or `rule[0].regex`; empty
    /// for the file itself.
    pub key: String,
    /// Line in the file, from 1, where known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub cure: String,
}

/// The faults found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes that `key` is wrong, and what would cure it. Lines are added by
    /// whoever has the file.
    pub fn add(
        &mut self,
        key: impl Into<String>,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.0.push(Problem {
            key: key.into(),
            line: None,
            message: message.into(),
            cure: cure.into(),
        });
    }

    /// None found?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problem {
    /// `line 12: camera.fps: what is wrong; what cures it`, without what is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !self.cure.is_empty() {
            write!(f, "; {}", self.cure)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problems {
    /// One fault a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
