//! Fusion: frames of one code added up until they can be read together.
//!
//! Where a frame shows signs of a code that nobody read, a [`Plate`] begins: a
//! canvas that rides with the belt. Each new frame is put in its place to a
//! fraction of a pixel and added, glare left out ([`Canvas`]): by the motion, by what
//! its finder patterns tell where a label turns, tips or comes nearer, and then by the
//! best correlation. Then the canvas is read like a frame. A plate that was read ends at once: what a later one reads
//! rests on other frames, so that two fused reads are two witnesses.
//!
//! Memory and work are bounded: a handful of plates of bounded size, and a credit
//! of work that grows a little with each frame. A belt full of unreadable things
//! spends it and is then looked at now and then.

mod evidence;
mod marks;
mod plate;
mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};

use evidence::{Evidence, Region};
use plate::{Crop, Plate};
use witness::likeness;

use super::Seen;
use crate::config::Look;
use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::optics::{Canvas, Found, Register, Scratch};
use crate::qr::{Code, Codes, Method, Reader, ReaderOptions, Reads};

/// Plates at a time.
const MOST_PLATES: usize = 6;
/// Fused reads in one frame.
const MOST_READS: usize = 2;
/// Fused reads that a plate may fail.
const PATIENCE: u32 = 30;
/// Frames in a row that a plate may not be found in.
const MOST_MISSES: u32 = 5;
/// Work that a frame earns, in units of about one pixel touched once …
const EARNED: i64 = 6_000_000;
/// … and the most that can be saved up: ten frames of two codes under glare.
const MOST_CREDIT: i64 = 100_000_000;
/// Most that one fused read may spend.
const READ_UNITS: u64 = 12_000_000;
/// How far from where finder patterns have a plate it is sought, in pixels as kept.
const REFINED: f32 = 3.0;
/// A frame shows what is read with its help if the two are as alike as this. Of 723
/// codes that were read where they are not, on a belt too fast to be followed, none was
/// above 0.05; of 35 tracks under glare and in noise none was below 0.6.
const SHOWS: f32 = 0.35;
/// Where unread things stood for long, so many are remembered.
const MOST_BARREN: usize = 16;
/// For so long, in seconds.
const BARREN_S: f64 = 10.0;

/// What a frame shows, and what the tracker knows of it.
pub(super) struct Surroundings<'a> {
    /// The tracker's clock, seconds.
    pub now: f64,
    /// The frame.
    pub luma: Luma<'a>,
    /// What was read and found in it.
    pub seen: Seen<'a>,
    /// Where codes are that need no more votes.
    pub known: &'a [Quad],
    /// The belt's velocity, px/s, where it is known.
    pub belt: Option<Point>,
}

/// Adds up what single frames do not tell.
pub(super) struct Fusion {
    plates: Vec<Plate>,
    spare: Vec<Canvas>,
    evidence: Evidence,
    regions: Vec<Region>,
    register: Register,
    crop: Crop,
    scratch: Scratch,
    look: Look,
    reader: Reader,
    reads: Reads,
    /// Velocity of the plate that was measured last, px/s.
    velocity: Option<Point>,
    /// Places of things that stand still and are never read, and since when.
    barren: Vec<(Point, f64)>,
    credit: i64,
}

impl Fusion {
    /// Looks for codes of these kinds.
    pub fn new(look: Look) -> Self {
        Self {
            plates: Vec::new(),
            spare: Vec::new(),
            evidence: Evidence::default(),
            regions: Vec::new(),
            register: Register::default(),
            crop: Crop::default(),
            scratch: Scratch::default(),
            look,
            reader: reader(look),
            reads: Reads::default(),
            velocity: None,
            barren: Vec::new(),
            credit: MOST_CREDIT,
        }
    }

    /// Looks for codes of other kinds from now on.
    pub fn configure(&mut self, look: Look) {
        if self.look != look {
            self.look = look;
            self.reader = reader(look);
        }
    }

    /// Forgets what is in view: what comes has nothing to do with it.
    pub fn clear(&mut self) {
        while let Some(plate) = self.plates.pop() {
            self.spare.push(plate.canvas);
        }
        self.velocity = None;
    }

    /// Takes the next frame. Codes that only several frames together tell are
    /// appended to `out`, at their place in this frame.
    pub fn frame(&mut self, around: &Surroundings<'_>, out: &mut Codes) {
        self.credit = (self.credit + EARNED).min(MOST_CREDIT);
        let codes = around.seen.codes;
        let known = |at: Point| {
            codes.iter().any(|code| code.corners.contains(at))
                || around.known.iter().any(|quad| quad.contains(at))
        };
        for i in 0..self.plates.len() {
            if self.credit > 0 && self.plates[i].is_in(&around.luma, around.now, self.velocity) {
                self.follow(i, around);
            } else {
                self.plates[i].misses += 1;
            }
        }
        for i in (0..self.plates.len()).rev() {
            let plate = &self.plates[i];
            let over = plate.misses > MOST_MISSES
                || plate.failed > PATIENCE
                || !plate.is_in(&around.luma, around.now, self.velocity)
                || known(plate.seed());
            if over {
                self.end(i, around.now);
            }
        }
        self.begin(around, &known);
        for _ in 0..MOST_READS {
            // The longest without a try first; of these the one that is seen for
            // the longest time, since it is the next to leave.
            let due = (0..self.plates.len())
                .filter(|&i| self.plates[i].is_due(around.now))
                .min_by_key(|&i| (self.plates[i].tried_ns(), self.plates[i].began_ns()));
            let Some(i) = due else { break };
            if self.credit <= 0 {
                break;
            }
            if self.read(i, around, &known, out) {
                self.end(i, around.now);
            }
        }
    }

