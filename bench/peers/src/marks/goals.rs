//! The marks: what is to be reached, by the name of the work.

/// A mark, and where there is one a stretch beyond it.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least so much.
    AtLeast(f64, Option<f64>),
    /// At most so much.
    AtMost(f64, Option<f64>),
    /// At least such a share of what a perfect grid reads.
    OfCeiling(f64, Option<f64>),
}

impl Goal {
    /// Mark, stretch, and whether more is better.
    pub fn resolve(self, ceiling: Option<f64>) -> (f64, Option<f64>, bool) {
        match self {
            Goal::AtLeast(mark, stretch) => (mark, stretch, true),
            Goal::AtMost(mark, stretch) => (mark, stretch, false),
            Goal::OfCeiling(mark, stretch) => {
                let ceiling = ceiling.unwrap_or(100.0);
                (mark * ceiling, stretch.map(|s| s * ceiling), true)
            }
        }
    }
}

/// Percent of codes, tracks or pictures read; times as ratios.
const GOALS: &[(&str, Goal)] = &[
    ("motion-4px:8", Goal::AtLeast(98.0, None)),
    ("motion-4px:12", Goal::AtLeast(95.0, None)),
    ("motion-4px:16", Goal::AtLeast(85.0, None)),
    ("motion-2.5px:4", Goal::AtLeast(96.0, None)),
    ("motion-2.5px:6", Goal::AtLeast(92.0, None)),
    ("motion-2.5px:8", Goal::AtLeast(75.0, None)),
    ("glare:5", Goal::OfCeiling(0.9, None)),
    ("glare:10", Goal::OfCeiling(0.9, None)),
    ("glare:15", Goal::OfCeiling(0.9, None)),
    ("glare:20", Goal::OfCeiling(0.9, None)),
    ("damage:6", Goal::OfCeiling(0.9, None)),
    ("damage:10", Goal::OfCeiling(0.9, None)),
    ("damage:15", Goal::OfCeiling(0.9, None)),
    ("contrast:10", Goal::AtLeast(97.0, None)),
    ("module:1.5", Goal::AtLeast(70.0, None)),
    ("track:lamp", Goal::AtLeast(95.0, None)),
    ("track:lamp+blur", Goal::AtLeast(75.0, None)),
    ("track:lamps", Goal::AtLeast(95.0, None)),
    ("track:lamps+blur", Goal::AtLeast(75.0, None)),
    ("zxing", Goal::AtLeast(96.0, None)),
    ("zxing-cpp", Goal::AtLeast(95.0, None)),
    ("boofcv", Goal::AtLeast(88.0, None)),
    ("boofcv-mean", Goal::AtLeast(86.0, None)),
    ("time:four-720p", Goal::AtMost(0.33, None)),
    ("time:empty-belt-720p", Goal::AtMost(0.33, None)),
    ("read:forty-720p", Goal::AtLeast(99.5, None)),
    ("deadline", Goal::AtMost(1.1, None)),
    ("false-reads", Goal::AtMost(0.0, None)),
];

/// The goal of `work`; one with colons falls under the names before them too.
pub fn of(work: &str) -> Option<Goal> {
    let mut name = work;
    loop {
        if let Some((_, goal)) = GOALS.iter().find(|(known, _)| *known == name) {
            return Some(*goal);
        }
        name = name.rsplit_once(':')?.0;
    }
}
