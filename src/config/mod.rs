//! What the TOML may say ([`Config`]), validated once into what will be done
//! ([`Plan`]): every unit resolved, every default filled in.
//!
//! Each section has a file of its own that holds both halves and the passage
//! between them (`resolve`), which reports every fault it finds, not the first.

mod advice;
mod belt;
mod camera;
mod item;
mod keys;
mod memory;
mod motion;
mod ocr;
mod output;
mod problem;
mod publish;
mod read;
mod service;
mod set;
#[cfg(test)]
mod tests;
mod text;

pub use belt::{Belt, BeltPlan};
pub use camera::{
    BeltSource, BeltSourcePlan, Camera, CameraPlan, Focus, PipeFormat, PixelFormat, ReplayRate,
    SourcePlan,
};
pub use item::{
    Decide, Expected, FieldRule, IfMissing, Item, ItemPlan, NoReads, NoReadsPlan, Rule, RulePlan,
    TriggerMode,
};
pub use memory::{MemoryPart, TooLittleMemory, UNIT_MEMORY_MAX};
pub use motion::Motion;
pub(crate) use ocr::MONTHS;
pub use ocr::{
    Characters, CodeAnchor, DateFormat, DatePart, FieldPlace, FieldPlan, Find, Ocr, OcrField,
    OcrPlan,
};
pub use output::{FileSink, Outputs};
pub use problem::{Problem, Problems};
pub use publish::{Mqtt, MqttPlan, MqttVersion, Outbox, OutboxPlan, Reader, TlsPlan, Topics};
pub use read::{Look, Read, ReadPlan};
pub use service::{Log, LogFormat, Service, ServicePlan};
pub use set::TUNING_KEYS;

use std::io::Read as _;
use std::path::Path;

use crate::limits::{Limits, System};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    /// Text beside the codes.
    pub ocr: Ocr,
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
    /// Text.
    pub ocr: OcrPlan,
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

impl Config {
    /// Reads and checks a file, as [`Config::parse`] does its text.
    pub fn load(path: &Path) -> Result<Config, Problems> {
        Config::parse(&Config::read_text(path)?)
    }

    /// The text of a file, if it is one and not too large.
    pub fn read_text(path: &Path) -> Result<String, Problems> {
        let mut bytes = Vec::new();
        // One byte beyond what is taken, so that a larger file shows.
        std::fs::File::open(path)
            .and_then(|file| {
                file.take(text::MAX_BYTES as u64 + 1)
                    .read_to_end(&mut bytes)
            })
            .map_err(|error| {
                let mut problems = Problems::default();
                problems.add(
                    "",
                    format!("cannot read {}: {error}", path.display()),
                    "name a configuration that this user may read with --config",
                );
                problems
            })?;
        text::from_bytes(bytes)
    }

    /// Reads and checks the text of a file: TOML, known keys, fitting values, and
    /// a plan that can be made of them. Reports every fault of the file, each
    /// with its line, not the first. A configuration that comes out of here has
    /// a [`Config::plan`], as long as the files it names stay.
    pub fn parse(text: &str) -> Result<Config, Problems> {
        text::parse(text)
    }

    /// Adds the lines of `text` where the keys of `problems` stand.
    pub fn locate(text: &str, problems: &mut Problems) {
        text::locate(text, problems);
    }

    /// Resolves every section under the limits of this machine and of the daemon's
    /// control groups, and reports every fault found on the way.
    pub fn plan(&self) -> Result<Plan, Problems> {
        self.plan_within(&System::own().limits())
    }

    /// The same under other limits.
    pub fn plan_within(&self, limits: &Limits) -> Result<Plan, Problems> {
        let mut problems = Problems::default();
        let service = self.service.resolve(&mut problems);
        let camera = self.camera.resolve(&mut problems);
        let belt = self.belt.resolve(&mut problems);
        let read = self.read.resolve(self.camera.fps, limits, &mut problems);
        let item = self.item.resolve(&camera, &belt, &read, &mut problems);
        let ocr = self.ocr.resolve(&camera, &mut problems);
        let rules = self
            .rule
            .iter()
            .enumerate()
            .map(|(nth, rule)| rule.resolve(&format!("rule[{nth}]"), &ocr, &mut problems))
            .collect();
        for (nth, rule) in self.rule.iter().enumerate() {
            if self.rule[..nth].iter().any(|other| other.name == rule.name) {
                problems.add(
                    format!("rule[{nth}].name"),
                    format!("there is a rule \"{}\" already", rule.name),
                    "give each rule a name of its own: events tell it",
                );
            }
        }
        let noread = self.noread.resolve(&service.state_dir, &mut problems);
        let reader = self.reader.resolve(&mut problems);
        let mqtt = self.mqtt.resolve(&self.reader, &mut problems);
        let outbox = self.outbox.resolve(&service.state_dir, &mut problems);
        let output = self.output.resolve(&mut problems);
        let log = self.log.resolve(&mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut plan = Plan {
            reader,
            camera,
            belt,
            read,
            item,
            ocr,
            rules,
            noread,
            mqtt,
            outbox,
            output,
            log,
            service,
        };
        if self.read.threads == 0
            && let Some(max) = limits.memory.max
        {
            plan.fit_threads(max);
        }
        Ok(plan)
    }

    /// A fingerprint of everything that the configuration says, defaults
    /// included: SHA-256 in hexadecimal. The same for two files that differ in
    /// comments, order or keys that repeat a default.
    pub fn hash(&self) -> String {
        // Fields are written in the order of their declaration. Nothing in a
        // configuration can fail to be written: its keys are names, its
        // numbers finite, its paths UTF-8 since they came from TOML.
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&canonical)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
