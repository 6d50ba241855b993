//! A subscriber like any other: what it receives is what the demonstration is
//! judged by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{Client, ClientError, Connection, Event, MqttOptions, Outgoing, Packet, QoS};

/// A topic outside of the reader's: the message that ends the run.
const END: &str = "beltscan-demo/end";

/// What a subscriber tells.
#[derive(Debug)]
pub(super) enum News {
    /// It is subscribed: from here on it misses nothing.
    Listening,
    /// A message.
    Message {
        /// Its topic.
        topic: String,
        /// Its body.
        body: Vec<u8>,
    },
    /// Everything published before [`Subscriber::finish`] has been told.
    End,
}

/// Subscribed to everything. Dropping it disconnects.
pub(super) struct Subscriber {
    client: Client,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscriber {
    /// Connects to the broker on `port` and tells what comes.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub(super) fn start(
        port: u16,
        tell: impl Fn(News) + Send + 'static,
    ) -> std::io::Result<Subscriber> {
        let mut options = MqttOptions::new("beltscan-demo-judge", "127.0.0.1", port);
        options
            .set_keep_alive(Duration::from_secs(30))
            // Whatever happens to the connection, no event is lost to the judge.
            .set_clean_session(false)
            .set_max_packet_size(1 << 20, 1 << 20);
        let (client, connection) = Client::new(options, 16);
        let subscribe = client.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("demo-judge".into())
            .spawn(move || listen(connection, &subscribe, &stopped, &tell))?;
        Ok(Subscriber {
            client,
            stop,
            thread: Some(thread),
        })
    }

    /// Asks for [`News::End`]. One filter for all topics keeps their order: when
    /// that comes, all before it has come.
    pub(super) fn finish(&self) -> Result<(), ClientError> {
        self.client.publish(END, QoS::AtLeastOnce, false, "")
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // If the queue is full or the thread gone there is nobody to tell.
        let _ = self.client.try_disconnect();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(mut connection: Connection, client: &Client, stop: &AtomicBool, tell: &impl Fn(News)) {
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                // The queue is empty at this moment, so there is room.
                if let Err(error) = client.try_subscribe("#", QoS::AtLeastOnce) {
                    log::error!("the demonstration's judge cannot subscribe: {error}");
                }
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => tell(News::Listening),
            Ok(Event::Incoming(Packet::Publish(message))) => tell(if message.topic == END {
                News::End
            } else {
                News::Message {
                    topic: message.topic,
                    body: message.payload.into(),
                }
            }),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) if stop.load(Ordering::Relaxed) => return,
            Err(error) => {
                log::warn!("the demonstration's judge has lost the broker: {error}");
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}
