//! One message of the queue: bytes and where they go.

/// What a message is; also its topic under the reader's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// An item that was read.
    Read,
    /// An item or window that was not.
    NoRead,
    /// A note that events were given up.
    Gap,
}

impl Kind {
    /// The topic's last part, and the name in the database.
    pub(super) fn leaf(self) -> &'static str {
        match self {
            Kind::Read => "read",
            Kind::NoRead => "noread",
            Kind::Gap => "gap",
        }
    }

    /// The kind that `leaf` names.
    pub(super) fn from_leaf(leaf: &str) -> Option<Kind> {
        [Kind::Read, Kind::NoRead, Kind::Gap]
            .into_iter()
            .find(|kind| kind.leaf() == leaf)
    }
}

/// One message of the queue. It is never changed once it has been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its place in the queue: the order of sending, and nothing else.
    pub position: i64,
    /// What it is.
    pub kind: Kind,
    /// Epoch of its number; for a gap, the epoch of what it covers.
    pub epoch: String,
    /// Its number; for a gap, the first number it covers.
    pub seq: u64,
    /// For a gap, the last number it covers; else `seq`.
    pub last_seq: u64,
    /// For a gap, its reason; else empty.
    pub reason: String,
    /// Wall clock when it was numbered, ns, if the clock was synchronised.
    pub stamped_ns: Option<i64>,
    /// The bytes that are sent.
    pub body: Vec<u8>,
}

impl Message {
    /// What it counts for in the outbox's bound: its body and what a row costs.
    pub(super) fn cost(&self) -> u64 {
        self.body.len() as u64 + ROW_COST
    }
}

/// Bytes that a row needs beside its body: key, epoch, stamps, b-tree.
pub(super) const ROW_COST: u64 = 64;
