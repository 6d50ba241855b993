//! What the service manager is told, over the datagram socket that it names in
//! `NOTIFY_SOCKET` (sd_notify(3)). Without that variable nothing is said, and
//! nothing fails.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

/// The way to the service manager, if there is one. Clones share the socket.
#[derive(Clone, Debug, Default)]
pub struct Notifier(Option<Arc<UnixDatagram>>);

impl Notifier {
    /// To the manager that the environment names. If it cannot be reached this
    /// is said on the log once; a daemon that works is worth more than one that
    /// is reported on.
    pub fn from_env() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET") else {
            return Self::silent();
        };
        Self::connect(&address).unwrap_or_else(|error| {
            log::warn!("the service manager's socket cannot be reached: {error}");
            Self::silent()
        })
    }

    /// To nobody.
    pub fn silent() -> Self {
        Self(None)
    }

    /// To the socket at `address`: a path, or `@name` in the abstract namespace,
    /// which `sd_notify::notify` takes for a path.
    pub fn connect(address: &OsStr) -> io::Result<Self> {
        let bytes = address.as_bytes();
        let address = match bytes.split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A manager that takes nothing must not stop us for good.
        socket.set_write_timeout(Some(Duration::from_secs(1)))?;
        Ok(Self(Some(Arc::new(socket))))
    }

    /// Started, or reloaded.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status)), NotifyState::Ready]);
    }

    /// A reload begins; [`Notifier::ready`] ends it. systemd 253 and later want
    /// the time with it, earlier ones ignore that.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => log::warn!("no monotonic time for the service manager: {error}"),
        }
    }

    /// A stop begins.
    pub fn stopping(&self, status: &str) {
        self.send(&[
            NotifyState::Status(&one_line(status)),
            NotifyState::Stopping,
        ]);
    }

    /// The line that `systemctl status` shows.
    pub fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status))]);
    }

    /// Feeds the watchdog.
    pub fn watchdog(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.0 else {
            return;
        };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(error) = socket.send(message.as_bytes()) {
            log::warn!("the service manager was not told: {error}");
        }
    }
}

/// A line break would begin another assignment.
fn one_line(status: &str) -> String {
    status.replace(|c: char| c.is_control(), " ")
}

/// Within which time the watchdog wants to be fed, if it runs.
pub(super) fn watchdog_timeout() -> Option<Duration> {
    // Zero is no time to feed anything in; the manager does not send it.
    sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_that_is_sent(manager: &UnixDatagram, notifier: &Notifier) -> Vec<String> {
        notifier.status("opening\nMAINPID=1");
        notifier.ready("0 items");
        notifier.reloading();
        notifier.watchdog();
        notifier.stopping("draining");
        (0..5)
            .map(|_| {
                let mut buffer = [0; 512];
                let length = manager.recv(&mut buffer).unwrap();
                String::from_utf8(buffer[..length].to_vec()).unwrap()
            })
            .collect()
    }

    fn check(messages: &[String]) {
        assert_eq!(messages[0], "STATUS=opening MAINPID=1\n");
        assert_eq!(messages[1], "STATUS=0 items\nREADY=1\n");
        let usec = messages[2]
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .and_then(|rest| rest.trim_end().parse::<u64>().ok())
            .unwrap();
        assert!(usec > 0 && usec * 1000 <= crate::clock::mono_ns());
        assert_eq!(messages[3], "WATCHDOG=1\n");
        assert_eq!(messages[4], "STATUS=draining\nSTOPPING=1\n");
    }

    #[test]
    fn a_manager_with_a_path_hears_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::connect(path.as_os_str()).unwrap();
        check(&all_that_is_sent(&manager, &notifier));
    }

    #[test]
    fn a_manager_with_an_abstract_name_hears_everything() {
        let name = format!("beltscan-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::connect(OsStr::new(&format!("@{name}"))).unwrap();
        check(&all_that_is_sent(&manager, &notifier));
    }

    #[test]
    fn without_a_manager_nothing_fails() {
        Notifier::silent().ready("fine");
        assert!(Notifier::connect(OsStr::new("/nowhere/notify")).is_err());
        assert!(Notifier::connect(OsStr::new("")).is_err());
        // A manager that has gone.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::connect(path.as_os_str()).unwrap();
        drop(manager);
        notifier.watchdog();
    }
}
