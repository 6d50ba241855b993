//! MQTT packets as far as a recording proxy and a scripted broker need them.

use std::io::{self, Read};

/// One packet: its first byte and what follows the length.
#[derive(Clone, Debug)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

/// Packet types (MQTT 3.1.1 and 5, 2.1.2).
pub const CONNECT: u8 = 1;
pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const SUBSCRIBE: u8 = 8;
pub const PINGREQ: u8 = 12;
pub const DISCONNECT: u8 = 14;

/// A PUBLISH, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub topic: String,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    pub pkid: u16,
    pub body: Vec<u8>,
}

impl Packet {
    /// Reads one packet; `None` at the end of the stream.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Packet>> {
        let mut first = [0];
        if from.read(&mut first)? == 0 {
            return Ok(None);
        }
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let mut byte = [0];
            from.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 21 {
                return Err(io::Error::other("a length of more than four bytes"));
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        Ok(Some(Packet {
            first: first[0],
            body,
        }))
    }

    pub fn new(kind: u8, flags: u8, body: Vec<u8>) -> Packet {
        Packet {
            first: kind << 4 | flags,
            body,
        }
    }

    pub fn kind(&self) -> u8 {
        self.first >> 4
    }

    /// The packet as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        let mut length = self.body.len();
        loop {
            let more = length > 127;
            bytes.push((length & 0x7f) as u8 | u8::from(more) << 7);
            length >>= 7;
            if !more {
                break;
            }
        }
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Protocol level of a CONNECT: 4 or 5.
    pub fn level(&self) -> u8 {
        let name = u16::from_be_bytes([self.body[0], self.body[1]]);
        self.body[2 + usize::from(name)]
    }

    /// Packet id of a PUBACK or SUBSCRIBE.
    pub fn pkid(&self) -> u16 {
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// Reason code of a PUBACK; 0 where it has none.
    pub fn reason(&self) -> u8 {
        self.body.get(2).copied().unwrap_or(0)
    }

    /// A PUBLISH taken apart, of a connection with protocol level `level`.
    pub fn publish(&self, level: u8) -> Publish {
        let qos = self.first >> 1 & 3;
        let topic_end = 2 + usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        let mut at = topic_end;
        let mut pkid = 0;
        if qos > 0 {
            pkid = u16::from_be_bytes([self.body[at], self.body[at + 1]]);
            at += 2;
        }
        if level == 5 {
            // We send no properties: their length is one byte.
            at += 1 + usize::from(self.body[at]);
        }
        Publish {
            topic: String::from_utf8(self.body[2..topic_end].to_vec()).expect("a topic is text"),
            qos,
            retain: self.first & 1 == 1,
            dup: self.first & 8 == 8,
            pkid,
            body: self.body[at..].to_vec(),
        }
    }
}
