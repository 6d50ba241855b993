//! Tracks through frames, one decision for each item.
//!
//! The tracker takes what was read in one frame after another and gives out
//! events. It knows the frames' own stamps, never the wall clock, so that a
//! recorded belt behaves like a live one at any speed.
//!
//! * A code seen again at its predicted place within `lost` is the same code
//!   ([`super::associate`] says how places are predicted). Any other is another.
//! * An item is decided once. Its tracks live on as ghosts, so that a belt that
//!   runs back brings up nothing new; a ghost is forgotten when it has not been
//!   seen for `lost` of watched time, in which frames came.
//! * Without frames for a while nobody knows how far the belt went. A code at
//!   the place predicted by the velocity before, or where it was, is the same;
//!   one in between is published as a new one with `maybe_repeat`.

use std::hash::{DefaultHasher, Hasher};

use super::associate::{Associator, Moment};
use super::cadence::Cadence;
use super::decide;
use super::event::{Event, LastPlace};
use super::fusion::{Fusion, Surroundings};
use super::motion::Motion;
use super::pictures::{Picture, Pictures};
use super::scene::Scene;
use super::text::{Sightings, Skip, TextAnswer, TextDesk, TextRequest};
use super::track::{Clock, Sight, State, Track, Vote, What};
use super::variety::Variety;
use super::window::{Refused, Turn, Window, Windows};
use super::{Hint, Published, Seen, TrackView};
use crate::config::{ItemPlan, NoReadsPlan, OcrPlan, RulePlan, TriggerMode};
use crate::frame::{Luma, Stamp};
use crate::geometry::{Point, Quad};
use crate::qr;

/// Most tracks, ghosts included. Ghosts are small; at 200 codes in view and
/// five views within `lost` it is just enough.
pub(super) const MAX_TRACKS: usize = 1024;
/// Located but unread symbols followed in one frame.
const MAX_UNREAD: usize = 64;
/// Longest that a ghost waits for frames to come back, in seconds.
pub(super) const GAP_MOST_S: f64 = 60.0;
/// Frames still on their way when a window's time has passed, in ns.
const GRACE_NS: u64 = 250_000_000;

/// Follows codes through frames and decides items. Its memory is bounded:
/// 1024 tracks, of which only undecided ones hold texts.
pub struct Tracker {
    pub(super) plan: ItemPlan,
    pub(super) rules: Vec<RulePlan>,
    pub(super) publish_noreads: bool,
    pub(super) pictures: Option<Pictures>,
    pub(super) tracks: Vec<Track>,
    pub(super) motion: Motion,
    pub(super) clock: Clock,
    pub(super) scene: Scene,
    /// Asks for text and holds events that wait for it.
    pub(super) text: TextDesk,
    pub(super) fusion: Fusion,
    /// There is time for it.
    fusing: bool,
    /// Codes of this frame that several frames together told.
    fused: qr::Codes,
    /// Where codes are that need no more votes.
    known: Vec<Quad>,
    pub(super) associator: Associator,
    pub(super) sights: Vec<Sight>,
    windows: Windows,
    window_picture: Option<Picture>,
    pub(super) variety: Variety,
    pub(super) memories: Vec<Published>,
    pub(super) origin: Option<u64>,
    pub(super) cadence: Cadence,
    /// The last frame's time: by its stamp, and as it was taken to be.
    pub(super) last_stamp: f64,
    pub(super) last_frame: f64,
    /// Intervals that the mean interval rests on, at most ten.
    pub(super) intervals: u32,
    next_id: u64,
    overflow: u64,
}

