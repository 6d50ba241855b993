//! One connection to a broker, MQTT 3.1.1 or 5, over rumqttc: the two versions of
//! its client behind one vocabulary.
//!
//! rumqttc drops unacknowledged messages when it reconnects, so nothing of it
//! outlives a connection: a [`Link`] is made for one connection and thrown away
//! with it, and whatever was not acknowledged is read from the outbox again.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5 as five;
use rumqttc::{self as four, Outgoing, TlsConfiguration, Transport};
use rustls::ClientConfig;

use crate::config::MqttVersion;

/// Largest packet that a broker may send us: commands are small.
const MAX_INCOMING: u32 = 64 * 1024;

/// Largest packet there is in MQTT.
const MAX_OUTGOING: usize = 268_435_455;

/// TCP, TLS and CONNACK together take at most this long.
const CONNECT: Duration = Duration::from_secs(10);

/// What a connection needs.
pub(super) struct Options<'a> {
    pub version: MqttVersion,
    pub host: &'a str,
    pub port: u16,
    pub client_id: &'a str,
    pub credentials: Option<(String, String)>,
    pub tls: Option<Arc<ClientConfig>>,
    pub keep_alive: Duration,
    /// Messages of QoS 1 under way at most.
    pub inflight: u16,
    /// Topic and body of the will; retained, QoS 1.
    pub will: (String, Vec<u8>),
}

/// What the broker said of itself when it accepted us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Largest packet it takes.
    pub max_packet: Option<u32>,
    /// Messages of QoS 1 it takes at once.
    pub receive_max: Option<u16>,
}

/// What happened on the connection.
#[derive(Debug)]
pub(super) enum Signal {
    /// The broker has accepted us.
    Connected(Limits),
    /// The next message of QoS 1 in the order of sending has this packet id.
    Sent(u16),
    /// The broker has the message with this packet id.
    Acked(u16),
    /// The broker refuses it, and says why.
    Refused(u16, String),
    /// The subscription with this packet id was answered.
    Subscribed(u16, Result<(), String>),
    /// A message for us.
    Message {
        topic: String,
        payload: Vec<u8>,
        retained: bool,
    },
    /// The last packet is on its way.
    Disconnected,
    /// Nothing that matters here.
    Other,
}

/// Why a connection is no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The broker closed it, maybe because of what we sent.
    Closed(String),
    /// Another client took our client id.
    TakenOver,
    /// The broker sent more than we take.
    TooLarge(String),
    /// It never came about, or the network, the machine or the broker failed.
    Other(String),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lost::Closed(cause) => write!(f, "the broker closed the connection ({cause})"),
            Lost::TakenOver => f.write_str("another client took over our client id"),
            Lost::TooLarge(cause) => write!(f, "the broker sent too much ({cause})"),
            Lost::Other(cause) => f.write_str(cause),
        }
    }
}

/// The sending half.
pub(super) enum Sender {
    V4(four::AsyncClient),
    V5(four::v5::AsyncClient),
}

/// The half that must be polled without pause, each call to its end.
pub(super) enum Poller {
    V4(Box<four::EventLoop>),
    V5(Box<four::v5::EventLoop>),
}

/// Prepares a connection. It is made by the first poll.
pub(super) fn open(options: Options) -> (Sender, Poller) {
    // Requests never wait here: there are as many places as messages under way,
    // and some for QoS 0 and subscriptions.
    let places = usize::from(options.inflight) + 16;
    match options.version {
        MqttVersion::V311 => open_v4(options, places),
        MqttVersion::V5 => open_v5(options, places),
    }
}

