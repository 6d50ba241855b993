//! What the TOML may say ([`Config`]), validated once into what will be done
//! ([`Plan`]): every unit resolved, every default filled in.
//!
//! Each section has a file of its own that holds both halves and the passage
//! between them (`resolve`), which reports every fault it finds, not the first.

mod belt;
mod camera;
mod item;
mod output;
mod problem;
mod publish;
mod read;
mod service;

pub use belt::{Belt, BeltPlan};
pub use camera::{
    BeltSource, BeltSourcePlan, Camera, CameraPlan, Focus, PipeFormat, PixelFormat, ReplayRate,
    SourcePlan,
};
pub use item::{
    Decide, Expected, Item, ItemPlan, NoReads, NoReadsPlan, Rule, RulePlan, TriggerMode,
};
pub use output::{FileSink, Outputs};
pub use problem::{Problem, Problems};
pub use publish::{Mqtt, MqttPlan, MqttVersion, Outbox, OutboxPlan, Reader, TlsPlan, Topics};
pub use read::{Read, ReadPlan};
pub use service::{Log, LogFormat, Service, ServicePlan};

use serde::{Deserialize, Serialize};

/// The whole file, as written. Keys are kebab-case, unknown ones are refused,
/// the `Default` impls are the documented defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Who this reader is: names that become MQTT topics and event ids.
    pub reader: Reader,
    /// Where frames come from.
    pub camera: Camera,
    /// What is known of the belt.
    pub belt: Belt,
    /// How frames are read.
    pub read: Read,
    /// What an item is.
    pub item: Item,
    /// Rules that give a verdict, in order.
    pub rule: Vec<Rule>,
    /// What becomes of items that were not read.
    pub noread: NoReads,
    /// The broker.
    pub mqtt: Mqtt,
    /// The queue on disk.
    pub outbox: Outbox,
    /// Other sinks.
    pub output: Outputs,
    /// The log.
    pub log: Log,
    /// The service itself.
    pub service: Service,
}

/// What will be done. Everything behind the configuration takes only this.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Names.
    pub reader: Reader,
    /// Frames.
    pub camera: CameraPlan,
    /// Belt.
    pub belt: BeltPlan,
    /// Reading.
    pub read: ReadPlan,
    /// Items.
    pub item: ItemPlan,
    /// Rules in order.
    pub rules: Vec<RulePlan>,
    /// No-reads.
    pub noread: NoReadsPlan,
    /// Broker; `None` if no broker is configured.
    pub mqtt: Option<MqttPlan>,
    /// Queue on disk.
    pub outbox: OutboxPlan,
    /// Other sinks.
    pub output: Outputs,
    /// Log.
    pub log: Log,
    /// Service.
    pub service: ServicePlan,
}