impl Tracker {
    /// Follows codes by `plan`, judges items by `rules`. Pictures of no-reads
    /// are saved if `noreads` has a folder.
    pub fn new(plan: &ItemPlan, rules: Vec<RulePlan>, noreads: &NoReadsPlan) -> Self {
        Self {
            motion: Motion::new(plan),
            plan: plan.clone(),
            rules,
            publish_noreads: noreads.publish,
            pictures: Pictures::new(noreads),
            tracks: Vec::new(),
            clock: Clock::default(),
            scene: Scene {
                now: 0.0,
                interval: 1.0 / 60.0,
                watched_frames: 0,
                miss_rate: 0.3,
                again: 0.0,
                width: plan.width as f32,
                height: plan.height as f32,
            },
            text: TextDesk::new(&OcrPlan::none(), plan),
            fusion: Fusion::new(plan.look),
            fusing: true,
            fused: qr::Codes::default(),
            known: Vec::new(),
            associator: Associator::default(),
            sights: Vec::new(),
            windows: Windows::default(),
            window_picture: None,
            variety: Variety::default(),
            memories: Vec::new(),
            origin: None,
            cadence: Cadence::default(),
            last_stamp: 0.0,
            last_frame: 0.0,
            intervals: 0,
            next_id: 0,
            overflow: 0,
        }
    }

    /// Goes on by another plan. What is in view stays known: a reload neither
    /// loses nor repeats an item.
    pub fn configure(&mut self, plan: &ItemPlan, rules: Vec<RulePlan>, noreads: &NoReadsPlan) {
        self.motion.configure(plan);
        self.scene.width = plan.width as f32;
        self.scene.height = plan.height as f32;
        self.fusion.configure(plan.look);
        self.plan = plan.clone();
        self.rules = rules;
        self.publish_noreads = noreads.publish;
        self.pictures = Pictures::new(noreads);
    }

    /// Asks for text by `ocr`. What was asked by another plan is given up where
    /// its fields are others. Without this no text is asked for.
    pub fn read_text(&mut self, ocr: &OcrPlan) {
        self.text.configure(ocr, &self.plan);
    }

