//! A proxy in front of a broker that writes down what passes: what the client
//! sent, and what the broker acknowledged to it. It can also be a broker that is
//! away, or one that accepts and says nothing.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use super::wire::{self, Packet, Publish};

/// What the proxy does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Pass,
    /// Passes bytes on unseen, for what is encrypted.
    Raw,
    /// Accepts and hangs up at once.
    Refuse,
    /// Accepts, reads, and never answers.
    Silent,
}

/// One PUBLISH of QoS 1 that the client sent.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection, from 0.
    pub connection: usize,
    /// When it came in.
    pub at: Instant,
    pub publish: Publish,
    /// Reason code of the PUBACK that the client got, once it got one.
    pub acked: Option<u8>,
}

#[derive(Default)]
struct Record {
    seen: Vec<Seen>,
    /// Filters of SUBSCRIBE packets are not looked at; they are counted.
    subscribes: usize,
    /// When each connection was accepted.
    accepted: Vec<Instant>,
    live: Vec<TcpStream>,
}

/// The proxy; it ends with this value.
pub struct Proxy {
    port: u16,
    record: Arc<Mutex<Record>>,
    mode: Arc<Mutex<Mode>>,
    muted: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens on a port of its own, in front of `broker` on 127.0.0.1.
    pub fn start(broker: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let proxy = Proxy {
            port,
            record: Arc::default(),
            mode: Arc::new(Mutex::new(Mode::Pass)),
            muted: Arc::default(),
            ended: Arc::default(),
        };
        let (record, mode) = (Arc::clone(&proxy.record), Arc::clone(&proxy.mode));
        let (ended, muted) = (Arc::clone(&proxy.ended), Arc::clone(&proxy.muted));
        thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let mode = *mode.lock().expect("no panic");
                serve(client, broker, mode, &record, &muted);
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the mode and cuts every connection there is.
    pub fn set(&self, mode: Mode) {
        *self.mode.lock().expect("no panic") = mode;
        self.cut();
    }

    /// Changes the mode for new connections only.
    pub fn set_for_new(&self, mode: Mode) {
        *self.mode.lock().expect("no panic") = mode;
    }

    /// Keeps back what the broker says, on the connections there are too: they stay
    /// open and nothing is answered any more. What was kept back is lost.
    pub fn mute(&self, muted: bool) {
        self.muted.store(muted, Ordering::SeqCst);
    }

    /// Cuts every connection there is.
    pub fn cut(&self) {
        for stream in self.record().live.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Connections that were accepted.
    pub fn connections(&self) -> usize {
        self.record().accepted.len()
    }

    /// When each connection was accepted, in order.
    pub fn accepted(&self) -> Vec<Instant> {
        self.record().accepted.clone()
    }

    /// SUBSCRIBE packets that passed.
    pub fn subscribes(&self) -> usize {
        self.record().subscribes
    }

    /// Every PUBLISH of QoS 1 so far whose topic ends in one of `leaves`.
    pub fn seen(&self, leaves: &[&str]) -> Vec<Seen> {
        self.record()
            .seen
            .iter()
            .filter(|seen| {
                let leaf = seen.publish.topic.rsplit('/').next().unwrap_or_default();
                leaves.contains(&leaf)
            })
            .cloned()
            .collect()
    }

    /// How many different bodies with such a topic the broker has acknowledged.
    pub fn acknowledged(&self, leaves: &[&str]) -> usize {
        let mut bodies: Vec<Vec<u8>> = self
            .seen(leaves)
            .into_iter()
            .filter(|seen| seen.acked.is_some_and(|reason| reason < 0x80))
            .map(|seen| seen.publish.body)
            .collect();
        bodies.sort_unstable();
        bodies.dedup();
        bodies.len()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect("no panic")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(
    client: TcpStream,
    broker: u16,
    mode: Mode,
    record: &Arc<Mutex<Record>>,
    muted: &Arc<AtomicBool>,
) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a second handle");
    let number = {
        let mut record = record.lock().expect("no panic");
        record.accepted.push(Instant::now());
        record.live.push(clone(&client));
        record.accepted.len() - 1
    };
    let upstream = match mode {
        Mode::Pass | Mode::Raw => TcpStream::connect(("127.0.0.1", broker)).ok(),
        Mode::Refuse => None,
        Mode::Silent => {
            let mut client = client;
            thread::spawn(move || std::io::copy(&mut client, &mut std::io::sink()));
            return;
        }
    };
    let Some(upstream) = upstream else {
        let _ = client.shutdown(Shutdown::Both);
        return;
    };
    for stream in [&client, &upstream] {
        stream.set_nodelay(true).expect("a TCP stream");
    }
    record.lock().expect("no panic").live.push(clone(&upstream));
    if mode == Mode::Raw {
        for (mut from, mut to) in [(clone(&client), clone(&upstream)), (upstream, client)] {
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        return;
    }
    // Place in the record of each packet id that is under way.
    let open: Arc<Mutex<HashMap<u16, usize>>> = Arc::default();
    let level = Arc::new(Mutex::new(4));

    let (from, to) = (clone(&client), clone(&upstream));
    let (shared, numbers) = (Arc::clone(record), Arc::clone(&open));
    thread::spawn(move || {
        pass(from, to, |packet| {
            match packet.kind() {
                wire::CONNECT => *level.lock().expect("no panic") = packet.level(),
                wire::SUBSCRIBE => shared.lock().expect("no panic").subscribes += 1,
                wire::PUBLISH => {
                    let publish = packet.publish(*level.lock().expect("no panic"));
                    if publish.qos == 1 {
                        let mut record = shared.lock().expect("no panic");
                        let place = record.seen.len();
                        numbers
                            .lock()
                            .expect("no panic")
                            .insert(publish.pkid, place);
                        record.seen.push(Seen {
                            connection: number,
                            at: Instant::now(),
                            publish,
                            acked: None,
                        });
                    }
                }
                _ => {}
            }
            true
        });
    });
    let (shared, muted) = (Arc::clone(record), Arc::clone(muted));
    thread::spawn(move || {
        pass(upstream, client, |packet| {
            if muted.load(Ordering::SeqCst) {
                return false;
            }
            if packet.kind() == wire::PUBACK {
                let place = open.lock().expect("no panic").remove(&packet.pkid());
                if let Some(place) = place {
                    shared.lock().expect("no panic").seen[place].acked = Some(packet.reason());
                }
            }
            true
        });
    });
}

/// Passes the packets that `note` lets through on until one side ends, then ends
/// the other.
fn pass(from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&Packet) -> bool) {
    let mut reader = std::io::BufReader::new(from);
    while let Ok(Some(packet)) = Packet::read(&mut reader) {
        if note(&packet) && to.write_all(&packet.bytes()).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = reader.into_inner().shutdown(Shutdown::Both);
}
