//! When an item is decided, and what is then said of it.
//!
//! Confirmed: as soon as enough frames agree. Line: when its centre passes a
//! line. Leave: when it is out of the picture. Whatever was read at all is
//! published at the latest when it has left or was lost; one frame is enough
//! then, since a code that error correction accepted is not a guess. What was
//! never read gives a no-read if it was followed for a few frames on its way.

use super::event::{
    Event, EventCode, EventKind, Failure, Gs1Elements, NoRead, TrackSummary, Trigger,
};
use super::group;
use super::pictures::Picture;
use super::text::ItemText;
use super::track::{REASONS, State, Track};
use super::tracker::Tracker;
use super::window::Window;
use crate::config::Decide;
use crate::frame::Stamp;
use crate::geometry::Point;
use crate::qr;

/// An unread symbol seen in fewer frames than this is taken for clutter.
const NOREAD_FRAMES: u32 = 2;

/// Decides every item that is due.
pub(super) fn decide_due(tracker: &mut Tracker, wall_ns: i64, out: &mut Vec<Event>) {
    // Tracks are in order of their birth except where one was given up.
    let mut i = 0;
    while i < tracker.tracks.len() {
        let track = &tracker.tracks[i];
        if track.state == State::Open && is_due(tracker, track.item) {
            decide_item(tracker, track.item, wall_ns, out);
        }
        i += 1;
    }
}

/// Decides every open item that was read: the daemon stops.
pub(super) fn decide_all(tracker: &mut Tracker, wall_ns: i64, out: &mut Vec<Event>) {
    for i in 0..tracker.tracks.len() {
        let item = tracker.tracks[i].item;
        let read = |t: &Track| t.item == item && t.state == State::Open && t.is_read();
        if tracker.tracks.iter().any(read) {
            decide_item(tracker, item, wall_ns, out);
        }
    }
}

fn is_due(tracker: &Tracker, item: u64) -> bool {
    let members = || {
        tracker
            .tracks
            .iter()
            .filter(move |track| track.item == item && track.state == State::Open)
    };
    let gone = |track: &Track| is_gone(tracker, track);
    if members().all(gone) {
        return true;
    }
    let confirmed = || {
        let enough = |track: &Track| {
            track
                .champion()
                .is_some_and(|best| best.votes >= tracker.plan.confirm_frames)
        };
        members().any(enough)
            && members().all(|track| enough(track) || gone(track))
            && (tracker.plan.group_px <= 0.0 || group::is_complete(tracker, item))
    };
    match tracker.plan.decide {
        Decide::Confirmed => confirmed(),
        Decide::Leave => false,
        Decide::Line => match line_passed(tracker, members()) {
            Line::Ahead => false,
            Line::Passed => members().any(|track| track.is_read() || is_noread(tracker, track)),
            Line::Behind => confirmed(),
        },
    }
}

/// Out of the picture, or out of sight for too long.
fn is_gone(tracker: &Tracker, track: &Track) -> bool {
    let now = tracker.clock.now;
    if track.seen == now {
        return false;
    }
    let place = track.centre + track.way(&tracker.motion, now);
    !tracker.scene.touches(place, track.size) || now - track.seen >= tracker.plan.lost.as_secs_f64()
}

enum Line {
    /// Not there yet, or nobody knows yet which way the belt runs.
    Ahead,
    /// Passed since it was first seen.
    Passed,
    /// First seen beyond it.
    Behind,
}

fn line_passed<'a>(tracker: &Tracker, members: impl Iterator<Item = &'a Track>) -> Line {
    let (mut now, mut born, mut count) = (Point::default(), Point::default(), 0.0);
    for track in members {
        now = now + track.centre + track.way(&tracker.motion, tracker.clock.now);
        born = born + track.born_at;
        count += 1.0;
    }
    let Some(heading) = tracker.motion.heading() else {
        return Line::Ahead;
    };
    let (width, height) = (tracker.scene.width, tracker.scene.height);
    let middle = Point::new(width * 0.5, height * 0.5);
    let length = (heading.x * width).abs() + (heading.y * height).abs();
    let share = |sum: Point| (sum * (1.0 / count) - middle).dot(heading) / length + 0.5;
    if share(born) >= tracker.plan.line {
        Line::Behind
    } else if share(now) >= tracker.plan.line {
        Line::Passed
    } else {
        Line::Ahead
    }
}

/// Followed for a few frames, on its way, and never read: clutter stands still.
fn is_noread(tracker: &Tracker, track: &Track) -> bool {
    !track.is_read()
        && track.whole >= NOREAD_FRAMES.max(tracker.plan.confirm_frames)
        && track.centre.distance(track.born_at) > (0.5 * track.size).max(8.0)
}

