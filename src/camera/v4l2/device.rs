//! An open V4L2 device: every call to the kernel, made safe. What the calls are
//! for is not known here.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::abi::{self, Ioctl};

/// A device node, open without blocking.
pub(super) struct Device {
    file: File,
}

/// What a device said to being polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polled {
    /// A buffer is ready.
    Ready,
    /// Time is up.
    TimeOut,
    /// The device has an error or is gone.
    Error,
}

impl Device {
    /// Opens the node at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        Ok(Self { file })
    }

    /// Makes a request; starts again if a signal comes in between.
    pub(super) fn call<T>(&self, request: &Ioctl<T>, argument: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: the descriptor is open as long as `self.file` lives. The
            // kernel reads and writes at most as many bytes as the request's
            // number says, which is the size of `T`; every `T` of an `Ioctl`
            // is valid whatever bytes are in it, and the only one that holds a
            // pointer is used by `control64` alone.
            #[allow(unsafe_code)]
            let result = unsafe {
                libc::ioctl(
                    self.file.as_raw_fd(),
                    request.number() as _,
                    std::ptr::from_mut(argument),
                )
            };
            if result >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Starts or stops the capture queue.
    pub(super) fn stream(&self, on: bool) -> io::Result<()> {
        let request = if on { abi::STREAMON } else { abi::STREAMOFF };
        self.call(&request, &mut (abi::CAPTURE as c_int))
    }

    /// The value of a control of 64 bits.
    pub(super) fn control64(&self, id: u32) -> io::Result<i64> {
        let mut control = abi::ExtControl {
            id,
            size: 0,
            reserved: 0,
            value: 0,
        };
        let mut list = abi::ExtControls {
            which: 0,
            count: 1,
            error_index: 0,
            request_fd: 0,
            reserved: 0,
            // It points to `control`, which outlives the call; `count` says
            // that there is one.
            controls: &raw mut control,
        };
        self.call(&abi::G_EXT_CTRLS, &mut list)?;
        Ok(control.value)
    }

    /// Waits at most `patience` for a buffer.
    pub(super) fn wait(&self, patience: Duration) -> io::Result<Polled> {
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        let limit = Timespec::try_from(patience).ok();
        match poll(&mut fds, limit.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(Polled::TimeOut),
            Ok(_) if fds[0].revents().contains(PollFlags::IN) => Ok(Polled::Ready),
            Ok(_) => Ok(Polled::Error),
            Err(error) => Err(error.into()),
        }
    }

    /// Maps a buffer of the driver for reading.
    pub(super) fn map(&self, offset: u32, length: usize) -> io::Result<Mapping> {
        // SAFETY: a new mapping at an address that the kernel chooses touches
        // no memory of ours.
        #[allow(unsafe_code)]
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ,
                MapFlags::SHARED,
                self.file.as_fd(),
                offset.into(),
            )
        }?;
        Ok(Mapping {
            start: start.cast_const().cast(),
            length,
        })
    }
}

/// A buffer of the driver's, mapped for reading.
pub(super) struct Mapping {
    start: *const u8,
    length: usize,
}

// SAFETY: the mapping is read-only and belongs to no thread.
#[allow(unsafe_code)]
unsafe impl Send for Mapping {}

impl Mapping {
    /// Its first `used` bytes, or all if it has fewer. The driver must not be
    /// filling the buffer: it has been taken out of the queue and not been put
    /// back for as long as the slice lives.
    pub(super) fn bytes(&self, used: usize) -> &[u8] {
        // SAFETY: `length` bytes from `start` are mapped until `self` is
        // dropped, also after the device has gone. That they do not change
        // meanwhile is the driver's promise for a buffer out of its queue; were
        // it broken, pixels would change, and nothing is derived from pixels
        // here that memory safety rests on.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.start, self.length.min(used))
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `map` mapped; no slice of it outlives `self`.
        #[allow(unsafe_code)]
        let unmapped = unsafe { munmap(self.start.cast_mut().cast(), self.length) };
        if let Err(error) = unmapped {
            log::warn!("a camera buffer cannot be unmapped: {error}");
        }
    }
}

/// Text of the kernel's: up to its first zero byte.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}
