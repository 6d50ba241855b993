//! A line of the tables of cells and of tracks.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::statistics::{quantile, wilson};

/// What a reader, or a perfect grid, made of a cell.
#[derive(Serialize)]
pub struct Row {
    cell: String,
    reader: String,
    codes: usize,
    read: usize,
    percent: f64,
    low: f64,
    high: f64,
    /// Reads of texts that are not there; `None` for what cannot misread.
    #[serde(rename = "false")]
    pub wrong: Option<usize>,
    median_ms: Option<f64>,
    p95_ms: Option<f64>,
    max_ms: Option<f64>,
    /// Codes that the reader was too slow for.
    pub left_out: usize,
    /// Its mark and whether that is met.
    pub goal: String,
}

/// The head of the columns.
pub fn head() -> String {
    format!(
        "{:<18}{:<16}{:>7}{:>7}{:>8}{:>15}{:>7}{:>11}{:>9}{:>9}{:>10}  {}",
        "cell",
        "reader",
        "codes",
        "read",
        "read %",
        "95 %",
        "false",
        "median ms",
        "p95 ms",
        "max ms",
        "left out",
        "mark"
    )
}

impl Row {
    /// So many codes read of so many in `cell`.
    pub fn new(cell: &str, reader: &str, read: usize, codes: usize) -> Self {
        let (low, high) = wilson(read, codes);
        Self {
            cell: cell.into(),
            reader: reader.into(),
            codes,
            read,
            percent: 100.0 * read as f64 / codes.max(1) as f64,
            low: 100.0 * low,
            high: 100.0 * high,
            wrong: None,
            median_ms: None,
            p95_ms: None,
            max_ms: None,
            left_out: 0,
            goal: String::new(),
        }
    }

    /// Notes the times.
    pub fn took(&mut self, ms: &[f64]) {
        self.median_ms = Some(quantile(ms, 0.5));
        self.p95_ms = Some(quantile(ms, 0.95));
        self.max_ms = Some(quantile(ms, 1.0));
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ms: Option<f64>| ms.map_or(String::new(), |ms| format!("{ms:.2}"));
        let line = format!(
            "{:<18}{:<16}{:>7}{:>7}{:>8.1}{:>15}{:>7}{:>11}{:>9}{:>9}{:>10}  {}",
            self.cell,
            self.reader,
            self.codes,
            self.read,
            self.percent,
            format!("{:.1}..{:.1}", self.low, self.high),
            self.wrong.map_or(String::new(), |n| n.to_string()),
            ms(self.median_ms),
            ms(self.p95_ms),
            ms(self.max_ms),
            match self.left_out {
                0 => String::new(),
                n => n.to_string(),
            },
            self.goal
        );
        f.write_str(line.trim_end())
    }
}
