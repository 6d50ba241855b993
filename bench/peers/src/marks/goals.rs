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
    ("motion-4px:8", Goal::AtLeast(98.0, Some(100.0))),
    ("motion-4px:12", Goal::AtLeast(95.0, Some(98.0))),
    ("motion-4px:16", Goal::AtLeast(85.0, Some(95.0))),
    ("motion-2.5px:4", Goal::AtLeast(96.0, Some(98.0))),
    ("motion-2.5px:6", Goal::AtLeast(92.0, Some(97.0))),
    ("motion-2.5px:8", Goal::AtLeast(75.0, Some(90.0))),
    ("glare:5", Goal::OfCeiling(0.9, Some(1.0))),
    ("glare:10", Goal::OfCeiling(0.9, Some(1.0))),
    ("glare:15", Goal::OfCeiling(0.9, Some(1.0))),
    ("glare:20", Goal::OfCeiling(0.9, Some(1.0))),
    ("damage:6", Goal::OfCeiling(0.9, Some(1.0))),
    ("damage:10", Goal::OfCeiling(0.9, Some(1.0))),
    ("damage:15", Goal::OfCeiling(0.9, Some(1.0))),
    ("contrast:10", Goal::AtLeast(97.0, Some(100.0))),
    ("module:1.5", Goal::AtLeast(70.0, Some(85.0))),
    ("track:lamp", Goal::AtLeast(95.0, Some(99.0))),
    ("track:lamp+blur", Goal::AtLeast(75.0, Some(90.0))),
    ("track:lamps", Goal::AtLeast(95.0, Some(99.0))),
    ("track:lamps+blur", Goal::AtLeast(75.0, Some(90.0))),
    ("zxing", Goal::AtLeast(96.0, Some(98.0))),
    ("zxing-cpp", Goal::AtLeast(95.0, Some(97.0))),
    ("boofcv", Goal::AtLeast(88.0, Some(92.0))),
    ("boofcv-mean", Goal::AtLeast(86.0, Some(92.0))),
    ("time:four-720p", Goal::AtMost(0.33, Some(0.2))),
    ("time:empty-belt-720p", Goal::AtMost(0.33, Some(0.2))),
    ("read:forty-720p", Goal::AtLeast(99.5, Some(100.0))),
    ("deadline", Goal::AtMost(1.1, Some(1.0))),
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
