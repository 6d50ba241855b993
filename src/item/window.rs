//! Trigger windows: each trigger gets exactly one answer.
//!
//! A window collects whatever is read while it is open. A trigger that comes
//! while one is open ends it there and then and opens the next: at a photo-eye
//! the second trigger is the next item, and no request goes unanswered.

use std::collections::VecDeque;

/// Windows opened and not yet reached by the frames.
const MAX_WAITING: usize = 16;

/// One trigger.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    /// First instant, monotonic ns.
    pub start: u64,
    /// First instant that is no longer in it.
    pub end: u64,
    pub start_wall_ns: i64,
    pub request_id: Option<String>,
    /// Frames seen while it was open.
    pub frames: u32,
}

/// Why a trigger opens no window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `item.trigger` is `free`.
    FreeRunning,
    /// Too many triggers wait for frames that do not come.
    Backlog,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refused::FreeRunning => {
                "triggers are not used while item.trigger is \"free\": set it to \"window\""
            }
            Refused::Backlog => "too many triggers wait for frames: is the camera there?",
        })
    }
}

impl std::error::Error for Refused {}

/// The windows in the order of their triggers; the first may be open.
#[derive(Debug, Default)]
pub(super) struct Windows {
    queue: VecDeque<Window>,
    open: bool,
}

/// What the clock did to the windows.
#[derive(Debug, PartialEq)]
pub(super) enum Turn {
    Opened,
    Closed(Window),
}

impl Windows {
    pub fn trigger(
        &mut self,
        start: u64,
        wall_ns: i64,
        length_ns: u64,
        request_id: Option<String>,
    ) -> Result<(), Refused> {
        if self.queue.len() >= MAX_WAITING {
            return Err(Refused::Backlog);
        }
        if let Some(last) = self.queue.back_mut() {
            last.end = last.end.min(start.max(last.start));
        }
        self.queue.push_back(Window {
            start,
            end: start.saturating_add(length_ns),
            start_wall_ns: wall_ns,
            request_id,
            frames: 0,
        });
        Ok(())
    }

    /// The next thing that happens up to `mono_ns`; call until it is `None`.
    pub fn turn(&mut self, mono_ns: u64) -> Option<Turn> {
        let first = self.queue.front()?;
        if !self.open && mono_ns >= first.start {
            self.open = true;
            return Some(Turn::Opened);
        }
        if self.open && mono_ns >= first.end {
            self.open = false;
            return self.queue.pop_front().map(Turn::Closed);
        }
        None
    }

    /// The open window.
    pub fn open(&mut self) -> Option<&mut Window> {
        self.queue.front_mut().filter(|_| self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_trigger_ends_the_first_window_and_both_are_answered() {
        let mut windows = Windows::default();
        windows
            .trigger(100, 0, 50, Some("a".into()))
            .expect("taken");
        windows
            .trigger(120, 0, 50, Some("b".into()))
            .expect("taken");
        assert_eq!(windows.turn(99), None);
        assert_eq!(windows.turn(110), Some(Turn::Opened));
        assert_eq!(windows.turn(119), None);
        let Some(Turn::Closed(first)) = windows.turn(121) else {
            panic!("the first window ends with the second trigger");
        };
        assert_eq!((first.request_id.as_deref(), first.end), (Some("a"), 120));
        assert_eq!(windows.turn(121), Some(Turn::Opened));
        assert!(matches!(windows.turn(170), Some(Turn::Closed(w)) if w.end == 170));
        assert_eq!(windows.turn(1000), None);
    }

    #[test]
    fn triggers_without_frames_do_not_pile_up() {
        let mut windows = Windows::default();
        for i in 0..MAX_WAITING as u64 {
            assert_eq!(windows.trigger(i, 0, 10, None), Ok(()));
        }
        assert_eq!(windows.trigger(99, 0, 10, None), Err(Refused::Backlog));
    }
}