/// Decides one item: at most one event, and ghosts.
pub(super) fn decide_item(tracker: &mut Tracker, item: u64, wall_ns: i64, out: &mut Vec<Event>) {
    let members: Vec<usize> = (0..tracker.tracks.len())
        .filter(|&i| tracker.tracks[i].item == item && tracker.tracks[i].state == State::Open)
        .collect();
    let noread = members
        .iter()
        .copied()
        .filter(|&i| is_noread(tracker, &tracker.tracks[i]))
        .max_by_key(|&i| tracker.tracks[i].whole);
    if let Some((event, tracks)) = read_event(tracker, &members, Trigger::Free, wall_ns) {
        tell(tracker, event, tracks, out);
    } else if let Some(i) = noread
        && tracker.publish_noreads
    {
        let event = noread_event(tracker, i, wall_ns);
        out.push(event);
    }
    for i in members {
        let track = &mut tracker.tracks[i];
        track.state = State::Decided;
        track.picture = None;
        if let Some(top) = track.champion().map(|ballot| ballot.hash) {
            track.ballots.retain(|ballot| ballot.hash == top);
            track.ballots[0].code = None;
        }
    }
}

/// Gives out the event of an item with these tracks, or holds it for its text.
fn tell(tracker: &mut Tracker, event: Event, tracks: Vec<u64>, out: &mut Vec<Event>) {
    let now = tracker.clock.now;
    out.extend(tracker.text.decided(event, tracks, now, &tracker.rules));
}

/// One event of all that was read, with the track of each of its codes; `None` if
/// nothing was. It has neither text nor verdict yet.
fn read_event(
    tracker: &mut Tracker,
    members: &[usize],
    trigger: Trigger,
    wall_ns: i64,
) -> Option<(Event, Vec<u64>)> {
    let mut members: Vec<usize> = members
        .iter()
        .copied()
        .filter(|&i| tracker.tracks[i].is_read())
        .collect();
    let now = tracker.clock.now;
    group::reading_order(&mut members, |i| {
        let track = &tracker.tracks[i];
        (track.centre + track.way(&tracker.motion, now), track.size)
    });
    let first = *members.first()?;
    let place = tracker.last_place(&tracker.tracks[first]);
    let mut codes = Vec::with_capacity(members.len());
    let mut tracks = Vec::with_capacity(members.len());
    let mut best: Option<(f32, Stamp)> = None;
    let mut summary = TrackSummary {
        frames: 0,
        votes: u32::MAX,
        velocity_px_s: place.velocity,
        first_mono_ns: u64::MAX,
        last_mono_ns: 0,
    };
    let mut maybe_repeat = false;
    for &i in &members {
        let track = &mut tracker.tracks[i];
        summary.frames = summary.frames.max(track.frames);
        summary.first_mono_ns = summary.first_mono_ns.min(track.first.mono_ns);
        summary.last_mono_ns = summary.last_mono_ns.max(track.last.mono_ns);
        maybe_repeat |= track.maybe_repeat;
        let top = track.champion().map(|ballot| ballot.hash)?;
        let ballot = track.ballots.iter_mut().find(|b| b.hash == top)?;
        tracker.variety.note(top);
        summary.votes = summary.votes.min(ballot.votes);
        let Some(code) = ballot.code.take() else {
            continue;
        };
        if best.is_none_or(|(most, _)| code.quality.uec > most) {
            best = Some((code.quality.uec, ballot.best));
        }
        let mut code = *code;
        code.gs1 = gs1_of(&code, wall_ns);
        codes.push(code);
        tracks.push(track.id);
    }
    let (_, stamp) = best?;
    let event = Event {
        kind: EventKind::Read,
        captured_wall_ns: stamp.wall_ns,
        captured_mono_ns: stamp.mono_ns,
        decided_wall_ns: wall_ns,
        trigger,
        track: summary,
        codes,
        text: ItemText::default(),
        verdict: None,
        noread: None,
        image: None,
        maybe_repeat,
        last_place: Some(place),
    };
    Some((event, tracks))
}

