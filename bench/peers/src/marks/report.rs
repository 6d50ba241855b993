//! What was measured, line by line, and the summary of it against the marks.

use std::fmt::Display;

use serde::Serialize;

use super::goals::{self, Goal};

/// Tells each line as it comes, and keeps what has a mark for the summary.
pub struct Report {
    json: bool,
    summary: Vec<Mark>,
}

/// A measured figure: what the summary judges.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// The figure itself, in the goal's own unit.
    pub value: f64,
    /// Its 95 % interval, where it is a share.
    pub interval: Option<(f64, f64)>,
    /// What a perfect grid reaches, where there is one.
    pub ceiling: Option<f64>,
}

impl Figure {
    /// A figure without interval or ceiling.
    pub fn plain(value: f64) -> Self {
        Self {
            value,
            interval: None,
            ceiling: None,
        }
    }

    /// The share `hits` of `trials` in percent, with Wilson's interval.
    pub fn share(hits: usize, trials: usize) -> Self {
        let (low, high) = crate::statistics::wilson(hits, trials);
        Self {
            value: 100.0 * hits as f64 / trials.max(1) as f64,
            interval: Some((100.0 * low, 100.0 * high)),
            ceiling: None,
        }
    }
}

/// A line of the summary.
#[derive(Serialize)]
struct Mark {
    work: String,
    mark: f64,
    stretch: Option<f64>,
    measured: f64,
    low: Option<f64>,
    high: Option<f64>,
    ceiling: Option<f64>,
    /// The figure itself is as good as the mark.
    met: bool,
    /// So is the worse end of its interval.
    surely_met: Option<bool>,
    stretch_met: Option<bool>,
    #[serde(skip)]
    at_least: bool,
}

#[derive(Serialize)]
struct Line<'a, T> {
    section: &'a str,
    #[serde(flatten)]
    row: &'a T,
}

impl Report {
    /// A report to standard output: a table, or JSON lines.
    pub fn new(json: bool) -> Self {
        Self {
            json,
            summary: Vec::new(),
        }
    }

    /// A heading, which JSON has not.
    pub fn head(&self, title: &str, columns: &str) {
        if !self.json {
            println!("\n{title}\n{columns}");
        }
    }

    /// A line of `section`.
    pub fn line<T: Serialize + Display>(&self, section: &str, row: &T) {
        if self.json {
            let line = Line { section, row };
            println!("{}", serde_json::to_string(&line).unwrap_or_default());
        } else {
            println!("{row}");
        }
    }

    /// Judges `figure` by the goal of `work`, if it has one. What to say of it
    /// beside its own line: its mark and whether that is met.
    pub fn judge(&mut self, work: &str, figure: Figure) -> String {
        let Some(goal) = goals::of(work) else {
            return String::new();
        };
        let mark = Mark::new(work, goal, figure);
        let verdict = mark.verdict();
        self.summary.push(mark);
        verdict
    }

    /// The summary: everything that was judged.
    pub fn close(&self) {
        if self.summary.is_empty() {
            return;
        }
        self.head(
            "Summary (surely: the worse end of the 95 % interval meets the mark too)",
            &format!(
                "{:<22}{:>9}{:>9}{:>10}{:>16}{:>9}  {}",
                "work", "mark", "stretch", "measured", "95 %", "ceiling", "met"
            ),
        );
        for mark in &self.summary {
            self.line("summary", mark);
        }
        if !self.json {
            let met = self.summary.iter().filter(|mark| mark.met).count();
            println!("{met} of {} marks met", self.summary.len());
        }
    }
}

impl Mark {
    fn new(work: &str, goal: Goal, figure: Figure) -> Self {
        let (mark, stretch, at_least) = goal.resolve(figure.ceiling);
        let good = |value: f64, wanted: f64| {
            if at_least {
                value >= wanted
            } else {
                value <= wanted
            }
        };
        let worse = |(low, high)| if at_least { low } else { high };
        Self {
            work: work.into(),
            mark,
            stretch,
            measured: figure.value,
            low: figure.interval.map(|(low, _)| low),
            high: figure.interval.map(|(_, high)| high),
            ceiling: figure.ceiling,
            met: good(figure.value, mark),
            surely_met: figure.interval.map(|ends| good(worse(ends), mark)),
            stretch_met: stretch.map(|stretch| good(figure.value, stretch)),
            at_least,
        }
    }

    fn verdict(&self) -> String {
        let sign = if self.at_least { ">=" } else { "<=" };
        let verdict = match (self.met, self.surely_met, self.stretch_met) {
            (true, _, Some(true)) => "met, stretch too",
            (true, Some(true), _) => "met surely",
            (true, _, _) => "met",
            (false, ..) => "MISSED",
        };
        format!("{sign} {:.2}: {verdict}", self.mark)
    }
}

impl Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or_dash = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.2}"));
        let interval = match (self.low, self.high) {
            (Some(low), Some(high)) => format!("{low:.1}..{high:.1}"),
            _ => "-".into(),
        };
        let verdict = self.verdict();
        write!(
            f,
            "{:<22}{:>9.2}{:>9}{:>10.2}{:>16}{:>9}  {}",
            self.work,
            self.mark,
            or_dash(self.stretch),
            self.measured,
            interval,
            or_dash(self.ceiling),
            verdict.split(": ").nth(1).unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_met_by_the_figure_and_surely_by_the_interval() {
        let goal = Goal::AtLeast(95.0, None);
        let mark = |hits, trials| Mark::new("x", goal, Figure::share(hits, trials));
        let few = mark(96, 100);
        assert!(few.met && few.surely_met == Some(false));
        let many = mark(9_700, 10_000);
        assert!(many.met && many.surely_met == Some(true));
        assert!(!mark(94, 100).met);
    }

    #[test]
    fn at_most_and_shares_of_the_ceiling() {
        let mark = Mark::new("x", Goal::AtMost(0.33, None), Figure::plain(0.3));
        assert!(mark.met && mark.surely_met.is_none());
        let figure = Figure {
            ceiling: Some(80.0),
            ..Figure::share(71, 100)
        };
        let mark = Mark::new("x", Goal::OfCeiling(0.9, None), figure);
        assert!(!mark.met && (mark.mark - 72.0).abs() < 1e-9);
    }
}
