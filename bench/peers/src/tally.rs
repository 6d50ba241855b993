//! Counting what was read, and the table.

use serde::Serialize;

use crate::readers::Read;
use crate::sets::Truth;
use crate::statistics::quantile;

/// What one reader made of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Codes read.
    pub read: usize,
    /// Reads of a text that is in none of the picture's codes.
    pub wrong: usize,
    /// Reads outside every labelled place, where the texts are unknown.
    pub stray: usize,
    /// The same code once more.
    pub double: usize,
    /// Reads of a text that another folder has for this picture.
    pub disputed: usize,
}

impl Score {
    /// Compares `reads` with the truth.
    pub fn of(truth: &Truth, reads: &[Read]) -> Self {
        let mut score = Score::default();
        let mut taken = vec![false; truth.codes()];
        for read in reads {
            let fits = |index: usize| match truth {
                Truth::Texts { texts, .. } => texts[index] == read.text,
                Truth::Places(places) => places[index].contains(read.centre),
            };
            let fitting: Vec<usize> = (0..taken.len()).filter(|&index| fits(index)).collect();
            match (fitting.iter().find(|&&index| !taken[index]), truth) {
                (Some(&free), _) => {
                    taken[free] = true;
                    score.read += 1;
                }
                (None, _) if !fitting.is_empty() => score.double += 1,
                (None, Truth::Texts { .. }) if truth.allows(&read.text) => score.disputed += 1,
                (None, Truth::Texts { .. }) => score.wrong += 1,
                (None, Truth::Places(_)) => score.stray += 1,
            }
        }
        score
    }

    /// Adds another picture's.
    pub fn add(&mut self, other: Score) {
        self.read += other.read;
        self.wrong += other.wrong;
        self.stray += other.stray;
        self.double += other.double;
        self.disputed += other.disputed;
    }
}

/// What one reader made of one set.
#[derive(Default)]
pub struct Tally {
    /// Pictures it was given.
    pub pictures: usize,
    /// Codes in them.
    pub codes: usize,
    /// Sum of the scores.
    pub score: Score,
    /// Milliseconds for each picture it was given, in order.
    pub ms: Vec<f64>,
    /// Milliseconds of the first reader on those same pictures.
    pub base_ms: Vec<f64>,
}

impl Row<'_> {
    /// Median over the first reader's median on the same pictures.
    pub fn ratio(&self) -> f64 {
        self.ratio
    }
}

/// A line of the table, and of `--json`.
#[derive(Serialize)]
pub struct Row<'a> {
    set: &'a str,
    reader: &'a str,
    pictures: usize,
    left_out: usize,
    codes: usize,
    read: usize,
    #[serde(rename = "false")]
    wrong: usize,
    stray: usize,
    double: usize,
    disputed: usize,
    median_ms: f64,
    p95_ms: f64,
    /// Median over the first reader's median on the same pictures.
    ratio: f64,
}

impl Tally {
    /// Adds one picture.
    pub fn add(&mut self, codes: usize, score: Score, ms: f64, base_ms: f64) {
        self.pictures += 1;
        self.codes += codes;
        self.score.add(score);
        self.ms.push(ms);
        self.base_ms.push(base_ms);
    }

    /// Adds one picture of which only counts what was read.
    pub fn add_reads(&mut self, codes: usize, read: usize) {
        self.pictures += 1;
        self.codes += codes;
        self.score.read += read;
    }

    /// Adds what the reader made of another set.
    pub fn join(&mut self, other: Tally) {
        self.pictures += other.pictures;
        self.codes += other.codes;
        self.score.add(other.score);
        self.ms.extend(other.ms);
        self.base_ms.extend(other.base_ms);
    }

    /// Codes read, in percent.
    pub fn percent(&self) -> f64 {
        100.0 * self.score.read as f64 / self.codes.max(1) as f64
    }

