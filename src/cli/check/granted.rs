//! What the control group grants, as `check` tells it.

use serde::Serialize;

use super::size;
use crate::limits::{Accounting, Limits};

/// Limits of the control group, in plain figures.
#[derive(Serialize)]
pub(super) struct Granted {
    cores: usize,
    cpu_quota: Option<f64>,
    memory_high: Option<u64>,
    memory_max: Option<u64>,
    /// Whether the kernel can limit memory; `None`: not known.
    memory_controller: Option<bool>,
}

impl Granted {
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            cores: limits.cores,
            cpu_quota: limits.cpu.as_ref().map(|quota| quota.cores),
            memory_high: limits.memory.high,
            memory_max: limits.memory.max,
            memory_controller: match limits.memory.accounting {
                Accounting::On => Some(true),
                Accounting::Off => Some(false),
                Accounting::Unknown => None,
            },
        }
    }

    /// As `CPUQuota 50 %, MemoryMax 128.0 MB`.
    pub(super) fn words(&self) -> String {
        let bytes = |name: &str, bytes: Option<u64>| match bytes {
            Some(bytes) => format!("{name} {}", size(bytes)),
            None => format!("no {name}"),
        };
        format!(
            "{}, {}, {}; {} cores (of this shell; the service has its own)",
            match self.cpu_quota {
                Some(quota) => format!("CPUQuota {:.0} %", quota * 100.0),
                None => "no CPUQuota".to_owned(),
            },
            bytes("MemoryHigh", self.memory_high),
            bytes("MemoryMax", self.memory_max),
            self.cores
        )
    }
}
