//! The life of one connection: connect, subscribe, say how we are, then send what
//! the outbox holds as fast as the broker acknowledges it.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::backoff::SHORT_LIFE;
use super::flight::{Flight, RESERVE, Tag};
use super::link::{self, Limits, Lost, NotTaken, Sender, Signal};
use super::{PULSE, RIVAL, Session, home_assistant, tls};
use crate::publish::message::Message;
use crate::publish::notice::State;
use crate::publish::outbox::Tip;

/// How long the last words of a reader may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Between two looks for replies to open commands.
const REPLIES: Duration = Duration::from_millis(10);

/// How a connection ended.
pub(super) enum End {
    /// In order, as it was asked for.
    Stopped,
    Lost(Loss),
}

/// What is known of a lost connection.
pub(super) struct Loss {
    pub cause: Lost,
    /// How long it worked, if it ever did.
    pub lived: Option<Duration>,
    /// The oldest event under way, if the connection had proved to work.
    pub oldest_event: Option<Message>,
}

impl Loss {
    fn early(cause: impl Into<String>) -> End {
        End::Lost(Loss {
            cause: Lost::Other(cause.into()),
            lived: None,
            oldest_event: None,
        })
    }
}

/// Where the end of a reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// `stopped` is on its way since then.
    LastWords(Instant),
    /// DISCONNECT is on its way since then.
    Leaving(Instant),
}

struct Connection<'s> {
    session: &'s mut Session,
    sender: Sender,
    flight: Flight,
    limits: Limits,
    connected: Option<Instant>,
    /// The broker has acknowledged something: it works.
    works: bool,
    last_heard: Instant,
    /// The status message sent last.
    status: Option<Vec<u8>>,
    phase: Phase,

    tip: watch::Receiver<Tip>,
    generation: u64,
    /// Position of the last message fetched.
    cursor: i64,
    fetched: VecDeque<Message>,
    fetch: Option<(oneshot::Receiver<Vec<Message>>, i64)>,
}

/// Lives one connection through.
pub(super) async fn run(session: &mut Session) -> End {
    let inflight = session.plan.window.saturating_add(RESERVE);
    let (sender, mut poller) = match open(session, inflight) {
        Ok(halves) => halves,
        Err(cause) => return Loss::early(cause),
    };
    let tip = session.outbox.tip();
    let generation = tip.borrow().generation;
    let mut connection = Connection {
        flight: Flight::new(session.plan.window, None),
        session,
        sender,
        limits: Limits::default(),
        connected: None,
        works: false,
        last_heard: Instant::now(),
        status: None,
        phase: Phase::Running,
        tip,
        generation,
        cursor: i64::MIN,
        fetched: VecDeque::new(),
        fetch: None,
    };
    let cause = loop {
        let mut poll = pin!(poller.poll());
        let signal = loop {
            connection.session.pulse.beat();
            match connection.turn() {
                Ok(true) => {}
                Ok(false) => return connection.stopped(),
                Err(lost) => break Err(lost),
            }
            tokio::select! {
                signal = &mut poll => break signal,
                () = connection.something() => {}
            }
        };
        match signal.and_then(|signal| connection.hear(signal)) {
            Ok(true) => {}
            Ok(false) => return connection.stopped(),
            Err(lost) => break lost,
        }
    };
    connection.lost(cause)
}

fn open(session: &Session, inflight: u16) -> Result<(Sender, link::Poller), String> {
    let plan = &session.plan;
    let tls = match &plan.tls {
        Some(files) => Some(tls::client_config(files)?),
        None => None,
    };
    let password = match &plan.password_file {
        Some(file) => std::fs::read_to_string(file)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| {
                format!(
                    "{} (mqtt.password-file) cannot be read: {error}",
                    file.display()
                )
            })?,
        None => String::new(),
    };
    Ok(link::open(link::Options {
        version: plan.version,
        host: &plan.host,
        port: plan.port,
        client_id: &plan.client_id,
        credentials: plan.user.clone().map(|user| (user, password)),
        tls,
        keep_alive: plan.keep_alive,
        inflight,
        will: (
            plan.topics.leaf("status"),
            session.desk.last_status(State::Offline),
        ),
    }))
}