fn open_v4(options: Options, places: usize) -> (Sender, Poller) {
    let (topic, body) = options.will;
    let mut mqtt = four::MqttOptions::new(options.client_id, options.host, options.port);
    mqtt.set_keep_alive(options.keep_alive)
        .set_clean_session(true)
        .set_inflight(options.inflight)
        .set_max_packet_size(MAX_INCOMING as usize, MAX_OUTGOING)
        .set_last_will(four::LastWill::new(
            topic,
            body,
            four::QoS::AtLeastOnce,
            true,
        ));
    if let Some((user, password)) = options.credentials {
        mqtt.set_credentials(user, password);
    }
    if let Some(tls) = options.tls {
        mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    let (client, mut events) = four::AsyncClient::new(mqtt, places);
    let mut network = four::NetworkOptions::new();
    network.set_connection_timeout(CONNECT.as_secs());
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    (Sender::V4(client), Poller::V4(Box::new(events)))
}

fn open_v5(options: Options, places: usize) -> (Sender, Poller) {
    let (topic, body) = options.will;
    let mut mqtt = four::v5::MqttOptions::new(options.client_id, options.host, options.port);
    let mut network = four::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    mqtt.set_keep_alive(options.keep_alive)
        .set_clean_start(true)
        .set_outgoing_inflight_upper_limit(options.inflight)
        .set_connection_timeout(CONNECT.as_secs())
        .set_max_packet_size(Some(MAX_INCOMING))
        .set_network_options(network)
        .set_last_will(five::LastWill::new(
            topic,
            body,
            four::v5::mqttbytes::QoS::AtLeastOnce,
            true,
            None,
        ));
    if let Some((user, password)) = options.credentials {
        mqtt.set_credentials(user, password);
    }
    if let Some(tls) = options.tls {
        mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    let (client, events) = four::v5::AsyncClient::new(mqtt, places);
    (Sender::V5(client), Poller::V5(Box::new(events)))
}

/// The client's queue is full, or the topic cannot be published to.
#[derive(Debug)]
pub(super) struct NotTaken;

impl Sender {
    /// Hands a message over: QoS 1 with `sure`, else QoS 0.
    pub(super) fn publish(
        &self,
        topic: String,
        body: Vec<u8>,
        sure: bool,
        retain: bool,
    ) -> Result<(), NotTaken> {
        match self {
            Sender::V4(client) => {
                let qos = match sure {
                    true => four::QoS::AtLeastOnce,
                    false => four::QoS::AtMostOnce,
                };
                client
                    .try_publish(topic, qos, retain, body)
                    .map_err(|_| NotTaken)
            }
            Sender::V5(client) => {
                let qos = match sure {
                    true => four::v5::mqttbytes::QoS::AtLeastOnce,
                    false => four::v5::mqttbytes::QoS::AtMostOnce,
                };
                client
                    .try_publish(topic, qos, retain, body)
                    .map_err(|_| NotTaken)
            }
        }
    }

    /// Subscribes with QoS 1.
    pub(super) fn subscribe(&self, filter: String) -> Result<(), NotTaken> {
        match self {
            Sender::V4(client) => client
                .try_subscribe(filter, four::QoS::AtLeastOnce)
                .map_err(|_| NotTaken),
            Sender::V5(client) => client
                .try_subscribe(filter, four::v5::mqttbytes::QoS::AtLeastOnce)
                .map_err(|_| NotTaken),
        }
    }

    /// Ends the connection in order, so that the will is not sent.
    pub(super) fn disconnect(&self) -> Result<(), NotTaken> {
        match self {
            Sender::V4(client) => client.try_disconnect().map_err(|_| NotTaken),
            Sender::V5(client) => client.try_disconnect().map_err(|_| NotTaken),
        }
    }

    /// Bytes of a PUBLISH of QoS 1 on the wire.
    pub(super) fn publish_bytes(&self, topic: &str, body: &[u8]) -> usize {
        // Topic length, packet id, and for MQTT 5 an empty list of properties.
        let properties = usize::from(matches!(self, Sender::V5(_)));
        let remaining = 2 + topic.len() + 2 + properties + body.len();
        let length_bytes = match remaining {
            0..128 => 1,
            128..16_384 => 2,
            16_384..2_097_152 => 3,
            _ => 4,
        };
        1 + length_bytes + remaining
    }
}

impl Poller {
    /// Waits for what happens next. Dropping the future before its end may lose a
    /// packet; do so only to give the connection up.
    pub(super) async fn poll(&mut self) -> Result<Signal, Lost> {
        match self {
            Poller::V4(events) => match events.poll().await {
                Ok(event) => signal_v4(event),
                Err(error) => Err(lost_v4(error)),
            },
            Poller::V5(events) => match events.poll().await {
                Ok(event) => signal_v5(event),
                Err(error) => Err(lost_v5(error)),
            },
        }
    }
}

fn outgoing(outgoing: &Outgoing) -> Result<Signal, Lost> {
    match outgoing {
        Outgoing::Publish(0) => Ok(Signal::Other),
        Outgoing::Publish(pkid) | Outgoing::Subscribe(pkid) => Ok(Signal::Sent(*pkid)),
        Outgoing::Disconnect => Ok(Signal::Disconnected),
        // Our window makes it impossible; the client would stand still after it.
        Outgoing::AwaitAck(pkid) => Err(Lost::Other(format!("packet id {pkid} is in use"))),
        _ => Ok(Signal::Other),
    }
}

fn signal_v4(event: four::Event) -> Result<Signal, Lost> {
    use four::Packet;
    let packet = match event {
        four::Event::Outgoing(sent) => return outgoing(&sent),
        four::Event::Incoming(packet) => packet,
    };
    Ok(match packet {
        Packet::ConnAck(_) => Signal::Connected(Limits::default()),
        Packet::PubAck(ack) => Signal::Acked(ack.pkid),
        Packet::SubAck(ack) => {
            let refused = ack
                .return_codes
                .contains(&four::SubscribeReasonCode::Failure);
            let result = match refused {
                true => Err("refused".to_owned()),
                false => Ok(()),
            };
            Signal::Subscribed(ack.pkid, result)
        }
        Packet::Publish(publish) => Signal::Message {
            topic: publish.topic,
            payload: publish.payload.to_vec(),
            retained: publish.retain,
        },
        _ => Signal::Other,
    })
}

fn signal_v5(event: four::v5::Event) -> Result<Signal, Lost> {
    use five::Packet;
    let packet = match event {
        four::v5::Event::Outgoing(sent) => return outgoing(&sent),
        four::v5::Event::Incoming(packet) => packet,
    };
    Ok(match packet {
        Packet::ConnAck(ack) => {
            let properties = ack.properties.as_ref();
            Signal::Connected(Limits {
                max_packet: properties.and_then(|said| said.max_packet_size),
                receive_max: properties.and_then(|said| said.receive_max),
            })
        }
        Packet::PubAck(ack) => match ack.reason {
            // 0x00 and 0x10 say that it was taken.
            five::PubAckReason::Success | five::PubAckReason::NoMatchingSubscribers => {
                Signal::Acked(ack.pkid)
            }
            reason => {
                let said = ack.properties.and_then(|said| said.reason_string);
                let said = said.map(|said| format!(": {said}")).unwrap_or_default();
                Signal::Refused(ack.pkid, format!("{reason:?}{said}"))
            }
        },
        Packet::SubAck(ack) => {
            let refused = ack
                .return_codes
                .iter()
                .find(|code| !matches!(code, five::SubscribeReasonCode::Success(_)));
            let result = match refused {
                Some(code) => Err(format!("{code:?}")),
                None => Ok(()),
            };
            Signal::Subscribed(ack.pkid, result)
        }
        Packet::Publish(publish) => Signal::Message {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            retained: publish.retain,
        },
        _ => Signal::Other,
    })
}

/// Did the other side close, or did something fail?
fn from_io(error: &std::io::Error) -> Lost {
    match error.kind() {
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        // The stream ended within a packet; so it seems to the client also after a
        // DISCONNECT that has a reason and no properties.
        | ErrorKind::Other => Lost::Closed(error.to_string()),
        _ => Lost::Other(error.to_string()),
    }
}

fn lost_v4(error: four::ConnectionError) -> Lost {
    use four::{ConnectionError, StateError, mqttbytes};
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            Lost::Closed("end of stream".into())
        }
        ConnectionError::MqttState(StateError::Io(error)) => from_io(&error),
        ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::Io(error))) => {
            from_io(&error)
        }
        ConnectionError::MqttState(StateError::Deserialization(
            mqttbytes::Error::PayloadSizeLimitExceeded(size),
        )) => Lost::TooLarge(format!("{size} bytes")),
        ConnectionError::ConnectionRefused(code) => {
            Lost::Other(format!("the broker refuses the connection: {code:?}"))
        }
        ConnectionError::NetworkTimeout => Lost::Other("the broker does not answer".into()),
        error => Lost::Other(error.to_string()),
    }
}

