//! What a daemon knows of the items that were in view before it was started
//! anew: texts and last places from the outbox, as ghosts that wait to be seen.
//!
//! A code at a place that such a ghost would have reached, or has not left, is
//! the published one. Between the two nobody can tell: it is published with
//! `maybe_repeat`. After more than a minute away nothing is remembered.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::event::{Event, LastPlace};
use super::track::{Ballot, Sight, State, Track, What};
use super::tracker::{GAP_MOST_S, MAX_TRACKS, Tracker, hash_of};
use crate::frame::Stamp;
use crate::geometry::Quad;
use crate::qr;

/// Side of a ghost whose size nobody stored, in pixels, until it is seen.
const SIZE_PX: f32 = 64.0;

/// An item published before a restart, as the outbox keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// For each of its codes the text, or `bytes_b64` where it has no text.
    pub texts: Vec<String>,
    /// Where it was last.
    pub place: LastPlace,
}

impl Published {
    /// What a restart needs to know of `event`; `None` for one that has no code
    /// or no place.
    pub fn of(event: &Event) -> Option<Self> {
        let texts: Vec<String> = event
            .codes
            .iter()
            .map(|code| match (&code.text, &code.bytes) {
                (Some(text), _) => text.clone(),
                (None, bytes) => STANDARD.encode(bytes.as_deref().unwrap_or_default()),
            })
            .collect();
        (!texts.is_empty()).then_some(Self {
            texts,
            place: event.last_place?,
        })
    }
}

impl Tracker {
    /// Before the first frame after a restart: what was published lately. A
    /// code that fits one of these places is not published again.
    pub fn remember(&mut self, published: &[Published]) {
        let room = MAX_TRACKS / 2 - self.memories.len().min(MAX_TRACKS / 2);
        let skip = published.len().saturating_sub(room);
        self.memories.extend_from_slice(&published[skip..]);
    }

    /// Turns what is remembered of the time before a restart into ghosts, now
    /// that a frame ties the wall clock to the monotonic one.
    pub(super) fn recall(&mut self, stamp: &Stamp) {
        for memory in std::mem::take(&mut self.memories) {
            let place = memory.place;
            let age = (stamp.wall_ns.saturating_sub(place.wall_ns)) as f64 * 1e-9;
            let most = self.plan.lost.as_secs_f64() + GAP_MOST_S;
            // A place in the future: the clock was set back in between.
            let age = age.max(0.0);
            if age > most {
                continue;
            }
            for text in &memory.texts {
                let id = self.new_id();
                let corners = Quad([place.centre; 4]);
                let sight = Sight::new(corners, What::Unread(qr::Reason::NoFinder));
                let now = self.clock.now;
                let mut ghost = Track::new(id, &sight, stamp, now - age, self.clock.watched);
                ghost.size = SIZE_PX;
                ghost.state = State::Decided;
                ghost.remembered = true;
                ghost.gap = true;
                ghost.velocity = Some(place.velocity);
                self.variety.note(hash_of(true, text.as_bytes()));
                let mut hashes = vec![hash_of(true, text.as_bytes())];
                if let Ok(bytes) = STANDARD.decode(text) {
                    hashes.push(hash_of(false, &bytes));
                }
                ghost.ballots = hashes
                    .into_iter()
                    .map(|hash| Ballot {
                        hash,
                        votes: 1,
                        code: None,
                        best: *stamp,
                    })
                    .collect();
                self.motion.recall(place.velocity);
                self.tracks.push(ghost);
            }
        }
    }
}