impl Connection<'_> {
    /// Sends what may be sent now. False if it is time to go without more ado.
    fn turn(&mut self) -> Result<bool, Lost> {
        let now = Instant::now();
        let stop_by = self.session.desk.stop_by();
        let Some(connected) = self.connected else {
            return Ok(stop_by.is_none_or(|by| now < by));
        };
        self.look_for_silence(now)?;
        if connected.elapsed() > SHORT_LIFE {
            self.session.desk.clear_reason(RIVAL);
        }
        for reply in self.session.commands.replies() {
            self.session.desk.put(reply);
        }
        match self.phase {
            Phase::Leaving(since) => return Ok(since.elapsed() < LAST_WORDS),
            Phase::LastWords(since) => {
                if !self.flight.has_status() || since.elapsed() >= LAST_WORDS {
                    taken(self.sender.disconnect())?;
                    self.phase = Phase::Leaving(now);
                }
                return Ok(true);
            }
            Phase::Running => {}
        }
        self.say_status(self.session.desk.status())?;
        if let Some(body) = self.session.desk.take_stats() {
            let topic = self.session.plan.topics.leaf("stats");
            taken(self.sender.publish(topic, body, false, true))?;
        }
        while self.flight.has_room()
            && let Some(notice) = self.session.desk.take_notice()
        {
            self.publish(notice.leaf, notice.body.clone(), false, Tag::Notice(notice))?;
        }
        self.send_events()?;
        if let Some(by) = stop_by
            && (self.drained() || now >= by)
        {
            // A broker that has no ear for the last word gets the will instead.
            let last_word = self.session.desk.last_status(State::Stopped);
            let heard = self.say_status(last_word)?;
            self.phase = Phase::LastWords(now);
            return Ok(heard);
        }
        Ok(true)
    }

    /// A broker that accepts and never answers is no broker.
    fn look_for_silence(&self, now: Instant) -> Result<(), Lost> {
        let keep_alive = self.session.plan.keep_alive;
        let unanswered = self
            .flight
            .oldest()
            .is_some_and(|since| now.saturating_duration_since(since) > keep_alive);
        // A ping goes out after each keep-alive: two of them unanswered.
        let unheard = now.saturating_duration_since(self.last_heard) > keep_alive * 5 / 2;
        match unanswered || unheard {
            true => Err(Lost::Other(format!(
                "the broker has not answered for {} s",
                now.saturating_duration_since(self.last_heard).as_secs()
            ))),
            false => Ok(()),
        }
    }

    /// Publishes a `status` if it is not what was published last. False if there is
    /// no room for it now.
    fn say_status(&mut self, body: Vec<u8>) -> Result<bool, Lost> {
        if self.status.as_ref() == Some(&body) {
            return Ok(true);
        }
        if !self.flight.has_room() {
            return Ok(false);
        }
        self.status = Some(body.clone());
        self.publish("status", body, true, Tag::Status)?;
        Ok(true)
    }

    fn send_events(&mut self) -> Result<(), Lost> {
        let tip = *self.tip.borrow_and_update();
        if tip.generation != self.generation {
            // Older messages have turned up: begin again from the front.
            self.generation = tip.generation;
            self.cursor = i64::MIN;
            self.fetched.clear();
            self.fetch = None;
        }
        loop {
            if !self.may_send_event() {
                return Ok(());
            }
            let Some(message) = self.fetched.pop_front() else {
                break;
            };
            if self.flight.holds(message.position) {
                continue;
            }
            let topic = self.session.plan.topics.leaf(message.kind.leaf());
            let bytes = self.sender.publish_bytes(&topic, &message.body);
            if let Some(most) = self.limits.max_packet
                && bytes > most as usize
            {
                let reason = format!("{bytes} bytes, and the broker takes at most {most}");
                self.session.outbox.bury(message, reason);
                continue;
            }
            let body = message.body.clone();
            self.publish(message.kind.leaf(), body, false, Tag::Event(message))?;
        }
        if self.fetch.is_none() && tip.waiting > 0 && tip.last > self.cursor {
            let limit = usize::from(self.session.plan.window) * 2;
            let answer = self.session.outbox.fetch(self.cursor, limit);
            self.fetch = Some((answer, tip.last));
        }
        Ok(())
    }

    fn may_send_event(&self) -> bool {
        match self.session.suspicion.careful() {
            // Alone, and only on a connection that is known to work.
            true => self.works && self.flight.is_empty(),
            false => self.flight.has_room_for_event(),
        }
    }

    fn drained(&self) -> bool {
        self.tip.borrow().waiting == 0
            && self.fetched.is_empty()
            && self.flight.events() == 0
            && !self.session.desk.has_notices()
    }

    /// Hands a message of QoS 1 over.
    fn publish(&mut self, leaf: &str, body: Vec<u8>, retain: bool, tag: Tag) -> Result<(), Lost> {
        let topic = self.session.plan.topics.leaf(leaf);
        taken(self.sender.publish(topic, body, true, retain))?;
        self.flight.hand(tag);
        Ok(())
    }

    /// Waits for whatever is not the broker.
    async fn something(&mut self) {
        let mut wait = match self.flight.oldest() {
            Some(since) => (since + self.session.plan.keep_alive)
                .saturating_duration_since(Instant::now())
                .max(REPLIES)
                .min(PULSE),
            None => PULSE,
        };
        if self.session.commands.has_open() {
            wait = REPLIES;
        }
        let fetch = async {
            match &mut self.fetch {
                Some((answer, asked_at)) => (answer.await, *asked_at),
                None => pending().await,
            }
        };
        tokio::select! {
            (answer, asked_at) = fetch => {
                self.fetch = None;
                let messages = answer.unwrap_or_default();
                self.cursor = messages.last().map_or(asked_at, |last| last.position);
                self.fetched.extend(messages);
            }
            changed = self.tip.changed() => {
                if changed.is_err() {
                    // The outbox has ended; what it held cannot be had any more.
                    tokio::time::sleep(wait).await;
                }
            }
            () = self.session.desk.bell.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Deals with what came from the connection. False if it is over, in order.
    fn hear(&mut self, signal: Signal) -> Result<bool, Lost> {
        match signal {
            Signal::Sent(pkid) => self.flight.sent(pkid),
            Signal::Disconnected => return Ok(false),
            Signal::Connected(limits) => self.connected(limits)?,
            Signal::Acked(pkid) => {
                self.heard();
                if let Some(Tag::Event(message)) = self.flight.done(pkid) {
                    self.session.suspicion.settled(message.position);
                    let outbox = &self.session.outbox;
                    outbox.acknowledge(message.position, message.cost());
                }
                self.proved();
            }
            Signal::Refused(pkid, reason) => {
                self.heard();
                match self.flight.done(pkid) {
                    Some(Tag::Event(message)) => {
                        self.session.suspicion.settled(message.position);
                        self.session.outbox.bury(message, reason);
                    }
                    Some(tag) => log::error!(
                        "the broker refuses {}: {reason}",
                        match tag {
                            Tag::Status => "the status",
                            Tag::Discovery => "the announcement to Home Assistant",
                            _ => "an alert or a reply",
                        }
                    ),
                    None => {}
                }
                self.proved();
            }
            Signal::Subscribed(pkid, result) => {
                self.heard();
                self.flight.done(pkid);
                if let Err(reason) = result {
                    log::error!(
                        "the broker refuses the subscription to {}: {reason}; commands are off",
                        self.session.plan.topics.leaf("cmd/#")
                    );
                }
            }
            Signal::Message {
                topic,
                payload,
                retained,
            } => {
                self.heard();
                let start = self.session.plan.topics.leaf("cmd/");
                if let Some(verb) = topic.strip_prefix(&start) {
                    let answer = self.session.commands.take(verb, &payload, retained);
                    if let Some(answer) = answer {
                        self.session.desk.put(answer);
                    }
                }
            }
            Signal::Other => self.heard(),
        }
        Ok(true)
    }

    fn connected(&mut self, limits: Limits) -> Result<(), Lost> {
        self.heard();
        self.connected = Some(Instant::now());
        self.limits = limits;
        self.flight = Flight::new(self.session.plan.window, limits.receive_max);
        self.session.meters.publish.connected.set(1);
        self.session.meters.publish.connections.add(1);
        log::info!("connected to {}", self.session.address());
        let off = self.session.commands_off;
        if off.is_none_or(|until| until <= Instant::now()) {
            self.session.commands_off = None;
            let filter = self.session.plan.topics.leaf("cmd/#");
            taken(self.sender.subscribe(filter))?;
            self.flight.hand(Tag::Subscription);
        }
        if self.session.plan.home_assistant {
            let plan = &self.session.plan;
            let (topic, body) = home_assistant::announcement(&plan.topics, &plan.client_id);
            taken(self.sender.publish(topic, body, true, true))?;
            self.flight.hand(Tag::Discovery);
        }
        Ok(())
    }

    fn heard(&mut self) {
        self.last_heard = Instant::now();
    }

    /// The broker has answered for something that we published.
    fn proved(&mut self) {
        if !self.works {
            self.works = true;
            self.session.backoff.worked();
            self.session.last_loss.clear();
        }
    }

    fn stopped(self) -> End {
        self.give_back();
        End::Stopped
    }

    fn lost(self, cause: Lost) -> End {
        let lived = self.connected.filter(|_| self.works).map(|at| at.elapsed());
        let oldest_event = match self.works {
            true => self.flight.first_event().cloned(),
            false => None,
        };
        self.give_back();
        End::Lost(Loss {
            cause,
            lived,
            oldest_event,
        })
    }

    /// Alerts and replies that were not acknowledged go back on the desk.
    fn give_back(self) {
        for tag in self.flight.into_unanswered() {
            if let Tag::Notice(notice) = tag {
                self.session.desk.put_back(notice);
            }
        }
    }
}

fn taken(result: Result<(), NotTaken>) -> Result<(), Lost> {
    result.map_err(|NotTaken| Lost::Other("the client takes no more messages".into()))
}