fn lost_v5(error: four::v5::ConnectionError) -> Lost {
    use five::DisconnectReasonCode as Reason;
    use four::v5::{ConnectionError, StateError, mqttbytes};
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            Lost::Closed("end of stream".into())
        }
        ConnectionError::MqttState(StateError::Io(error)) => from_io(&error),
        ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::Io(error))) => {
            from_io(&error)
        }
        ConnectionError::MqttState(StateError::Deserialization(
            mqttbytes::Error::PayloadSizeLimitExceeded { pkt_size, .. },
        )) => Lost::TooLarge(format!("{pkt_size} bytes")),
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code,
            reason_string,
        }) => {
            let said = match reason_string {
                Some(said) => format!("{reason_code:?}: {said}"),
                None => format!("{reason_code:?}"),
            };
            match reason_code {
                Reason::SessionTakenOver => Lost::TakenOver,
                // These tell of the broker, not of what we sent.
                Reason::NormalDisconnection
                | Reason::ServerBusy
                | Reason::ServerShuttingDown
                | Reason::KeepAliveTimeout
                | Reason::AdministrativeAction
                | Reason::UseAnotherServer
                | Reason::ServerMoved
                | Reason::ConnectionRateExceeded
                | Reason::MaximumConnectTime => {
                    Lost::Other(format!("the broker closed the connection ({said})"))
                }
                _ => Lost::Closed(said),
            }
        }
        ConnectionError::ConnectionRefused(code) => {
            Lost::Other(format!("the broker refuses the connection: {code:?}"))
        }
        ConnectionError::Timeout(_) => Lost::Other("the broker does not answer".into()),
        error => Lost::Other(error.to_string()),
    }
}
