//! Raw pictures as cameras and commands write them, to a frame's luma plane:
//! one copy, minding the padding of rows.

use crate::frame::Frame;

/// Where luma lies in a raw picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// A plane of luma comes first (grey, NV12, YUV 4:2:0).
    Plane,
    /// Every other byte, the first one included (YUYV).
    EveryOther,
}

/// Copies the luma of `raw`, rows `stride` bytes apart, into `frame`. `false`
/// if `raw` is too short for a picture of the frame's size: a torn frame.
pub(super) fn copy_luma(raw: &[u8], stride: usize, packing: Packing, frame: &mut Frame) -> bool {
    let (width, height) = (frame.width(), frame.height());
    let row_bytes = match packing {
        Packing::Plane => width,
        Packing::EveryOther => 2 * width,
    };
    if width == 0 || height == 0 {
        return true;
    }
    let needed = stride
        .checked_mul(height - 1)
        .and_then(|bytes| bytes.checked_add(row_bytes));
    if stride < row_bytes || needed.is_none_or(|needed| raw.len() < needed) {
        return false;
    }
    let rows = frame.chunks_exact_mut(width).zip(raw.chunks(stride));
    match packing {
        Packing::Plane if stride == width => frame.copy_from_slice(&raw[..width * height]),
        Packing::Plane => rows.for_each(|(to, from)| to.copy_from_slice(&from[..width])),
        Packing::EveryOther => rows.for_each(|(to, from)| {
            for (luma, pair) in to.iter_mut().zip(from.chunks_exact(2)) {
                *luma = pair[0];
            }
        }),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Pool;

    #[test]
    fn rows_lose_their_padding() {
        let pool = Pool::new(1, 6);
        let mut frame = pool.take(3, 2).expect("free");
        // The last row may lack its padding.
        let raw = [1, 2, 3, 99, 99, 4, 5, 6];
        assert!(copy_luma(&raw, 5, Packing::Plane, &mut frame));
        assert_eq!(&frame[..], [1, 2, 3, 4, 5, 6]);
        assert!(copy_luma(
            &[7, 8, 9, 1, 2, 3, 128, 128],
            3,
            Packing::Plane,
            &mut frame
        ));
        assert_eq!(&frame[..], [7, 8, 9, 1, 2, 3]);
    }

    #[test]
    fn luma_is_every_other_byte_of_yuyv() {
        let pool = Pool::new(1, 4);
        let mut frame = pool.take(2, 2).expect("free");
        let raw = [1, 128, 2, 128, 0, 0, 3, 128, 4, 128, 0, 0];
        assert!(copy_luma(&raw, 6, Packing::EveryOther, &mut frame));
        assert_eq!(&frame[..], [1, 2, 3, 4]);
    }

    #[test]
    fn a_torn_picture_is_refused() {
        let pool = Pool::new(1, 4);
        let mut frame = pool.take(2, 2).expect("free");
        assert!(!copy_luma(&[0; 3], 2, Packing::Plane, &mut frame));
        assert!(!copy_luma(&[0; 7], 4, Packing::EveryOther, &mut frame));
        assert!(!copy_luma(&[0; 40], 1, Packing::Plane, &mut frame));
        assert!(!copy_luma(&[0; 40], usize::MAX, Packing::Plane, &mut frame));
    }
}