    /// Looks for a plate in the frame and adds what is seen of it.
    fn follow(&mut self, i: usize, around: &Surroundings<'_>) {
        let (expected, reach) = self.plates[i].expected(around.now, around.belt.or(self.velocity));
        let last = self.plates[i].lie();
        self.plates[i].bend_on(around.now);
        let mut found = self.find(i, &around.luma, expected, reach);
        if found.is_some()
            && let Some(before) = self.plates[i].bend(around.seen.signs)
        {
            // What the finder patterns tell is refined like any other place, and taken
            // back where nothing is found there.
            found = self.find_again(i, &around.luma);
            if found.is_none() {
                self.plates[i].unbend(before);
                found = self.find_again(i, &around.luma);
            }
        }
        let plate = &mut self.plates[i];
        let Some(found) = found else {
            plate.miss(last);
            return;
        };
        plate.follow(&last, around.now);
        plate.note(around.seen.signs);
        plate.add(&self.crop, (found.left, found.top), &mut self.scratch);
        self.velocity = plate.velocity().or(self.velocity);
    }

    /// Finds a plate about where it lies.
    fn find_again(&mut self, i: usize, luma: &Luma<'_>) -> Option<Found> {
        let expected = self.plates[i].origin();
        self.find(i, luma, expected, REFINED)
    }

    /// Finds a plate about `expected`, at most `reach` off, and puts it there; the
    /// crop shows it.
    fn find(&mut self, i: usize, luma: &Luma<'_>, expected: Point, reach: f32) -> Option<Found> {
        let plate = &mut self.plates[i];
        plate.cut(luma, expected, reach, &mut self.crop);
        let at = self.crop.inside(expected);
        let found = self
            .register
            .find(plate.canvas.luma(), self.crop.luma(), at, reach);
        self.credit -= self.register.work() as i64 / 4;
        let found = found.filter(Plate::is_sure)?;
        plate.shift(&found, &self.crop, expected);
        Some(found)
    }

    /// New plates where there are signs of a code, and none yet.
    fn begin(&mut self, around: &Surroundings<'_>, known: &dyn Fn(Point) -> bool) {
        let Surroundings {
            now, luma, seen, ..
        } = around;
        if seen.signs.is_empty() && seen.unread.is_empty() {
            return;
        }
        self.barren.retain(|(_, since)| now - since < BARREN_S);
        self.evidence.regions(seen, &mut self.regions);
        for region in &self.regions {
            let barren = |(at, _): &(Point, f64)| at.distance(region.seed) < 6.0;
            if self.plates.len() >= MOST_PLATES
                || self.credit <= 0
                || known(region.seed)
                || self.barren.iter().any(barren)
                || self.plates.iter().any(|plate| plate.covers(region.seed))
            {
                continue;
            }
            let mut canvas = self.spare.pop().unwrap_or_default();
            canvas.reserve(evidence::MOST_PIXELS);
            let mut plate = Plate::new(canvas, region, *now);
            plate.cut(luma, plate.origin(), 0.0, &mut self.crop);
            plate.add(&self.crop, (0.0, 0.0), &mut self.scratch);
            plate.note(seen.signs);
            self.credit -= plate.pixels() as i64;
            self.plates.push(plate);
        }
    }

    /// Reads a plate's canvas. Whether it is to end: it gave a code that is not known,
    /// or the frame does not show what it gave.
    fn read(
        &mut self,
        i: usize,
        around: &Surroundings<'_>,
        known: &dyn Fn(Point) -> bool,
        out: &mut Codes,
    ) -> bool {
        let plate = &mut self.plates[i];
        plate.tried(around.now);
        let (reader, reads) = (&mut self.reader, &mut self.reads);
        let canvas = plate.canvas.luma();
        if catch_unwind(AssertUnwindSafe(|| reader.read(canvas, &[], reads))).is_err() {
            log::error!("the reader panicked on frames added up; they are given up");
            self.reader = self::reader(self.look);
            self.reads = Reads::default();
            return true;
        }
        self.credit -= self.reads.work.units as i64;
        let mut any = false;
        plate.cut(&around.luma, plate.origin(), 0.0, &mut self.crop);
        let canvas = plate.canvas.luma();
        let lies = self.crop.inside(plate.origin());
        for code in self.reads.codes.iter() {
            let corners = plate.in_picture(&code.corners);
            if known(corners.centre()) {
                continue;
            }
            let like = likeness(canvas, self.crop.luma(), lies, code);
            if like.is_some_and(|like| like < SHOWS) {
                // The canvas was put where it is not, and spoiled by what stands there.
                return true;
            }
            any = true;
            *out.push() = Code {
                corners,
                method: Method::Fused,
                quality: plate.quality(code.quality),
                ..code.clone()
            };
        }
        plate.failed += u32::from(!any);
        any
    }

    fn end(&mut self, i: usize, now: f64) {
        let plate = self.plates.swap_remove(i);
        if plate.failed > 2 && plate.stands() {
            if self.barren.len() == MOST_BARREN {
                self.barren.remove(0);
            }
            self.barren.push((plate.seed(), now));
        }
        self.spare.push(plate.canvas);
    }
}

fn reader(look: Look) -> Reader {
    Reader::new(ReaderOptions {
        inverted: look.inverted,
        mirrored: look.mirrored,
        micro: look.micro,
        max_codes: 4,
        budget: Some(READ_UNITS),
        ..ReaderOptions::default()
    })
}
