//! One field of one item on its way to its text.

use super::place::Spot;
use super::{Cut, Skip};
use crate::geometry::{Point, Quad};
use crate::ocr::{Line, Strip};

/// Most readings of one field of one item: what five frames do not tell, the
/// sixth does not either.
pub(super) const MOST_READINGS: u8 = 5;
/// Different texts that are told apart for one field of one item.
const MOST_BALLOTS: usize = 4;

/// A line cut out, and where.
#[derive(Debug)]
pub(super) struct Kept {
    pub strip: Strip,
    pub corners: Quad,
    /// Centre of the code then.
    pub anchor: Point,
    pub mono_ns: u64,
    pub sharpness: f32,
}

/// Frames that agree on one text.
#[derive(Clone, Debug)]
pub(super) struct Ballot {
    pub line: Line,
    /// Centre of the code in the frame it was best read in.
    pub anchor: Point,
    votes: u32,
    /// Sum of the confidences.
    weight: f32,
}

/// A field of one item.
#[derive(Debug)]
pub(super) struct Entry {
    /// The track it belongs to.
    pub track: u64,
    /// Its place in the plan.
    pub field: usize,
    pub spot: Spot,
    /// The sharpest cut since the last request.
    pub best: Option<Kept>,
    /// Number of the request that is under way, and where the code was then.
    pub asked: Option<(u64, Point)>,
    /// Requests so far.
    pub requests: u8,
    pub ballots: Vec<Ballot>,
    /// Why the last request came to nothing.
    pub skip: Option<Skip>,
    /// Nothing more is to be read.
    pub done: bool,
}

impl Entry {
    pub fn new(track: u64, field: usize, spot: Spot) -> Self {
        Self {
            track,
            field,
            spot,
            best: None,
            asked: None,
            requests: 0,
            ballots: Vec::new(),
            skip: None,
            done: false,
        }
    }

    /// Takes what was read of it. `sure`: confidence from which on it is not read
    /// again.
    pub fn answered(&mut self, lines: Result<Vec<Line>, Skip>, sure: f32) {
        let anchor = self.asked.take().map(|(_, at)| at).unwrap_or_default();
        match lines {
            Err(skip) => {
                self.skip = Some(skip);
                // Another frame would fare no better: nobody waits for it.
                self.done = matches!(skip, Skip::BreakerOpen | Skip::NoModels | Skip::Throttled);
            }
            Ok(lines) if lines.is_empty() => self.skip = Some(Skip::Illegible),
            Ok(lines) => {
                let searched = matches!(self.spot, Spot::Within(_));
                for line in lines {
                    self.vote(line, anchor);
                }
                // Of a search each line stands for itself.
                self.done = searched
                    || self
                        .champion()
                        .is_some_and(|best| best.votes >= 2 || best.line.confidence >= sure);
            }
        }
        self.done |= self.requests >= MOST_READINGS;
    }

    fn vote(&mut self, line: Line, anchor: Point) {
        let searched = matches!(self.spot, Spot::Within(_));
        let same = |ballot: &&mut Ballot| !searched && ballot.line.text == line.text;
        if let Some(ballot) = self.ballots.iter_mut().find(same) {
            ballot.votes += 1;
            ballot.weight += line.confidence;
            if line.confidence > ballot.line.confidence {
                ballot.line = line;
                ballot.anchor = anchor;
            }
        } else if searched || self.ballots.len() < MOST_BALLOTS {
            self.ballots.push(Ballot {
                anchor,
                votes: 1,
                weight: line.confidence,
                line,
            });
        }
    }

    /// The text that most of the frames, weighed by their confidence, tell.
    pub fn champion(&self) -> Option<&Ballot> {
        // The first of equals: what was read first stays.
        self.ballots.iter().reduce(|best, next| {
            if next.weight > best.weight {
                next
            } else {
                best
            }
        })
    }

    /// How sure the champion is: its own confidence, less what others say.
    pub fn confidence(&self, ballot: &Ballot) -> f32 {
        let all: f32 = self.ballots.iter().map(|ballot| ballot.weight).sum();
        ballot.line.confidence * ballot.weight / all.max(1e-6)
    }

    /// Nothing is under way and nothing waits to be asked.
    pub fn is_idle(&self) -> bool {
        self.asked.is_none() && self.best.is_none()
    }

    /// The kept strip, for others to use.
    pub fn give_back(&mut self) -> Option<Cut> {
        self.best.take().map(|kept| Cut::Strip(kept.strip))
    }
}
