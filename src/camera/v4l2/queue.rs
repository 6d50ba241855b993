//! The driver's buffers: asked for, mapped, queued, and drained to the newest.

use std::io;

use super::abi::{self, Buffer};
use super::device::{Device, Mapping};

/// Buffers asked for: one with us, one being filled, two to catch what comes
/// while a frame is copied.
const BUFFERS: u32 = 4;

/// A running capture queue. Dropping it stops the stream.
pub(super) struct Queue {
    mappings: Vec<Mapping>,
    device: Device,
}

/// A filled buffer, out of the driver's queue until it is put back.
pub(super) struct Filled(Buffer);

/// What draining brought.
pub(super) struct Drained {
    /// The newest picture.
    pub(super) newest: Option<Filled>,
    /// Pictures that the driver marked as damaged.
    pub(super) damaged: u64,
}

impl Queue {
    /// Starts streaming on a device whose format has been set. On failure the
    /// device is closed.
    pub(super) fn start(device: Device) -> io::Result<Self> {
        let mut request = abi::RequestBuffers {
            count: BUFFERS,
            kind: abi::CAPTURE,
            memory: abi::MEMORY_MMAP,
            ..Default::default()
        };
        device.call(&abi::REQBUFS, &mut request)?;
        if request.count < 2 {
            return Err(io::Error::other(format!(
                "the driver gives {} buffers, two are needed",
                request.count
            )));
        }
        let mut queue = Self {
            mappings: Vec::with_capacity(request.count as usize),
            device,
        };
        for index in 0..request.count {
            let mut buffer = Buffer::mapped(index);
            queue.device.call(&abi::QUERYBUF, &mut buffer)?;
            let mapping = queue
                .device
                .map(buffer.offset.offset, buffer.length as usize)?;
            queue.mappings.push(mapping);
        }
        for index in 0..request.count {
            queue.device.call(&abi::QBUF, &mut Buffer::mapped(index))?;
        }
        queue.device.stream(true)?;
        Ok(queue)
    }

    /// Takes out all that is filled; what is older than the newest goes back
    /// at once. An error means that the stream is over.
    pub(super) fn drain(&self) -> io::Result<Drained> {
        let mut drained = Drained {
            newest: None,
            damaged: 0,
        };
        // More than all buffers at a time means that the driver is faster than
        // this loop: the caller would never get its frame.
        for _ in 0..2 * self.mappings.len() {
            let mut buffer = Buffer::mapped(0);
            match self.device.call(&abi::DQBUF, &mut buffer) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            let filled = Filled(buffer);
            if buffer.flags & abi::BUF_ERROR != 0 {
                drained.damaged += 1;
                self.put_back(filled)?;
            } else if let Some(older) = drained.newest.replace(filled) {
                self.put_back(older)?;
            }
        }
        Ok(drained)
    }

    /// The bytes of a filled buffer.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        let mapping = self.mappings.get(filled.0.index as usize);
        mapping.map_or(&[], |mapping| mapping.bytes(filled.0.bytes_used as usize))
    }

    /// Gives a buffer back to the driver.
    pub(super) fn put_back(&self, filled: Filled) -> io::Result<()> {
        self.device
            .call(&abi::QBUF, &mut Buffer::mapped(filled.0.index))
    }

    /// The device under it.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }
}

impl Filled {
    /// The driver's count of pictures.
    pub(super) fn sequence(&self) -> u32 {
        self.0.sequence
    }

    /// The driver's stamp on the monotonic clock, and whether it was taken at
    /// the start of the exposure (else at the end of the picture).
    pub(super) fn stamp(&self) -> Option<(u64, bool)> {
        if self.0.flags & abi::BUF_TIMESTAMP_MASK != abi::BUF_TIMESTAMP_MONOTONIC {
            return None;
        }
        let seconds = u64::try_from(self.0.seconds).ok()?;
        let micros = u64::try_from(self.0.microseconds).ok()?;
        let ns = seconds
            .checked_mul(1_000_000_000)?
            .checked_add(micros.checked_mul(1000)?)?;
        let at_start = self.0.flags & abi::BUF_SOURCE_MASK == abi::BUF_SOURCE_START;
        Some((ns, at_start))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // The device may have gone; closing it ends the stream as well.
        let _ = self.device.stream(false);
    }
}
