//! Signals as plain values. Taken up by a small thread of its own, so that the
//! main loop can wait for them and for other things in one channel.

use std::io;
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};

/// What somebody outside wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: finish what is begun, then end.
    Stop,
    /// A second one of those: end at once.
    StopNow,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR1: write what the daemon knows of itself to the log.
    Report,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listener {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// Calls `on` for each signal, on a thread of its own; it should only pass the
/// value on. From here on these signals no longer end the process by themselves.
pub fn listen(on: impl Fn(Signal) + Send + 'static) -> io::Result<Listener> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let mut stopping = false;
            for signal in signals.forever() {
                on(match signal {
                    SIGHUP => Signal::Reload,
                    SIGUSR1 => Signal::Report,
                    _ if stopping => Signal::StopNow,
                    _ => {
                        stopping = true;
                        Signal::Stop
                    }
                });
            }
        })?;
    Ok(Listener {
        handle,
        thread: Some(thread),
    })
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic of `on` has been told already by its own message.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use signal_hook::low_level::raise;

    use super::*;

    #[test]
    fn each_signal_has_its_meaning_and_the_second_stop_is_at_once() {
        let (to, from) = mpsc::channel();
        let listener = listen(move |signal| {
            let _ = to.send(signal);
        })
        .unwrap();
        // One at a time: two of the same kind that are both pending are one.
        for (signal, meaning) in [
            (SIGHUP, Signal::Reload),
            (SIGUSR1, Signal::Report),
            (SIGTERM, Signal::Stop),
            (SIGHUP, Signal::Reload),
            (SIGINT, Signal::StopNow),
            (SIGTERM, Signal::StopNow),
        ] {
            raise(signal).unwrap();
            assert_eq!(from.recv(), Ok(meaning));
        }
        drop(listener);
        assert!(from.recv().is_err(), "the thread has ended");
    }
}
