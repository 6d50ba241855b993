//! The kernel's side of Video4Linux (`linux/videodev2.h`): structures, numbers
//! and flags, as far as capturing needs them. Nothing is called here.
//!
//! The layouts are those of 64-bit and of 32-bit kernels' callers alike; their
//! sizes are checked when this is compiled. On 32-bit machines a buffer's time
//! stamp has 32-bit seconds: the layout that every kernel understands, and
//! enough for a clock that counts from the start of the machine.

use std::ffi::{c_int, c_long, c_ulong};
use std::marker::PhantomData;

/// A request to a device together with the type of what it reads and writes.
/// Only the constants of this file exist, so that the two always fit.
pub(super) struct Ioctl<T> {
    number: u32,
    argument: PhantomData<fn(&mut T)>,
}

const WRITE: u32 = 1;
const READ: u32 = 2;

impl<T> Ioctl<T> {
    /// As the macros of `linux/ioctl.h` do it on every machine but MIPS,
    /// PowerPC and SPARC.
    const fn new(direction: u32, number: u32) -> Self {
        let size = size_of::<T>() as u32;
        Self {
            number: direction << 30 | size << 16 | (b'V' as u32) << 8 | number,
            argument: PhantomData,
        }
    }

    /// The number that the kernel knows it by.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

pub(super) const QUERYCAP: Ioctl<Capability> = Ioctl::new(READ, 0);
pub(super) const ENUM_FMT: Ioctl<FormatDescription> = Ioctl::new(READ | WRITE, 2);
pub(super) const S_FMT: Ioctl<Format> = Ioctl::new(READ | WRITE, 5);
pub(super) const REQBUFS: Ioctl<RequestBuffers> = Ioctl::new(READ | WRITE, 8);
pub(super) const QUERYBUF: Ioctl<Buffer> = Ioctl::new(READ | WRITE, 9);
pub(super) const QBUF: Ioctl<Buffer> = Ioctl::new(READ | WRITE, 15);
pub(super) const DQBUF: Ioctl<Buffer> = Ioctl::new(READ | WRITE, 17);
pub(super) const STREAMON: Ioctl<c_int> = Ioctl::new(WRITE, 18);
pub(super) const STREAMOFF: Ioctl<c_int> = Ioctl::new(WRITE, 19);
pub(super) const G_PARM: Ioctl<StreamParameters> = Ioctl::new(READ | WRITE, 21);
pub(super) const S_PARM: Ioctl<StreamParameters> = Ioctl::new(READ | WRITE, 22);
pub(super) const G_CTRL: Ioctl<Control> = Ioctl::new(READ | WRITE, 27);
pub(super) const S_CTRL: Ioctl<Control> = Ioctl::new(READ | WRITE, 28);
pub(super) const QUERYCTRL: Ioctl<QueryControl> = Ioctl::new(READ | WRITE, 36);
pub(super) const QUERYMENU: Ioctl<QueryMenu> = Ioctl::new(READ | WRITE, 37);
pub(super) const ENUM_FRAMESIZES: Ioctl<FrameSize> = Ioctl::new(READ | WRITE, 74);
pub(super) const ENUM_FRAMEINTERVALS: Ioctl<FrameInterval> = Ioctl::new(READ | WRITE, 75);
/// Its argument holds a pointer: see `Device::control64`.
pub(super) const G_EXT_CTRLS: Ioctl<ExtControls> = Ioctl::new(READ | WRITE, 71);

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`
pub(super) const CAPTURE: u32 = 1;
/// `V4L2_MEMORY_MMAP`
pub(super) const MEMORY_MMAP: u32 = 1;
/// `V4L2_FIELD_NONE`: progressive.
pub(super) const FIELD_NONE: u32 = 1;

/// `V4L2_CAP_VIDEO_CAPTURE`
pub(super) const CAP_CAPTURE: u32 = 0x0000_0001;
/// `V4L2_CAP_VIDEO_CAPTURE_MPLANE`
pub(super) const CAP_CAPTURE_MPLANE: u32 = 0x0000_1000;
/// `V4L2_CAP_STREAMING`
pub(super) const CAP_STREAMING: u32 = 0x0400_0000;
/// `V4L2_CAP_DEVICE_CAPS`: `device_caps` is filled in.
pub(super) const CAP_DEVICE_CAPS: u32 = 0x8000_0000;
/// `V4L2_CAP_TIMEPERFRAME`: the frame interval can be set.
pub(super) const CAP_TIMEPERFRAME: u32 = 0x1000;

/// `V4L2_BUF_FLAG_ERROR`: the picture may be torn.
pub(super) const BUF_ERROR: u32 = 0x0000_0040;
/// `V4L2_BUF_FLAG_TIMESTAMP_MASK` and `…_MONOTONIC`
pub(super) const BUF_TIMESTAMP_MASK: u32 = 0x0000_e000;
pub(super) const BUF_TIMESTAMP_MONOTONIC: u32 = 0x0000_2000;
/// `V4L2_BUF_FLAG_TSTAMP_SRC_MASK` and `…_SOE`: stamped at the start of exposure.
pub(super) const BUF_SOURCE_MASK: u32 = 0x0007_0000;
pub(super) const BUF_SOURCE_START: u32 = 0x0001_0000;

/// `V4L2_CTRL_FLAG_NEXT_CTRL`: the control after this one.
pub(super) const CTRL_NEXT: u32 = 0x8000_0000;
pub(super) const CTRL_DISABLED: u32 = 0x0001;
pub(super) const CTRL_READ_ONLY: u32 = 0x0004;
pub(super) const CTRL_INACTIVE: u32 = 0x0010;
pub(super) const CTRL_WRITE_ONLY: u32 = 0x0040;

/// `enum v4l2_ctrl_type`
pub(super) const TYPE_INTEGER: u32 = 1;
pub(super) const TYPE_BOOLEAN: u32 = 2;
pub(super) const TYPE_MENU: u32 = 3;
pub(super) const TYPE_BUTTON: u32 = 4;
pub(super) const TYPE_CLASS: u32 = 6;
pub(super) const TYPE_INTEGER_MENU: u32 = 9;

/// `struct v4l2_capability`
#[repr(C)]
#[derive(Default)]
pub(super) struct Capability {
    pub(super) driver: [u8; 16],
    pub(super) card: [u8; 32],
    pub(super) bus: [u8; 32],
    pub(super) version: u32,
    pub(super) capabilities: u32,
    pub(super) device_caps: u32,
    pub(super) reserved: [u32; 3],
}

/// `struct v4l2_fmtdesc`
#[repr(C)]
#[derive(Default)]
pub(super) struct FormatDescription {
    pub(super) index: u32,
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) description: [u8; 32],
    pub(super) fourcc: [u8; 4],
    pub(super) mbus_code: u32,
    pub(super) reserved: [u32; 3],
}

/// `struct v4l2_frmsizeenum`; of a discrete size only the first two count.
#[repr(C)]
#[derive(Default)]
pub(super) struct FrameSize {
    pub(super) index: u32,
    pub(super) fourcc: [u8; 4],
    /// 1 discrete, 2 continuous, 3 stepwise.
    pub(super) kind: u32,
    /// Discrete: width, height. Else: smallest, largest and step of the width,
    /// then of the height.
    pub(super) values: [u32; 6],
    pub(super) reserved: [u32; 2],
}

/// `struct v4l2_frmivalenum`
#[repr(C)]
#[derive(Default)]
pub(super) struct FrameInterval {
    pub(super) index: u32,
    pub(super) fourcc: [u8; 4],
    pub(super) width: u32,
    pub(super) height: u32,
    /// 1 discrete, 2 continuous, 3 stepwise.
    pub(super) kind: u32,
    /// The interval; or the shortest, the longest and the step.
    pub(super) intervals: [Fraction; 3],
    pub(super) reserved: [u32; 2],
}

/// `struct v4l2_fract`, in seconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fraction {
    pub(super) above: u32,
    pub(super) below: u32,
}

/// `struct v4l2_format` with its `struct v4l2_pix_format`.
#[repr(C)]
pub(super) struct Format {
    pub(super) kind: u32,
    /// The union holds pointers in its other variants.
    align: [usize; 0],
    pub(super) pix: PixelFormat,
    rest: [u8; 152],
}

/// `struct v4l2_pix_format`
#[repr(C)]
#[derive(Default)]
pub(super) struct PixelFormat {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fourcc: [u8; 4],
    pub(super) field: u32,
    pub(super) bytes_per_line: u32,
    pub(super) size_image: u32,
    pub(super) colorspace: u32,
    pub(super) private: u32,
    pub(super) flags: u32,
    pub(super) encoding: u32,
    pub(super) quantization: u32,
    pub(super) transfer: u32,
}

impl Format {
    /// A capture format.
    pub(super) fn capture(pix: PixelFormat) -> Self {
        Self {
            kind: CAPTURE,
            align: [],
            pix,
            rest: [0; 152],
        }
    }
}

/// `struct v4l2_streamparm` with its `struct v4l2_captureparm`.
#[repr(C)]
pub(super) struct StreamParameters {
    kind: u32,
    pub(super) capability: u32,
    mode: u32,
    pub(super) interval: Fraction,
    extended_mode: u32,
    read_buffers: u32,
    pub(super) reserved: [u32; 4],
    rest: [u8; 160],
}

impl StreamParameters {
    /// Those of capture, with a frame interval.
    pub(super) fn capture(interval: Fraction) -> Self {
        Self {
            kind: CAPTURE,
            capability: 0,
            mode: 0,
            interval,
            extended_mode: 0,
            read_buffers: 0,
            reserved: [0; 4],
            rest: [0; 160],
        }
    }
}

/// `struct v4l2_requestbuffers`
#[repr(C)]
#[derive(Default)]
pub(super) struct RequestBuffers {
    pub(super) count: u32,
    pub(super) kind: u32,
    pub(super) memory: u32,
    pub(super) capabilities: u32,
    pub(super) flags: u32,
}

/// `struct v4l2_buffer`
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Buffer {
    pub(super) index: u32,
    pub(super) kind: u32,
    pub(super) bytes_used: u32,
    pub(super) flags: u32,
    field: u32,
    pub(super) seconds: c_long,
    pub(super) microseconds: c_long,
    timecode: [u32; 4],
    pub(super) sequence: u32,
    pub(super) memory: u32,
    /// A union; for memory-mapped buffers the place to map.
    pub(super) offset: BufferPlace,
    pub(super) length: u32,
    pub(super) reserved: [u32; 2],
}

/// The union `m` of `struct v4l2_buffer`: as wide as a pointer, of which a
/// memory-mapped buffer's `__u32 offset` is the first four bytes.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct BufferPlace {
    pub(super) offset: u32,
    rest: [u32; size_of::<c_ulong>() / 4 - 1],
    align: [c_ulong; 0],
}

impl Buffer {
    /// Buffer `index` of a capture queue.
    pub(super) fn mapped(index: u32) -> Self {
        Self {
            index,
            kind: CAPTURE,
            memory: MEMORY_MMAP,
            ..Self::default()
        }
    }
}

/// `struct v4l2_control`
#[repr(C)]
pub(super) struct Control {
    pub(super) id: u32,
    pub(super) value: i32,
}

/// `struct v4l2_queryctrl`
#[repr(C)]
#[derive(Default)]
pub(super) struct QueryControl {
    pub(super) id: u32,
    pub(super) kind: u32,
    pub(super) name: [u8; 32],
    pub(super) minimum: i32,
    pub(super) maximum: i32,
    pub(super) step: i32,
    pub(super) default: i32,
    pub(super) flags: u32,
    pub(super) reserved: [u32; 2],
}

/// `struct v4l2_querymenu`, a packed structure that has no gaps anyway.
#[repr(C)]
#[derive(Default)]
pub(super) struct QueryMenu {
    pub(super) id: u32,
    pub(super) index: u32,
    /// A name; or, of an integer menu, eight bytes of number.
    pub(super) name: [u8; 32],
    pub(super) reserved: u32,
}

/// `struct v4l2_ext_controls`
#[repr(C)]
pub(super) struct ExtControls {
    pub(super) which: u32,
    pub(super) count: u32,
    pub(super) error_index: u32,
    pub(super) request_fd: i32,
    pub(super) reserved: u32,
    pub(super) controls: *mut ExtControl,
}

/// `struct v4l2_ext_control`
#[repr(C, packed)]
pub(super) struct ExtControl {
    pub(super) id: u32,
    pub(super) size: u32,
    pub(super) reserved: u32,
    pub(super) value: i64,
}

const fn by_width(on_64_bit: usize, on_32_bit: usize) -> usize {
    match size_of::<usize>() {
        8 => on_64_bit,
        _ => on_32_bit,
    }
}

const _: () = {
    assert!(size_of::<Capability>() == 104);
    assert!(size_of::<FormatDescription>() == 64);
    assert!(size_of::<FrameSize>() == 44);
    assert!(size_of::<FrameInterval>() == 52);
    assert!(size_of::<PixelFormat>() == 48);
    assert!(size_of::<Format>() == by_width(208, 204));
    assert!(size_of::<StreamParameters>() == 204);
    assert!(size_of::<RequestBuffers>() == 20);
    assert!(size_of::<Buffer>() == by_width(88, 68));
    assert!(std::mem::offset_of!(Buffer, sequence) == by_width(56, 44));
    assert!(std::mem::offset_of!(Buffer, offset) == by_width(64, 52));
    assert!(size_of::<Control>() == 8);
    assert!(size_of::<QueryControl>() == 68);
    assert!(size_of::<QueryMenu>() == 44);
    assert!(size_of::<ExtControl>() == 20);
    assert!(size_of::<ExtControls>() == by_width(32, 24));
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as `strace` shows them on x86-64.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn the_numbers_are_the_kernels() {
        assert_eq!(QUERYCAP.number(), 0x8068_5600);
        assert_eq!(S_FMT.number(), 0xc0d0_5605);
        assert_eq!(REQBUFS.number(), 0xc014_5608);
        assert_eq!(QUERYBUF.number(), 0xc058_5609);
        assert_eq!(DQBUF.number(), 0xc058_5611);
        assert_eq!(STREAMON.number(), 0x4004_5612);
        assert_eq!(S_PARM.number(), 0xc0cc_5616);
        assert_eq!(S_CTRL.number(), 0xc008_561c);
        assert_eq!(QUERYCTRL.number(), 0xc044_5624);
        assert_eq!(QUERYMENU.number(), 0xc02c_5625);
        assert_eq!(G_EXT_CTRLS.number(), 0xc020_5647);
        assert_eq!(ENUM_FRAMESIZES.number(), 0xc02c_564a);
    }
}
