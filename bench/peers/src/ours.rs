//! Beltscan's own reader, with its default options and no deadline; frames of one
//! camera it takes as the daemon does.

use beltscan::camera::picture::Picture;
use beltscan::qr;

use crate::readers::{Read, Reader, Wanted};

/// The reader and its memory, kept from picture to picture as the daemon keeps it.
pub struct Beltscan {
    reader: qr::Reader,
    reads: qr::Reads,
}

impl Beltscan {
    /// With default options.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            reader: qr::Reader::new(qr::ReaderOptions {
                still: wanted == Wanted::Frames,
                ..qr::ReaderOptions::default()
            }),
            reads: qr::Reads::default(),
        }
    }
}

impl Reader for Beltscan {
    fn name(&self) -> &'static str {
        "beltscan"
    }

    fn read(&mut self, picture: &Picture) -> Vec<Read> {
        self.reader.read(picture.view(), &[], &mut self.reads);
        self.reads
            .codes
            .iter()
            .map(|code| Read {
                text: if code.content.is_text {
                    code.content.text.clone()
                } else {
                    code.content
                        .bytes
                        .iter()
                        .map(|&byte| char::from(byte))
                        .collect()
                },
                centre: code.corners.centre(),
            })
            .collect()
    }
}
