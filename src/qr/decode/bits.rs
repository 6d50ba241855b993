//! A reader of bits from data codewords, most significant first.

/// Reads bits; refuses to read past the end.
pub struct Bits<'a> {
    bytes: &'a [u8],
    next: usize,
    end: usize,
}

impl<'a> Bits<'a> {
    /// The first `length` bits of `bytes`, or all if there are fewer.
    pub fn new(bytes: &'a [u8], length: usize) -> Self {
        Self {
            bytes,
            next: 0,
            end: length.min(bytes.len() * 8),
        }
    }

    /// Bits not read yet.
    pub fn left(&self) -> usize {
        self.end - self.next
    }

    /// The next `count` bits (at most 24) as a number; `None`, with nothing
    /// read, if there are fewer.
    pub fn take(&mut self, count: usize) -> Option<u32> {
        let value = self.peek(count)?;
        self.next += count;
        Some(value)
    }

    /// The same without moving on.
    pub fn peek(&self, count: usize) -> Option<u32> {
        if count > self.left() {
            return None;
        }
        Some((self.next..self.next + count).fold(0, |value, bit| {
            let byte = self.bytes[bit / 8];
            value << 1 | u32::from(byte >> (7 - bit % 8) & 1)
        }))
    }

    /// Bits read so far.
    pub fn read(&self) -> usize {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_across_bytes_and_stops_at_the_end() {
        let mut bits = Bits::new(&[0b1010_0101, 0b1100_0011], 16);
        assert_eq!(bits.take(3), Some(0b101));
        assert_eq!(bits.take(7), Some(0b0010111));
        assert_eq!(bits.left(), 6);
        assert_eq!(bits.take(7), None);
        assert_eq!(bits.take(6), Some(0b000011));
        assert_eq!(bits.take(0), Some(0));
        assert_eq!(bits.take(1), None);
        assert_eq!(Bits::new(&[255; 3], 20).left(), 20);
        assert_eq!(Bits::new(&[255; 2], 20).left(), 16);
    }
}
