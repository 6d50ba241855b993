//! A luma plane with its stamps, and the pool it is borrowed from.
//!
//! A [`Frame`] is 8-bit luma, `height` rows of `stride` bytes of which the first
//! `width` count. Its memory belongs to a [`Pool`] that is allocated once, from
//! the plan; dropping the frame gives the memory back. A pool that is empty
//! yields nothing instead of growing: the caller drops the picture and counts it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

/// What is known of a frame besides its pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The source's own count of frames, from 0. A gap means frames that the
    /// driver or the source dropped.
    pub sequence: u64,
    /// Middle of the exposure on `CLOCK_MONOTONIC`, in nanoseconds. Every
    /// decision about items is taken on this clock, so that a recorded or a
    /// synthetic belt behaves like a live one at any speed.
    pub mono_ns: u64,
    /// The same instant as UTC, nanoseconds since the Unix epoch.
    pub wall_ns: i64,
    /// Exposure time in microseconds, where the source knows it.
    pub exposure_us: Option<u32>,
}

/// A borrowed view of 8-bit luma.
#[derive(Clone, Copy)]
pub struct Luma<'a> {
    data: &'a [u8],
    width: usize,
    height: usize,
    stride: usize,
}

impl<'a> Luma<'a> {
    /// A picture of no pixels.
    pub const fn empty() -> Self {
        Self {
            data: &[],
            width: 0,
            height: 0,
            stride: 0,
        }
    }

    /// `None` if `data` is too short for `height` rows of `stride` bytes (the
    /// last row needs only `width`), or if `stride < width`.
    pub fn new(data: &'a [u8], width: usize, height: usize, stride: usize) -> Option<Self> {
        let needed = match height {
            0 => 0,
            rows => stride.checked_mul(rows - 1)?.checked_add(width)?,
        };
        (stride >= width && data.len() >= needed).then_some(Self {
            data,
            width,
            height,
            stride,
        })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Distance between the starts of two rows, in bytes.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// All bytes from the first pixel on, rows [`Luma::stride`] apart.
    pub fn bytes(&self) -> &'a [u8] {
        self.data
    }

    /// Row `y`, `width` bytes. Panics outside the picture.
    pub fn row(&self, y: usize) -> &'a [u8] {
        &self.data[y * self.stride..][..self.width]
    }

    /// The pixel at `x`, `y`. Panics outside the picture.
    pub fn at(&self, x: usize, y: usize) -> u8 {
        self.row(y)[x]
    }

    /// The part that starts at `x`, `y`, cut to what lies inside the picture.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Luma<'a> {
        let x = x.min(self.width);
        let y = y.min(self.height);
        let width = width.min(self.width - x);
        let height = height.min(self.height - y);
        let start = (y * self.stride + x).min(self.data.len());
        Luma {
            data: &self.data[start..],
            width,
            height: if width == 0 { 0 } else { height },
            stride: self.stride,
        }
    }
}

/// A fixed set of equally large buffers.
#[derive(Clone)]
pub struct Pool {
    shelf: Arc<Shelf>,
}

struct Shelf {
    free: Mutex<Vec<Box<[u8]>>>,
    buffer_bytes: usize,
    count: usize,
}

impl Pool {
    /// `count` buffers of `buffer_bytes` bytes, allocated now.
    pub fn new(count: usize, buffer_bytes: usize) -> Self {
        let free = (0..count)
            .map(|_| vec![0; buffer_bytes].into_boxed_slice())
            .collect();
        Self {
            shelf: Arc::new(Shelf {
                free: Mutex::new(free),
                buffer_bytes,
                count,
            }),
        }
    }

    /// An empty frame with rows of `width` bytes, or `None` if every buffer is
    /// in use or the picture is larger than a buffer.
    pub fn take(&self, width: usize, height: usize) -> Option<Frame> {
        if width.checked_mul(height)? > self.shelf.buffer_bytes {
            return None;
        }
        let buffer = self.shelf.lock().pop()?;
        Some(Frame {
            buffer: Some(buffer),
            shelf: Arc::clone(&self.shelf),
            width,
            height,
            stride: width,
            stamp: Stamp::default(),
        })
    }

    /// Size of each buffer in bytes: the largest `width * height` it serves.
    pub fn buffer_bytes(&self) -> usize {
        self.shelf.buffer_bytes
    }

    /// How many buffers the pool owns in all.
    pub fn count(&self) -> usize {
        self.shelf.count
    }

    /// How many of them are free now.
    pub fn free(&self) -> usize {
        self.shelf.lock().len()
    }
}

impl Shelf {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<[u8]>>> {
        // The list of free buffers is whole between any two statements: a
        // panic elsewhere cannot have left it half changed.
        self.free
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}

/// One picture and what is known of it. Dereferences to its pixels.
pub struct Frame {
    buffer: Option<Box<[u8]>>,
    shelf: Arc<Shelf>,
    width: usize,
    height: usize,
    stride: usize,
    /// When, how long, which.
    pub stamp: Stamp,
}

impl Frame {
    /// The pixels as a view.
    pub fn luma(&self) -> Luma<'_> {
        Luma {
            data: self,
            width: self.width,
            height: self.height,
            stride: self.stride,
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Distance between the starts of two rows, in bytes.
    pub fn stride(&self) -> usize {
        self.stride
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let used = self.stride * self.height;
        &self.buffer.as_deref().unwrap_or_default()[..used]
    }
}

impl DerefMut for Frame {
    fn deref_mut(&mut self) -> &mut [u8] {
        let used = self.stride * self.height;
        &mut self.buffer.as_deref_mut().unwrap_or_default()[..used]
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.shelf.lock().push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pool_yields_nothing_until_a_frame_is_dropped() {
        let pool = Pool::new(1, 12);
        let frame = pool.take(4, 3).expect("one buffer is free");
        assert_eq!(frame.len(), 12);
        assert!(pool.take(4, 3).is_none());
        drop(frame);
        assert!(pool.take(4, 3).is_some());
        assert!(pool.take(4, 4).is_none(), "larger than a buffer");
    }

    #[test]
    fn a_view_refuses_too_little_memory_and_crops_stay_inside() {
        let data: Vec<u8> = (0..20).collect();
        assert!(Luma::new(&data, 5, 5, 5).is_none());
        assert!(Luma::new(&data, 5, 2, 4).is_none());
        let luma = Luma::new(&data, 4, 4, 5).expect("fits");
        assert_eq!(luma.at(3, 3), 18);
        let part = luma.crop(2, 1, 10, 10);
        assert_eq!((part.width(), part.height()), (2, 3));
        assert_eq!(part.row(0), &[7, 8]);
        assert_eq!(luma.crop(9, 9, 1, 1).height(), 0);
    }
}
