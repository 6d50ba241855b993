//! Where text of items is asked for, collected and waited for.
//!
//! While a code is read in a frame, each of its fields is cut out there, and the
//! sharpest cut is kept. It is asked for once its code has nearly enough votes;
//! where the answer is not sure, a later cut is asked for, and frames vote. An
//! item that is decided takes along what is there. Only where a rule needs text
//! that may still come, its event is held for at most `ocr.wait-ms` on the
//! frames' own clock.
//!
//! Memory: at most `ocr.strips` strips and two copies of parts of the picture,
//! which go round; entries for items that are not decided yet.

use super::entry::{Entry, Kept, MOST_READINGS};
use super::place::{Spot, spot};
use super::{Area, Cut, EventText, ItemText, Skip, SkippedText, TextAnswer, TextRequest};
use crate::config::{Decide, ItemPlan, OcrPlan, RulePlan, TriggerMode};
use crate::frame::{Luma, Stamp};
use crate::geometry::{Point, Quad};
use crate::item::Event;
use crate::item::decide::gs1_of;
use crate::item::track::{State, Track};
use crate::ocr::{Line, Strip};
use std::sync::Arc;

/// Most lines cut out of one frame. One is some tens of thousands of pixels: 24
/// of them are about the pixels of a frame.
const MOST_CUTS: usize = 24;
/// Most copies of parts of the picture under way.
const MOST_AREAS: usize = 2;
/// Most lines of one search that an event tells.
const MOST_LINES: usize = 32;
/// A code that was not seen for so long, in seconds, brings no more text.
const GONE_S: f64 = 0.25;
/// Votes beyond the confirmation for which the sharpest frame is waited where an
/// item is decided later anyway.
const MORE_VOTES: u32 = 2;

/// What is in the present frame.
pub(in crate::item) struct Sightings<'a> {
    /// The tracker's clock, in seconds.
    pub now: f64,
    pub stamp: &'a Stamp,
    pub luma: Luma<'a>,
    /// Where the belt runs.
    pub heading: Option<Point>,
}

/// Asks for text, collects it, and holds events that wait for it.
#[derive(Debug)]
pub(in crate::item) struct TextDesk {
    plan: OcrPlan,
    /// Votes of a code from which on its text is asked for.
    votes: u32,
    entries: Vec<Entry>,
    strips: Vec<Strip>,
    strips_made: usize,
    areas: Vec<Area>,
    areas_made: usize,
    requests: Vec<TextRequest>,
    next_id: u64,
    held: Vec<Held>,
    /// Where the cuts of this frame begin, so that all entries get their turn.
    turn: usize,
}

/// An event that waits.
#[derive(Debug)]
struct Held {
    event: Event,
    /// Tracks of its codes, in their order.
    tracks: Vec<u64>,
    /// On the tracker's clock, in seconds.
    until: f64,
}

impl TextDesk {
    pub fn new(plan: &OcrPlan, item: &ItemPlan) -> Self {
        Self {
            plan: plan.clone(),
            votes: votes(item),
            entries: Vec::new(),
            strips: Vec::new(),
            strips_made: 0,
            areas: Vec::new(),
            areas_made: 0,
            requests: Vec::new(),
            next_id: 0,
            held: Vec::new(),
            turn: 0,
        }
    }

    /// Goes on by another plan. Where the fields are others, what was collected
    /// by the old ones is given up, and events that wait for it wait no longer.
    pub fn configure(&mut self, plan: &OcrPlan, item: &ItemPlan) {
        if self.plan.fields != plan.fields {
            while let Some(entry) = self.entries.pop() {
                self.recycle(entry);
            }
            for held in &mut self.held {
                held.until = f64::MIN;
            }
        }
        self.plan = plan.clone();
        self.votes = votes(item);
    }

    /// Cuts what is in this frame and asks for what is due.
    pub fn frame(&mut self, tracks: &mut [Track], seen: &Sightings<'_>) {
        if self.plan.fields.is_empty() {
            return;
        }
        for track in tracks.iter_mut() {
            if track.state == State::Open && track.is_read() && !track.remembered && !track.texts {
                track.texts = true;
                self.open(track, seen);
            }
        }
        self.forget(tracks);
        self.cut(tracks, seen);
        self.ask(tracks, seen);
    }