    /// Text that is to be read, taken out. Each must be answered with
    /// [`Tracker::text_read`] or given back with [`Tracker::text_refused`].
    pub fn text_requests(&mut self) -> impl Iterator<Item = TextRequest> + '_ {
        self.text.requests()
    }

    /// Takes what was read of a request; events that waited for it are appended
    /// to `out`.
    pub fn text_read(&mut self, answer: TextAnswer, out: &mut Vec<Event>) {
        self.text.answered(answer);
        self.release(self.clock.now, out);
    }

    /// A request that nobody takes, and why.
    pub fn text_refused(&mut self, request: TextRequest, why: Skip) {
        self.text.refused(request, why);
    }

    /// Whether frames are added up, where the plan wants it. What it took of memory
    /// goes with it.
    pub fn fuse_frames(&mut self, wanted: bool) {
        if self.fusing != wanted {
            self.fusing = wanted;
            self.fusion = Fusion::new(self.plan.look);
        }
    }

    /// Do events wait for text?
    pub fn waits_for_text(&self) -> bool {
        self.text.waits()
    }

    /// Nobody reads text any more: events that wait for it are appended to `out`.
    pub fn give_up_text(&mut self, out: &mut Vec<Event>) {
        self.text.release(f64::MAX, &self.rules, |_| false, out);
    }

    /// Events that need not wait any longer at `now` on the tracker's clock.
    fn release(&mut self, now: f64, out: &mut Vec<Event>) {
        let alive = |id: u64| {
            let track = self.tracks.iter().find(|track| track.id == id);
            track.is_some_and(|track| TextDesk::is_alive(track, now))
        };
        self.text.release(now, &self.rules, alive, out);
    }

    /// Takes what was read in one frame. `luma` is that frame's picture: its size
    /// counts, what was not read is added up over frames, and crops of what may
    /// become a no-read are taken from it. Without it the picture has the plan's
    /// size. Events are appended to `out`.
    pub fn frame(
        &mut self,
        stamp: &Stamp,
        seen: Seen<'_>,
        luma: Option<Luma<'_>>,
        out: &mut Vec<Event>,
    ) {
        if let Some(luma) = luma {
            // Some cameras deliver another size than they were asked for.
            self.scene.width = luma.width() as f32;
            self.scene.height = luma.height() as f32;
        }
        self.advance(stamp, seen);
        self.turn_windows(stamp.mono_ns, stamp.wall_ns, out);
        self.recall(stamp);
        let mut fused = std::mem::take(&mut self.fused);
        fused.clear();
        if let Some(luma) = luma
            && self.plan.fusion
            && self.fusing
        {
            self.fuse(luma, seen, &mut fused);
        }
        let codes = Found {
            single: seen.codes,
            fused: &fused,
        };
        self.collect(codes, seen.unread);
        self.associate();
        self.measure();
        self.follow(codes, stamp);
        self.admit(codes, stamp, out);
        self.fused = fused;
        self.keep_pictures(luma, seen.unread.len());
        if let Some(luma) = luma {
            let sightings = Sightings {
                now: self.clock.now,
                stamp,
                luma,
                heading: self.motion.heading(),
            };
            self.text.frame(&mut self.tracks, &sightings);
        }
        if self.plan.group_px > 0.0 {
            super::group::join(&mut self.tracks, &self.plan, self.clock.now);
        }
        if let Some(window) = self.windows.open() {
            window.frames += 1;
        }
        self.settle(stamp.wall_ns, out);
        self.release(self.clock.now, out);
    }

    /// Time passes without frames: what is due without them is decided.
    pub fn tick(&mut self, mono_ns: u64, wall_ns: i64, out: &mut Vec<Event>) {
        self.turn_windows(mono_ns.saturating_sub(GRACE_NS), wall_ns, out);
        let Some(now) = self.clock_at(mono_ns) else {
            return;
        };
        self.release(now.max(self.clock.now), out);
        if now - self.last_frame > self.gap_after() {
            self.clock.now = now.max(self.clock.now);
            self.settle(wall_ns, out);
        }
    }

    /// Opens a trigger window at `mono_ns` (ends the one that is open).
    pub fn open_window(
        &mut self,
        mono_ns: u64,
        wall_ns: i64,
        request_id: Option<String>,
    ) -> Result<(), Refused> {
        if self.plan.trigger == TriggerMode::Free {
            return Err(Refused::FreeRunning);
        }
        let length = u64::try_from(self.plan.window.as_nanos()).unwrap_or(u64::MAX);
        self.windows.trigger(mono_ns, wall_ns, length, request_id)
    }

    /// Places where codes are expected in a frame taken at `mono_ns`.
    pub fn hints(&self, mono_ns: u64, out: &mut Vec<Hint>) {
        let Some(now) = self.clock_at(mono_ns) else {
            return;
        };
        for track in self.tracks.iter().filter(|track| !track.remembered) {
            let way = track.way(&self.motion, now);
            if self.scene.touches(track.centre + way, track.size) {
                out.push(Hint {
                    corners: track.corners.shifted(way),
                    velocity: self.velocity(track),
                    motion: None,
                });
            }
        }
    }

    /// An orderly stop: open windows are answered, items that were read are
    /// decided. Items seen but not read are left to the next start.
    pub fn finish(&mut self, wall_ns: i64, out: &mut Vec<Event>) {
        self.turn_windows(u64::MAX, wall_ns, out);
        if self.plan.trigger == TriggerMode::Free {
            decide::decide_all(self, wall_ns, out);
        }
    }

    /// What is followed now, for status and page.
    pub fn tracks(&self) -> impl Iterator<Item = TrackView> + '_ {
        self.tracks
            .iter()
            .filter(|track| !track.remembered)
            .map(|track| TrackView {
                corners: track
                    .corners
                    .shifted(track.way(&self.motion, self.clock.now)),
                velocity: self.velocity(track),
                frames: track.frames,
                votes: track.champion().map_or(0, |ballot| ballot.votes),
                decided: track.state == State::Decided,
            })
    }

    /// Tracks given up because there were too many.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Folder of no-read pictures, if they are kept; also for snapshots.
    pub fn pictures(&mut self) -> Option<&mut Pictures> {
        self.pictures.as_mut()
    }

    pub(super) fn velocity(&self, track: &Track) -> Point {
        // The belt's velocity is known from all codes, the track's own perhaps
        // from two sights.
        match self.motion.expected() {
            Some(belt) if track.rides() => belt * track.gear,
            _ => track.velocity.unwrap_or_default(),
        }
    }

    pub(super) fn last_place(&self, track: &Track) -> LastPlace {
        LastPlace {
            centre: track.centre,
            velocity: self.velocity(track),
            wall_ns: track.last.wall_ns,
        }
    }

    /// Codes that no single frame tells, from this frame and those before.
    fn fuse(&mut self, luma: Luma<'_>, seen: Seen<'_>, fused: &mut qr::Codes) {
        let idle = self.plan.trigger == TriggerMode::Window && self.windows.open().is_none();
        if idle {
            self.fusion.clear();
            return;
        }
        let now = self.clock.now;
        self.known.clear();
        for track in self.tracks.iter().filter(|track| !track.remembered) {
            let votes = track.champion().map_or(0, |best| best.votes);
            let place = track.centre + track.way(&self.motion, now);
            let enough = track.state == State::Decided || votes >= self.plan.confirm_frames;
            if enough && self.scene.touches(place, track.size) {
                self.known.push(track.corners.shifted(place - track.centre));
            }
        }
        let around = Surroundings {
            now,
            luma,
            seen,
            known: &self.known,
            belt: self.motion.believed(),
        };
        self.fusion.frame(&around, fused);
    }

    /// What stands in this frame, each thing once.
    pub(super) fn collect(&mut self, codes: Found<'_>, unread: &[qr::Unread]) {
        self.sights.clear();
        for (index, code) in codes.iter().enumerate() {
            let content = &code.content;
            let hash = if content.is_text {
                hash_of(true, content.text.as_bytes())
            } else {
                hash_of(false, &content.bytes)
            };
            let sight = Sight::new(code.corners, What::Read(index, hash));
            // One symbol read twice in a frame is one symbol.
            let twice = self.sights.iter().any(|other| {
                matches!(other.what, What::Read(_, h) if h == hash)
                    && other.centre.distance(sight.centre) < 0.5 * sight.size
            });
            if sight.is_sane() && !twice {
                self.sights.push(sight);
            }
        }
        let read = self.sights.len();
        for symbol in unread.iter().take(MAX_UNREAD) {
            let sight = Sight::new(symbol.corners, What::Unread(symbol.reason));
            // Finder patterns of a code that was read, taken once more alone or
            // with a neighbour's, are no second symbol.
            let covered = self.sights.iter().enumerate().any(|(i, other)| {
                let reach = if i < read { 1.0 } else { 0.5 };
                other.centre.distance(sight.centre) < reach * other.size.max(sight.size)
                    || (i < read && sight.corners.contains(other.centre))
            });
            if sight.is_sane() && !covered {
                self.sights.push(sight);
            }
        }
    }

    /// Finds which sight is which track; once more, without belief in the belt's
    /// motion, where that alone explains what is seen.
    fn associate(&mut self) {
        self.explain();
        if self.associator.is_begging(&self.tracks, &self.sights) {
            self.motion.doubt();
            self.explain();
        }
        self.go_on_by_what_was_lost();
    }

    pub(super) fn explain(&mut self) {
        self.associator.run(Moment {
            tracks: &self.tracks,
            sights: &self.sights,
            motion: &self.motion,
            scene: &self.scene,
        });
    }

    /// Learns from the assignment how the belt moved and how often a code in
    /// view is missed.
    fn measure(&mut self) {
        let scene = self.scene;
        for track in &mut self.tracks {
            track.missed = track.missed.saturating_add(1);
        }
        for &(i, j, _) in &self.associator.matched {
            if matches!(self.sights[j].what, What::Read(..)) {
                self.tracks[i].missed = 0;
            }
        }
        for track in &self.tracks {
            let place = track.centre + track.way(&self.motion, scene.now);
            let expected = track.frames >= 2 && track.is_read() && !track.remembered;
            if expected && track.missed < 16 && scene.shows(place, track.size) {
                let missed = f32::from(u8::from(track.missed > 0));
                self.scene.miss_rate += 0.02 * (missed - self.scene.miss_rate);
            }
        }
        self.scene.miss_rate = self.scene.miss_rate.clamp(0.05, 0.75);
        if self.associator.is_puzzled() {
            self.motion.puzzle();
        }
        let Some((place, mean)) = self.associator.evidence else {
            return;
        };
        let dark = self.clock.now - self.motion.at - 1.5 * scene.interval;
        for track in &mut self.tracks {
            if track.seen > self.motion.at {
                // First seen while nothing told of the belt: now it is known
                // what the odometer should have shown.
                let since = (self.clock.now - track.seen) as f32;
                track.odometer = place - mean * since;
            } else if dark > 0.0 {
                track.blind += dark;
            }
        }
        self.motion
            .evidence(place, mean, self.clock.now, scene.interval);
    }

    /// Moves the tracks to their sights and counts the votes.
    fn follow(&mut self, codes: Found<'_>, stamp: &Stamp) {
        for k in 0..self.associator.matched.len() {
            let (i, j, rode) = self.associator.matched[k];
            if self.associator.doubtful.contains(&i) {
                self.tracks[i].maybe_repeat = true;
            }
            let sight = self.sights[j];
            let whole = self.is_whole(&sight.corners);
            let track = &mut self.tracks[i];
            let jumped = !rode && !track.gap && track.blind == 0.0;
            track.stray = match jumped {
                true => (track.stray + 1).min(4),
                false => track.stray.saturating_sub(u8::from(rode)),
            };
            if track.remembered {
                track.size = sight.size;
            }
            track.follow(&sight, &self.motion, self.clock, stamp, whole);
            track.remembered = false;
            if let What::Read(index, hash) = sight.what
                && let Some(code) = codes.get(index)
                && track.vote(hash, code, stamp) == Vote::Challenger
            {
                self.split(i, hash);
            }
        }
    }

    /// Another item lies where this one is expected: it gets its own track.
    fn split(&mut self, i: usize, hash: u64) {
        let id = self.new_id();
        let old = &mut self.tracks[i];
        let Some(at) = old.ballots.iter().position(|ballot| ballot.hash == hash) else {
            return;
        };
        let ballot = old.ballots.remove(at);
        let mut other = old.clone();
        other.id = id;
        other.item = id;
        other.state = State::Open;
        other.maybe_repeat = false;
        other.picture = None;
        other.texts = false;
        other.frames = ballot.votes;
        other.whole = ballot.votes;
        other.first = ballot.best;
        other.reasons = Default::default();
        other.ballots = vec![ballot];
        self.tracks.push(other);
    }

    /// New tracks for what is new; those of what turned out to be known go.
    fn admit(&mut self, codes: Found<'_>, stamp: &Stamp, out: &mut Vec<Event>) {
        self.associator.known.sort_unstable();
        for &i in self.associator.known.iter().rev() {
            self.tracks.remove(i);
        }
        for k in 0..self.associator.fresh.len() {
            let (j, doubtful) = self.associator.fresh[k];
            let sight = self.sights[j];
            if matches!(sight.what, What::Unread(_)) && self.is_shadow(&sight) {
                continue;
            }
            if self.tracks.len() >= MAX_TRACKS {
                self.make_room(stamp.wall_ns, out);
            }
            let id = self.new_id();
            let Clock { now, watched } = self.clock;
            let mut track = Track::new(id, &sight, stamp, now, watched);
            let whole = self.is_whole(&sight.corners);
            track.odometer = self.motion.reading(now);
            track.follow(&sight, &self.motion, self.clock, stamp, whole);
            track.maybe_repeat = doubtful;
            if let What::Read(index, hash) = sight.what
                && let Some(code) = codes.get(index)
            {
                track.vote(hash, code, stamp);
                if code.method == qr::Method::Fused {
                    self.absorb(&mut track);
                }
            }
            self.tracks.push(track);
        }
    }

    /// What was located in the frames before where fused ones tell of a code now
    /// was that code, seen askew.
    fn absorb(&mut self, track: &mut Track) {
        let (motion, now) = (&self.motion, self.clock.now);
        self.tracks.retain(|other| {
            let place = other.centre + other.way(motion, now);
            let same = other.state == State::Open
                && !other.is_read()
                && place.distance(track.centre) < 0.75 * track.size.max(other.size);
            if same {
                if other.first.mono_ns < track.first.mono_ns {
                    track.first = other.first;
                    track.born_watched = other.born_watched;
                    track.born_at = other.born_at;
                }
                track.frames += other.frames;
                track.whole += other.whole;
            }
            !same
        });
    }

    /// An unread symbol beside a known track is that track, seen askew.
    fn is_shadow(&self, sight: &Sight) -> bool {
        self.tracks.iter().any(|track| {
            let place = track.centre + track.way(&self.motion, self.clock.now);
            !track.remembered && place.distance(sight.centre) < track.size.max(sight.size)
        })
    }

    fn make_room(&mut self, wall_ns: i64, out: &mut Vec<Event>) {
        let oldest = |tracks: &[Track], state: State| {
            (0..tracks.len())
                .filter(|&i| tracks[i].state == state)
                .min_by(|&a, &b| tracks[a].seen.total_cmp(&tracks[b].seen))
        };
        let ghost = oldest(&self.tracks, State::Decided);
        if let Some(i) = ghost.or_else(|| oldest(&self.tracks, State::Open)) {
            if self.tracks[i].state == State::Open && self.plan.trigger == TriggerMode::Free {
                decide::decide_item(self, self.tracks[i].item, wall_ns, out);
            }
            self.tracks.swap_remove(i);
            self.overflow += 1;
        }
    }

    /// Decides what is due and forgets what is over.
    fn settle(&mut self, wall_ns: i64, out: &mut Vec<Event>) {
        if self.plan.trigger == TriggerMode::Free {
            decide::decide_due(self, wall_ns, out);
        }
        let lost = self.plan.lost.as_secs_f64();
        let Clock { now, watched } = self.clock;
        self.tracks.retain(|track| {
            watched - track.seen_watched < lost && now - track.seen < lost + GAP_MOST_S
        });
    }

    fn turn_windows(&mut self, mono_ns: u64, wall_ns: i64, out: &mut Vec<Event>) {
        while let Some(turn) = self.windows.turn(mono_ns) {
            let closed: Option<Window> = match turn {
                Turn::Opened => None,
                Turn::Closed(window) => Some(window),
            };
            if let Some(window) = closed {
                let picture = self.window_picture.take();
                decide::decide_window(self, window, picture, wall_ns, out);
            }
            // Each window stands for itself: it starts with nothing seen.
            self.tracks.clear();
            self.fusion.clear();
        }
    }

    /// Keeps a crop of the best sight of each track that may become a no-read,
    /// and of an open window one whole frame.
    fn keep_pictures(&mut self, luma: Option<Luma<'_>>, unread: usize) {
        let (Some(luma), Some(_)) = (luma, &self.pictures) else {
            return;
        };
        if let Some(window) = self.windows.open() {
            let middle = window.start + (window.end - window.start) / 2;
            let now_ns = self.origin.unwrap_or(0) + (self.clock.now * 1e9) as u64;
            let rank = unread as f32 + 0.5 * f32::from(u8::from(now_ns <= middle));
            Picture::keep(&mut self.window_picture, &luma, None, rank);
            return;
        }
        let mut budget = super::pictures::MAX_CROPS;
        for track in &mut self.tracks {
            if track.is_read() || track.state == State::Decided {
                track.picture = None;
                continue;
            }
            if budget == 0 {
                break;
            }
            budget -= 1;
            if track.seen == self.clock.now {
                let middle = Point::new(self.scene.width * 0.5, self.scene.height * 0.5);
                let rank = track.size / (1.0 + 0.001 * track.centre.distance(middle));
                Picture::keep(&mut track.picture, &luma, Some(&track.corners), rank);
            }
        }
    }

    fn is_whole(&self, corners: &Quad) -> bool {
        let (left, top, right, bottom) = corners.bounds();
        left > 1.0
            && top > 1.0
            && right < self.scene.width - 1.0
            && bottom < self.scene.height - 1.0
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// The codes of one frame: those that it tells by itself, then those that it tells
/// together with the frames before.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) single: &'a [qr::Code],
    pub(super) fused: &'a [qr::Code],
}

impl<'a> Found<'a> {
    fn iter(self) -> impl Iterator<Item = &'a qr::Code> {
        self.single.iter().chain(self.fused)
    }

    fn get(self, index: usize) -> Option<&'a qr::Code> {
        match index.checked_sub(self.single.len()) {
            None => self.single.get(index),
            Some(index) => self.fused.get(index),
        }
    }
}

/// What makes two payloads the same: the text, or the bytes that are no text.
pub(super) fn hash_of(is_text: bool, payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(u8::from(is_text));
    hasher.write(payload);
    hasher.finish()
}
