//! What all other readers read of a cell together: a code counts if one of them
//! reads it, and only codes that all of them saw count.

use super::row::Row;
use crate::readers::{OTHERS, OURS, Reader};

/// Counts for one cell.
pub struct Others {
    /// How many other readers there are.
    readers: usize,
    /// How many of them saw the present code.
    saw: usize,
    read: bool,
    codes_seen: usize,
    codes_read: usize,
}

impl Others {
    /// For a cell that `readers` read.
    pub fn new(readers: &[Box<dyn Reader>]) -> Self {
        let others = readers.iter().filter(|reader| reader.name() != OURS);
        Self {
            readers: others.count(),
            saw: 0,
            read: false,
            codes_seen: 0,
            codes_read: 0,
        }
    }

    /// `reader` saw the present code, or track, and did or did not read it.
    pub fn saw(&mut self, reader: &str, read: bool) {
        if reader != OURS {
            self.saw += 1;
            self.read |= read;
        }
    }

    /// What comes is another code, or track.
    pub fn next(&mut self) {
        if self.saw == self.readers {
            self.codes_seen += 1;
            self.codes_read += usize::from(self.read);
        }
        self.saw = 0;
        self.read = false;
    }

    /// The line of `cell`, which has `count` codes; `None` if only one other reads.
    pub fn row(&self, cell: &str, count: usize) -> Option<Row> {
        let mut row = Row::new(cell, OTHERS, self.codes_read, self.codes_seen);
        row.left_out = count - self.codes_seen;
        (self.readers > 1).then_some(row)
    }
}