    /// What is to be asked, taken out.
    pub fn requests(&mut self) -> std::vec::Drain<'_, TextRequest> {
        self.requests.drain(..)
    }

    /// Takes an answer.
    pub fn answered(&mut self, answer: TextAnswer) {
        let TextAnswer { id, cut, lines } = answer;
        self.shelve(cut);
        let sure = self.plan.sure;
        let mine = |entry: &&mut Entry| entry.asked.is_some_and(|(asked, _)| asked == id);
        let Some(entry) = self.entries.iter_mut().find(mine) else {
            return;
        };
        let lines = lines.map(|mut lines| {
            lines.truncate(MOST_LINES);
            lines
        });
        entry.answered(lines, sure);
        if entry.done
            && let Some(cut) = entry.give_back()
        {
            self.shelve(cut);
        }
    }

    /// Nobody has time for this one.
    pub fn refused(&mut self, request: TextRequest, why: Skip) {
        self.answered(TextAnswer {
            id: request.id,
            cut: request.cut,
            lines: Err(why),
        });
    }

    /// An item with these tracks is decided: its event, if it need not wait for
    /// text that `rules` ask for.
    pub fn decided(
        &mut self,
        event: Event,
        tracks: Vec<u64>,
        now: f64,
        rules: &[RulePlan],
    ) -> Option<Event> {
        let held = Held {
            event,
            tracks,
            until: now + self.plan.wait.as_secs_f64(),
        };
        let waits = self.plan.wait.as_secs_f64() > 0.0
            && self
                .entries
                .iter()
                .any(|entry| self.is_awaited(entry, &held, rules) && !entry.done);
        if waits {
            self.held.push(held);
            return None;
        }
        Some(self.complete(held, rules))
    }

    /// Gives out the events that need not wait any longer. `alive` says whether
    /// more may come of a track.
    pub fn release(
        &mut self,
        now: f64,
        rules: &[RulePlan],
        alive: impl Fn(u64) -> bool,
        out: &mut Vec<Event>,
    ) {
        let mut i = 0;
        while i < self.held.len() {
            let held = &self.held[i];
            let waits = now < held.until
                && self.entries.iter().any(|entry| {
                    self.is_awaited(entry, held, rules)
                        && !entry.done
                        && (!entry.is_idle() || alive(entry.track))
                });
            if waits {
                i += 1;
                continue;
            }
            let held = self.held.remove(i);
            out.push(self.complete(held, rules));
        }
    }

    /// Do events wait?
    pub fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// May more come of this track?
    pub fn is_alive(track: &Track, now: f64) -> bool {
        now - track.seen < GONE_S
    }

    fn is_awaited(&self, entry: &Entry, held: &Held, rules: &[RulePlan]) -> bool {
        let name = self.name(entry);
        held.tracks.contains(&entry.track)
            && rules
                .iter()
                .filter_map(|rule| rule.field.as_ref())
                .any(|rule| Some(rule.name.as_str()) == name)
    }

    fn name(&self, entry: &Entry) -> Option<&str> {
        Some(self.plan.fields.get(entry.field)?.name.as_str())
    }

    /// Entries for the fields of a code that was read for the first time.
    fn open(&mut self, track: &Track, seen: &Sightings<'_>) {
        let Some(code) = track.champion().and_then(|best| best.code.as_deref()) else {
            return;
        };
        for (nth, field) in self.plan.fields.iter().enumerate() {
            let has_ai = |ai: &str| {
                gs1_of(code, seen.stamp.wall_ns).is_some_and(|elements| elements.contains_key(ai))
            };
            let spot = spot(&field.place, field.turns, code, seen.heading, has_ai);
            if let Some(spot) = spot {
                self.entries.push(Entry::new(track.id, nth, spot));
            }
        }
    }

    /// Entries of items that are decided and told, or were given up.
    fn forget(&mut self, tracks: &[Track]) {
        let mut i = 0;
        while i < self.entries.len() {
            let id = self.entries[i].track;
            let open = |track: &Track| track.id == id && track.state == State::Open;
            let held = |held: &Held| held.tracks.contains(&id);
            if tracks.iter().any(open) || self.held.iter().any(held) {
                i += 1;
            } else {
                let entry = self.entries.swap_remove(i);
                self.recycle(entry);
            }
        }
    }

    fn cut(&mut self, tracks: &[Track], seen: &Sightings<'_>) {
        let count = self.entries.len();
        let mut cuts = 0;
        for step in 0..count {
            let i = (self.turn + step) % count;
            let entry = &self.entries[i];
            if entry.done {
                continue;
            }
            // Its corners are this frame's: it was read here, not only expected.
            let here = |track: &&Track| {
                track.id == entry.track && track.seen == seen.now && track.missed == 0
            };
            let Some(track) = tracks.iter().find(here) else {
                continue;
            };
            let Some(corners) = entry.spot.corners(&track.corners) else {
                continue;
            };
            if !is_inside(&corners, seen.luma) {
                continue;
            }
            if cuts == MOST_CUTS {
                self.turn = i;
                break;
            }
            cuts += 1;
            self.keep(i, corners, track.centre, seen);
        }
    }

    /// Cuts a line and keeps it if it is the sharpest.
    fn keep(&mut self, i: usize, corners: Quad, anchor: Point, seen: &Sightings<'_>) {
        let strip = match self.strips.pop() {
            Some(mut strip) => match strip.recut(seen.luma, &corners) {
                true => strip,
                false => {
                    self.strips.push(strip);
                    return;
                }
            },
            None if self.strips_made < self.plan.strips => {
                let Some(strip) = Strip::cut(seen.luma, &corners) else {
                    return;
                };
                self.strips_made += 1;
                strip
            }
            None => {
                self.entries[i].skip.get_or_insert(Skip::QueueFull);
                return;
            }
        };
        let sharpness = strip.sharpness();
        let entry = &mut self.entries[i];
        let better = entry
            .best
            .as_ref()
            .is_none_or(|best| sharpness > best.sharpness);
        if better {
            let kept = Kept {
                strip,
                corners,
                anchor,
                mono_ns: seen.stamp.mono_ns,
                sharpness,
            };
            if let Some(old) = entry.best.replace(kept) {
                self.strips.push(old.strip);
            }
        } else {
            self.strips.push(strip);
        }
    }

    fn ask(&mut self, tracks: &[Track], seen: &Sightings<'_>) {
        for entry in &mut self.entries {
            if entry.done || entry.asked.is_some() || entry.requests >= MOST_READINGS {
                continue;
            }
            let track = tracks.iter().find(|track| track.id == entry.track);
            let due = track.is_none_or(|track| {
                track.seen < seen.now
                    || track.state == State::Decided
                    || track
                        .champion()
                        .is_some_and(|best| best.votes >= self.votes)
            });
            if !due {
                continue;
            }
            let (cut, corners, anchor, mono_ns) = match (&entry.spot, track) {
                (Spot::Within(part), Some(track)) if track.seen == seen.now => {
                    let mut area = match self.areas.pop() {
                        Some(area) => area,
                        None if self.areas_made < MOST_AREAS => {
                            self.areas_made += 1;
                            Area::default()
                        }
                        None => {
                            entry.skip.get_or_insert(Skip::QueueFull);
                            continue;
                        }
                    };
                    area.copy(seen.luma, *part);
                    let mono_ns = seen.stamp.mono_ns;
                    (Cut::Area(area), track.corners, track.centre, mono_ns)
                }
                (Spot::Within(_), _) => continue,
                _ => match entry.best.take() {
                    Some(kept) => (
                        Cut::Strip(kept.strip),
                        kept.corners,
                        kept.anchor,
                        kept.mono_ns,
                    ),
                    None => continue,
                },
            };
            let Some(field) = self.plan.fields.get(entry.field) else {
                continue;
            };
            self.next_id += 1;
            entry.asked = Some((self.next_id, anchor));
            entry.requests += 1;
            self.requests.push(TextRequest {
                id: self.next_id,
                wanted: Arc::clone(&field.wanted),
                cut,
                corners,
                mono_ns,
            });
        }
    }

    /// The event with the text that is there, and its verdict.
    fn complete(&mut self, held: Held, rules: &[RulePlan]) -> Event {
        let Held {
            mut event, tracks, ..
        } = held;
        let mut text = ItemText::default();
        let mut i = 0;
        while i < self.entries.len() {
            if !tracks.contains(&self.entries[i].track) {
                i += 1;
                continue;
            }
            // In the order of the fields, and of the codes that they stand beside.
            let entry = self.entries.remove(i);
            self.tell(&entry, &tracks, &event, &mut text);
            self.recycle(entry);
        }
        // A field of the whole picture was asked for with each of its codes.
        let found: Vec<_> = text.texts.iter().map(|text| text.name.clone()).collect();
        let mut told = Vec::new();
        text.skipped.retain(|skipped| {
            let beside = self.plan.fields.iter().any(|field| {
                field.name == skipped.name
                    && matches!(field.place, crate::config::FieldPlace::Code { .. })
            });
            let first = !told.contains(&skipped.name);
            told.push(skipped.name.clone());
            beside || (first && !found.contains(&skipped.name))
        });
        event.verdict = crate::item::judge(rules, &event.codes, &text, event.decided_wall_ns);
        event.text = text;
        event
    }

    fn tell(&self, entry: &Entry, tracks: &[u64], event: &Event, text: &mut ItemText) {
        let Some(field) = self.plan.fields.get(entry.field) else {
            return;
        };
        if entry.ballots.is_empty() {
            let reason = match entry.is_idle() {
                false => Skip::Late,
                true => entry.skip.unwrap_or(Skip::OutOfView),
            };
            text.skipped.push(SkippedText {
                name: field.name.clone(),
                reason,
            });
            return;
        }
        let prefix = field.prefix.as_deref();
        let beside = matches!(entry.spot, Spot::Beside(_));
        let code = tracks.iter().position(|id| *id == entry.track);
        let mut push = |line: &Line, anchor: Point, confidence: f32| {
            let value = value_of(&line.text, prefix);
            let whole = !beside && text.texts.iter().any(|told| told.name == field.name);
            let searched = matches!(entry.spot, Spot::Within(_));
            // Read with another code of the item already.
            if whole && !searched {
                return;
            }
            // Carried along to where the event has the code.
            let way = code
                .and_then(|code| event.codes.get(code))
                .map_or(Point::default(), |code| code.corners.centre() - anchor);
            text.texts.push(EventText {
                name: field.name.clone(),
                text: value.to_owned(),
                confidence,
                corners: line
                    .corners
                    .shifted(if beside { way } else { Point::default() }),
                code: code.filter(|_| beside),
            });
        };
        match entry.spot {
            Spot::Within(_) => {
                for ballot in &entry.ballots {
                    push(&ballot.line, ballot.anchor, ballot.line.confidence);
                }
            }
            _ => {
                if let Some(best) = entry.champion() {
                    push(&best.line, best.anchor, entry.confidence(best));
                }
            }
        }
    }

    fn recycle(&mut self, mut entry: Entry) {
        if let Some(cut) = entry.give_back() {
            self.shelve(cut);
        }
    }

    fn shelve(&mut self, cut: Cut) {
        match cut {
            Cut::Strip(strip) => self.strips.push(strip),
            Cut::Area(area) => self.areas.push(area),
        }
    }
}

/// A field's value: its text without what is printed before it.
fn value_of<'a>(text: &'a str, prefix: Option<&str>) -> &'a str {
    let text = text.trim();
    prefix
        .and_then(|prefix| text.strip_prefix(prefix.trim()))
        .map_or(text, str::trim_start)
}

/// Votes from which on text is asked for: so early that it is there when the
/// item is decided, and late enough for a choice of frames where there is time.
fn votes(item: &ItemPlan) -> u32 {
    let early = item.trigger == TriggerMode::Free && item.decide == Decide::Confirmed;
    if early {
        item.confirm_frames.saturating_sub(1).max(1)
    } else {
        item.confirm_frames + MORE_VOTES
    }
}

fn is_inside(corners: &Quad, luma: Luma<'_>) -> bool {
    let (left, top, right, bottom) = corners.bounds();
    left >= 0.0 && top >= 0.0 && right <= luma.width() as f32 && bottom <= luma.height() as f32
}