fn noread_event(tracker: &mut Tracker, i: usize, wall_ns: i64) -> Event {
    let place = tracker.last_place(&tracker.tracks[i]);
    let track = &mut tracker.tracks[i];
    let picture = track.picture.take();
    let (reason, count) = track.reason().unwrap_or((qr::Reason::NoFinder, 0));
    let detail = format!(
        "followed for {} frames and never read; in {count} of them: {}",
        track.frames,
        in_words(reason)
    );
    let summary = TrackSummary {
        frames: track.frames,
        votes: 0,
        velocity_px_s: place.velocity,
        first_mono_ns: track.first.mono_ns,
        last_mono_ns: track.last.mono_ns,
    };
    let (stamp, maybe_repeat) = (track.last, track.maybe_repeat);
    let image = save(tracker, picture, stamp.wall_ns);
    Event {
        kind: EventKind::NoRead,
        captured_wall_ns: stamp.wall_ns,
        captured_mono_ns: stamp.mono_ns,
        decided_wall_ns: wall_ns,
        trigger: Trigger::Free,
        track: summary,
        codes: Vec::new(),
        text: ItemText::default(),
        verdict: None,
        noread: Some(NoRead {
            failure: Failure {
                reason: reason.name(),
                detail,
            },
        }),
        image,
        maybe_repeat,
        last_place: Some(place),
    }
}

/// The answer to a trigger: everything read while the window was open.
pub(super) fn decide_window(
    tracker: &mut Tracker,
    window: Window,
    picture: Option<Picture>,
    wall_ns: i64,
    out: &mut Vec<Event>,
) {
    let trigger = Trigger::Window {
        request_id: window.request_id,
    };
    let all: Vec<usize> = (0..tracker.tracks.len())
        .filter(|&i| !tracker.tracks[i].remembered)
        .collect();
    if let Some((mut event, tracks)) = read_event(tracker, &all, trigger.clone(), wall_ns) {
        event.track.frames = window.frames;
        event.maybe_repeat = false;
        tell(tracker, event, tracks, out);
        return;
    }
    if !tracker.publish_noreads {
        return;
    }
    let mut counts = [0u32; REASONS.len()];
    for track in &tracker.tracks {
        for (sum, count) in counts.iter_mut().zip(track.reasons) {
            *sum += count;
        }
    }
    let most = (0..REASONS.len())
        .filter(|&i| counts[i] > 0)
        .max_by_key(|&i| counts[i]);
    let (reason, detail) = match most {
        _ if window.frames == 0 => (
            "no_code",
            "no frame came while the window was open: is the camera there?".to_owned(),
        ),
        None => (
            "no_code",
            format!("no code was seen in {} frames", window.frames),
        ),
        Some(i) => (
            REASONS[i].name(),
            format!(
                "seen but not read in {} frames: {}",
                window.frames,
                in_words(REASONS[i])
            ),
        ),
    };
    let image = save(tracker, picture, window.start_wall_ns);
    out.push(Event {
        kind: EventKind::NoRead,
        captured_wall_ns: window.start_wall_ns,
        captured_mono_ns: window.start,
        decided_wall_ns: wall_ns,
        trigger,
        track: TrackSummary {
            frames: window.frames,
            ..TrackSummary::default()
        },
        codes: Vec::new(),
        text: ItemText::default(),
        verdict: None,
        noread: Some(NoRead {
            failure: Failure { reason, detail },
        }),
        image,
        maybe_repeat: false,
        last_place: None,
    });
}

fn save(tracker: &mut Tracker, picture: Option<Picture>, wall_ns: i64) -> Option<String> {
    let picture = picture?;
    tracker
        .pictures
        .as_mut()?
        .save(picture.luma()?, wall_ns, "noread")
}

fn in_words(reason: qr::Reason) -> &'static str {
    match reason {
        qr::Reason::NoFinder => "no finder pattern stands out",
        qr::Reason::LowContrast => {
            "too little between light and dark: more light, or longer exposure"
        }
        qr::Reason::Blur => "blurred: shorter exposure with more light, or focus",
        qr::Reason::Glare => "glare: move the light off the mirror angle",
        qr::Reason::Damage => "more damage than its error correction can mend",
        qr::Reason::TooSmall => "modules too small: move the camera closer",
    }
}

/// GS1 elements of a code, where it has any, seen from the day of `wall_ns`.
pub(super) fn gs1_of(code: &EventCode, wall_ns: i64) -> Option<Gs1Elements> {
    let fnc1_first = matches!(code.aim.as_str(), "]Q3" | "]Q4");
    super::gs1::elements_of(code.text.as_deref()?, fnc1_first, day_of(wall_ns)?)
}

/// The day of a time in ns since the epoch, UTC.
pub(super) fn day_of(wall_ns: i64) -> Option<jiff::civil::Date> {
    let now = jiff::Timestamp::from_nanosecond(wall_ns.into()).ok()?;
    Some(now.to_zoned(jiff::tz::TimeZone::UTC).date())
}
