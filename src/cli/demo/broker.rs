//! The broker that the demonstration brings along: rumqttd on loopback, MQTT
//! 3.1.1, without TLS, storage or users.
//!
//! rumqttd's own `Broker::start` never returns. Its listener is started here on a
//! runtime of ours, so that dropping the broker closes the port and every
//! connection. Its router is a thread that nothing can stop: it sleeps until the
//! process ends.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttd::protocol::v4::V4;
use rumqttd::{ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};
use tokio::sync::oneshot;

/// Ports tried from the wanted one on.
const PORTS: u16 = 64;
/// Largest message; more than any event.
const MAX_MESSAGE: usize = 1 << 20;

/// A broker on loopback. Dropping it closes it.
pub(super) struct Broker {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Listens on `port` or, if that is taken, on the next free one; 0 takes any.
    ///
    /// # Errors
    ///
    /// If no port can be had, or no thread be started.
    pub(super) fn start(port: u16) -> io::Result<Broker> {
        let mut last = io::ErrorKind::AddrInUse.into();
        for offset in 0..PORTS {
            let wanted = match port {
                0 => 0,
                port => match port.checked_add(offset) {
                    Some(wanted) => wanted,
                    None => break,
                },
            };
            match listen(wanted) {
                Ok(broker) => return Ok(broker),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has told itself, and nothing is left to be done.
            let _ = thread.join();
        }
    }
}

fn listen(port: u16) -> io::Result<Broker> {
    // rumqttd binds by itself and does not say which port it got: look for a free
    // one first. Should another program take it in between, `ready` notices.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()?;
    let settings = ServerSettings {
        name: "demo-broker".into(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 5000,
            max_payload_size: MAX_MESSAGE,
            max_inflight_count: 200,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    let router = Router::new(
        0,
        RouterConfig {
            max_connections: 64,
            max_outgoing_packet_count: 200,
            max_segment_size: MAX_MESSAGE,
            max_segment_count: 4,
            ..RouterConfig::default()
        },
    );
    let mut server = Server::new(settings, router.spawn(), V4);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("demo-broker".into())
        .spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    ended = server.start(LinkType::Remote) => {
                        if let Err(error) = ended {
                            log::debug!("the embedded broker has ended: {error}");
                        }
                    }
                    _ = stopped => {}
                }
            });
        })?;
    let broker = Broker {
        port: address.port(),
        stop: Some(stop),
        thread: Some(thread),
    };
    broker.ready(address)?;
    Ok(broker)
}

impl Broker {
    /// Waits until it accepts connections, or has ended for want of its port.
    fn ready(&self, address: SocketAddr) -> io::Result<()> {
        loop {
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over_and_a_dropped_broker_gives_its_own_back() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = taken.local_addr().expect("is bound").port();
        let broker = Broker::start(port).expect("the next one");
        assert_ne!(broker.port(), port);
        let address = (Ipv4Addr::LOCALHOST, broker.port());
        assert!(TcpStream::connect(address).is_ok());
        drop(broker);
        assert!(
            TcpStream::connect(address).is_err(),
            "nobody listens any more"
        );
    }
}