    /// The line for `reader` on `set`, which has `len` pictures.
    pub fn row<'a>(&self, set: &'a str, reader: &'a str, len: usize) -> Row<'a> {
        Row {
            set,
            reader,
            pictures: self.pictures,
            left_out: len - self.pictures,
            codes: self.codes,
            read: self.score.read,
            wrong: self.score.wrong,
            stray: self.score.stray,
            double: self.score.double,
            disputed: self.score.disputed,
            median_ms: quantile(&self.ms, 0.5),
            p95_ms: quantile(&self.ms, 0.95),
            ratio: quantile(&self.ms, 0.5) / quantile(&self.base_ms, 0.5),
        }
    }
}

/// The head of the table.
pub fn head(base: &str) -> String {
    format!(
        "{:<24}{:<16}{:>9}{:>7}{:>7}{:>8}{:>7}{:>7}{:>8}{:>9}{:>11}{:>10}{:>13}{:>10}",
        "set",
        "reader",
        "pictures",
        "codes",
        "read",
        "read %",
        "false",
        "stray",
        "double",
        "disputed",
        "median ms",
        "p95 ms",
        format!("x {base}"),
        "left out"
    )
}

impl std::fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = match self.codes {
            0 => "-".into(),
            codes => format!("{:.1}", 100.0 * self.read as f64 / codes as f64),
        };
        // Several readers together have no time of their own.
        let time = |ms: f64| {
            if ms.is_nan() {
                String::new()
            } else {
                format!("{ms:.2}")
            }
        };
        write!(
            f,
            "{:<24}{:<16}{:>9}{:>7}{:>7}{:>8}{:>7}{:>7}{:>8}{:>9}{:>11}{:>10}{:>13}{:>10}",
            self.set,
            self.reader,
            self.pictures,
            self.codes,
            self.read,
            share,
            self.wrong,
            self.stray,
            self.double,
            self.disputed,
            time(self.median_ms),
            time(self.p95_ms),
            time(self.ratio),
            self.left_out
        )
    }
}

#[cfg(test)]
mod tests {
    use beltscan::geometry::{Point, Quad};

    use super::*;

    fn read(text: &str, x: f32, y: f32) -> Read {
        Read {
            text: text.into(),
            centre: Point::new(x, y),
        }
    }

    #[test]
    fn texts_are_counted_once_for_each_code_that_bears_them() {
        let truth = Truth::of(vec!["A".into(), "A".into(), "B".into()]);
        let reads = [
            read("A", 0.0, 0.0),
            read("A", 9.0, 0.0),
            read("A", 9.0, 1.0),
            read("C", 0.0, 0.0),
        ];
        let score = Score::of(&truth, &reads);
        assert_eq!((score.read, score.double, score.wrong), (2, 1, 1));
        assert_eq!(Score::of(&Truth::of(Vec::new()), &reads).wrong, 4);
    }

    #[test]
    fn a_text_that_another_folder_has_neither_counts_nor_is_it_false() {
        let truth = Truth::Texts {
            texts: vec!["A".into()],
            disputed: vec!["B".into()],
        };
        let reads = [read("B", 0.0, 0.0), read("C", 0.0, 0.0)];
        let score = Score::of(&truth, &reads);
        assert_eq!((score.read, score.disputed, score.wrong), (0, 1, 1));
    }

    #[test]
    fn places_are_counted_once_each() {
        let square = |x: f32| {
            Quad(
                [(x, 0.0), (x + 9.0, 0.0), (x + 9.0, 9.0), (x, 9.0)].map(|(x, y)| Point::new(x, y)),
            )
        };
        let truth = Truth::Places(vec![square(0.0), square(20.0)]);
        let reads = [
            read("A", 5.0, 5.0),
            read("B", 5.0, 6.0),
            read("C", 50.0, 5.0),
        ];
        let score = Score::of(&truth, &reads);
        assert_eq!((score.read, score.double, score.stray), (1, 1, 1));
    }
}
