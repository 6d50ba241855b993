//! What is done to the machine, and what must come of it.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use rumqttc::{Client, QoS};
use serde_json::{Value, json};

use crate::belt::{Format, Running, has_text};
use crate::ledger::Ledger;
use crate::machine::{Machine, free_port};
use crate::wait_until;

const CONFIG: &str = "/etc/beltscan/beltscan.toml";
const TOPIC: &str = "beltscan/vm/loop/reader";

/// The machine and all that is known of it from outside.
pub struct Test {
    folder: PathBuf,
    /// `None` only while its power is off.
    machine: Option<Machine>,
    ledger: Ledger,
    client: Client,
    belt: Option<Running>,
    sessions: u32,
    format: Format,
    /// Texts that passed in sight of a reader that was up.
    owed: Vec<String>,
    requests: u32,
    outside: Option<Outside>,
}

/// A broker on this machine, which keeps its power.
struct Outside {
    broker: Child,
    port: u16,
}

/// A stage: its name and what it does.
type Stage = (&'static str, fn(&mut Test));

/// All of them, in their order.
pub const ALL: &[Stage] = &[
    ("ready, and GREY frames read", Test::ready),
    ("YUYV frames read", |test| test.frames(Format::Yuyv)),
    ("MJPG frames read", |test| test.frames(Format::Mjpeg)),
    ("reload, and a faulty file changes nothing", Test::reload),
    ("watchdog restarts a reader that hangs", Test::watchdog),
    ("camera removed and back", Test::camera),
    ("broker stopped and back", Test::broker),
    ("quota enforced", Test::quota),
    ("a leak ends in oom-kill and a restart", Test::leak),
    ("vivid's formats, gain set and read back", Test::vivid),
    (
        "power cut with events that wait",
        Test::power_cut_with_a_backlog,
    ),
    ("power cut at a random moment", Test::power_cut),
    ("upgrade, removal, purge", Test::package),
];

impl Test {
    /// Boots the machine of a folder.
    pub fn boot(folder: PathBuf) -> Test {
        let machine = Machine::boot(&folder);
        let ledger = Ledger::default();
        let client = ledger.listen("guest", machine.broker);
        Test {
            folder,
            machine: Some(machine),
            ledger,
            client,
            belt: None,
            sessions: 0,
            format: Format::Grey,
            owed: Vec::new(),
            requests: 0,
            outside: None,
        }
    }

    /// How many events have come.
    pub fn events(&self) -> usize {
        self.ledger.events()
    }

    fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("its power is on")
    }

    fn run(&self, script: &str) -> String {
        self.machine().run(script)
    }

    fn number(&self, property: &str) -> u64 {
        let text = self.machine().property(property);
        text.parse().unwrap_or_else(|_| panic!("{property}={text}"))
    }

    /// Lets rows of items pass; the reader owes them from now on.
    fn pass(&mut self, rows: usize) {
        let belt = self.belt.as_ref().expect("the belt runs");
        self.owed.extend(belt.pass(rows));
    }

    /// Waits until all that is owed has come, and judges all that has come.
    fn settle(&self) {
        for text in &self.owed {
            wait_until(&format!("{text} is published ({})", self.told()), || {
                self.ledger.times(text) != (0, 0)
            });
        }
        let faults = self.ledger.audit(has_text);
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// What the reader says of itself.
    fn told(&self) -> String {
        let status = self
            .machine()
            .ask("systemctl show --value -p StatusText beltscan");
        status.map_or_else(String::new, |answer| answer.text)
    }

    /// Nothing is amiss but perhaps the time that this machine gives to the guest.
    fn is_online(&self) -> bool {
        let status = self.ledger.status();
        let reasons = status["reasons"].as_array();
        let only_slow = reasons.is_some_and(|all| all.iter().all(|r| r == "throttled"));
        status["status"] == "online" || (status["status"] == "degraded" && only_slow)
    }

    fn has_reason(&self, reason: &str) -> bool {
        let status = self.ledger.status();
        let reasons = status["reasons"].as_array();
        reasons.is_some_and(|reasons| reasons.iter().any(|r| r == reason))
    }

    /// Stops the belt and takes the camera away.
    fn unplug(&mut self) {
        if let Some(belt) = self.belt.take() {
            belt.stop();
        }
        // In use until the reader has noticed that nothing comes any more.
        wait_until("the camera's module is unloaded", || {
            let answer = self.machine().ask("modprobe -r v4l2loopback");
            answer.is_some_and(|answer| answer.code == 0)
        });
    }

    /// Puts the camera back and starts the belt with texts of its own.
    fn plug(&mut self) {
        self.run("modprobe v4l2loopback && udevadm settle && test -c /dev/video10");
        self.sessions += 1;
        let port = self.machine().frames;
        self.belt = Some(Running::start(port, self.sessions, self.format));
        wait_until("the reader is online", || self.is_online());
    }

    /// Changes a line of the configuration.
    fn configure(&self, key: &str, value: &str) {
        self.run(&format!(
            "sed -i 's|^{key} = .*|{key} = {value}|' {CONFIG} && grep -Fqx '{key} = {value}' {CONFIG}"
        ));
    }

    fn reload_reader(&self) {
        self.run("systemctl reload beltscan");
    }

    /// Lines of the unit's journal with such a text.
    fn journal(&self, text: &str) -> u64 {
        // grep ends with 1 where it counts none. The text has quotes of its own.
        let count = self.run(&format!(
            "journalctl -u beltscan -o cat | grep -Fc \"{text}\" || true"
        ));
        count.parse().expect("a count")
    }

    fn ready(&mut self) {
        wait_until("the machine is up", || {
            let state = self.machine().ask("systemctl is-system-running");
            state.is_some_and(|state| ["running", "degraded"].contains(&&*state.text))
        });
        let failed = self.run("systemctl list-units --failed --plain --no-legend");
        assert_eq!(failed, "", "units that failed");
        // Type=notify: active is after READY=1. There is no camera yet: READY does
        // not wait for one.
        assert_eq!(self.machine().property("ActiveState"), "active");
        assert_eq!(self.machine().property("NRestarts"), "0");
        wait_until("the reader tells that its camera is absent", || {
            self.has_reason("camera")
        });
        let owner = self.run("ps -o user= -p $(systemctl show --value -p MainPID beltscan)");
        assert_ne!(owner.trim(), "root");
        assert_eq!(
            self.run("stat -c '%G %a' /dev/video10"),
            "video 660",
            "the udev rule"
        );
        self.plug();
        self.pass(2);
        self.settle();
    }

    fn frames(&mut self, format: Format) {
        self.unplug();
        wait_until("the reader misses its camera", || self.has_reason("camera"));
        self.format = format;
        self.configure("format", &format!("\"{}\"", format.key()));
        self.reload_reader();
        self.plug();
        self.pass(2);
        self.settle();
    }

    fn reload(&mut self) {
        let process = self.machine().property("MainPID");
        let before = self.ledger.status()["config_hash"].clone();
        self.configure("keep-alive-s", "\"soon\"");
        self.reload_reader();
        wait_until("the fault is in STATUS", || {
            let told = self.told();
            told.contains("keep-alive-s") || told.contains("config")
        });
        assert_eq!(self.ledger.status()["config_hash"], before);
        self.pass(1);
        self.settle();

        self.configure("keep-alive-s", "5");
        self.run(&format!(
            "printf '\\n[item]\\nlost-ms = 2500\\n' >> {CONFIG}"
        ));
        self.reload_reader();
        wait_until("the new plan is in force", || {
            self.is_online() && self.ledger.status()["config_hash"] != before
        });
        assert_eq!(self.machine().property("MainPID"), process, "no restart");
        self.pass(1);
        self.settle();
    }

    /// Waits for the restart after `restarts`, for the reason `result`.
    fn await_restart(&self, restarts: u64, result: &str, before: u64) {
        let told = format!("Failed with result '{result}'");
        wait_until(&format!("it has failed with {result}"), || {
            self.journal(&told) > before
        });
        wait_until("it is up again", || {
            self.number("NRestarts") > restarts
                && self.machine().property("ActiveState") == "active"
        });
    }

    fn watchdog(&mut self) {
        let restarts = self.number("NRestarts");
        let before = self.journal("Failed with result 'watchdog'");
        self.run("kill -STOP $(systemctl show --value -p MainPID beltscan)");
        self.await_restart(restarts, "watchdog", before);
        wait_until("the reader is online", || {
            self.is_online() && self.is_reading()
        });
        self.pass(1);
        self.settle();
    }

    /// Whether its newest statistics are of this start and show frames.
    fn is_reading(&self) -> bool {
        let (stats, _) = self.ledger.stats();
        let started = self.number("ActiveEnterTimestampMonotonic") / 1_000_000;
        let up: f64 = self
            .run("cut -d' ' -f1 /proc/uptime")
            .parse()
            .unwrap_or(0.0);
        let age = (up as u64).saturating_sub(started);
        stats["uptime_s"]
            .as_u64()
            .is_some_and(|seconds| seconds <= age + 2)
            && stats["frames"].as_u64().is_some_and(|frames| frames > 0)
    }

    fn camera(&mut self) {
        self.unplug();
        wait_until("the reader tells that its camera is gone", || {
            self.ledger.status()["status"] == "degraded" && self.has_reason("camera")
        });
        let process = self.machine().property("MainPID");
        self.plug();
        assert_eq!(self.machine().property("MainPID"), process, "no restart");
        self.pass(1);
        self.settle();
    }

    /// Events that wait for the broker, as STATUS tells.
    fn backlog(&self) -> u64 {
        let told = self.told();
        let number = told.split("outbox ").nth(1).unwrap_or_default();
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }

    fn broker(&mut self) {
        self.run("systemctl stop mosquitto");
        self.pass(2);
        wait_until("four events wait", || self.backlog() >= 4);
        self.run("systemctl start mosquitto");
        self.settle();
        wait_until("nothing waits any more", || self.backlog() == 0);
        self.pass(1);
        self.settle();
    }

    /// A figure of the unit's cpu.stat.
    fn cpu(&self, name: &str) -> u64 {
        let group = self.machine().property("ControlGroup");
        let text = self.run(&format!(
            "sed -n 's/^{name} //p' /sys/fs/cgroup{group}/cpu.stat"
        ));
        text.parse().unwrap_or_else(|_| panic!("{name} {text}"))
    }

    fn quota(&mut self) {
        let group = self.machine().property("ControlGroup");
        let maximum = format!("cat /sys/fs/cgroup{group}/cpu.max");
        assert_eq!(
            self.run(&maximum),
            "40000 20000",
            "the unit's CPUQuota= and its period"
        );
        let restarts = self.number("NRestarts");
        self.run("systemctl set-property --runtime beltscan CPUQuota=8%");
        assert_eq!(self.run(&maximum), "1600 20000");
        let before = (self.cpu("nr_throttled"), self.cpu("throttled_usec"));
        wait_until("it is throttled", || {
            self.cpu("nr_throttled") > before.0 + 10 && self.cpu("throttled_usec") > before.1
        });
        self.run("systemctl set-property --runtime beltscan CPUQuota=200%");
        assert_eq!(self.number("NRestarts"), restarts, "throttled, not hung");
        wait_until("the reader is online", || self.is_online());
        self.pass(1);
        self.settle();
    }

    fn leak(&mut self) {
        let restarts = self.number("NRestarts");
        let before = self.journal("Failed with result 'oom-kill'");
        let high = self.machine().property("MemoryHigh");
        // What leaks would be throttled at MemoryHigh for so long that the watchdog
        // might come first.
        self.run("systemctl set-property --runtime beltscan MemoryHigh=infinity");
        let group = self.machine().property("ControlGroup");
        // A line without an end, kept in memory by a process of the unit.
        let leak = format!("echo $$ > /sys/fs/cgroup{group}/cgroup.procs && exec tail /dev/zero");
        let killed = self.machine().ask(&leak).expect("the machine runs scripts");
        assert_eq!(killed.code, 137, "{}", killed.text);
        self.await_restart(restarts, "oom-kill", before);
        self.run(&format!(
            "systemctl set-property --runtime beltscan MemoryHigh={high}"
        ));
        wait_until("the reader is online", || {
            self.is_online() && self.is_reading()
        });
        self.pass(1);
        self.settle();
    }

    /// Sends a command and waits for its reply.
    fn command(&mut self, verb: &str, mut body: Value) -> Value {
        self.requests += 1;
        let id = format!("vm-{}", self.requests);
        body["request_id"] = json!(id);
        let topic = format!("{TOPIC}/cmd/{verb}");
        self.client
            .publish(topic, QoS::AtLeastOnce, false, body.to_string())
            .expect("it is sent");
        wait_until(&format!("{verb} is answered"), || {
            self.ledger.reply(&id).is_some()
        });
        self.ledger.reply(&id).expect("it has come")
    }

    fn vivid(&mut self) {
        self.unplug();
        self.run("modprobe vivid n_devs=1 node_types=0x1 vid_cap_nr=0 && udevadm settle");
        self.run(&format!("cp {CONFIG} /root/kept.toml"));
        self.configure("device", "\"/dev/video0\"");
        self.configure("height", "180");
        for (key, fourcc) in [("yuyv", "YUYV"), ("grey", "GREY"), ("nv12", "NV12")] {
            self.configure("format", &format!("\"{key}\""));
            self.reload_reader();
            let format = "v4l2-ctl -d /dev/video0 --get-fmt-video";
            wait_until(&format!("vivid gives {fourcc}"), || {
                let told = self.run(format);
                told.contains(&format!("'{fourcc}'")) && told.contains("320/180")
            });
            wait_until("the reader is online", || self.is_online());
            let (stats, seen) = self.ledger.stats();
            let before = stats["frames"].as_u64().unwrap_or_default();
            wait_until(&format!("frames of {fourcc} come"), || {
                let (stats, now) = self.ledger.stats();
                now > seen + 1 && stats["frames"].as_u64().is_some_and(|n| n > before + 5)
            });
        }
        // Gain by command; vivid's automatic gain has to go off for it.
        let reply = self.command("set", json!({"key": "camera.gain", "value": 77}));
        assert_eq!(reply["ok"], true, "{reply}");
        wait_until("the gain is set", || {
            let controls = self.run("v4l2-ctl -d /dev/video0 -C gain,gain_automatic");
            controls.contains("gain: 77") && controls.contains("gain_automatic: 0")
        });
        // vivid has no exposure: the reader says so and goes on.
        let reply = self.command("set", json!({"key": "camera.exposure-us", "value": 300}));
        assert_eq!(reply["ok"], true, "{reply}");
        wait_until("the reader is online", || self.is_online());

        self.run(&format!("cp /root/kept.toml {CONFIG}"));
        self.reload_reader();
        wait_until("vivid is let go", || {
            let answer = self.machine().ask("modprobe -r vivid");
            answer.is_some_and(|answer| answer.code == 0)
        });
        self.plug();
        self.pass(1);
        self.settle();
    }

    /// Has the reader publish to a broker on this machine: one in the guest would
    /// lose what it had acknowledged and not yet written.
    fn move_out(&mut self) {
        let port = free_port();
        let file = self.folder.join("mosquitto.conf");
        std::fs::write(
            &file,
            format!("listener {port} 127.0.0.1\nallow_anonymous true\n"),
        )
        .expect("the configuration is written");
        let path = std::env::var("PATH").unwrap_or_default();
        let broker = Command::new("mosquitto")
            .env("PATH", format!("{path}:/usr/sbin"))
            .arg("-c")
            .arg(&file)
            .spawn()
            .expect("mosquitto starts");
        self.outside = Some(Outside { broker, port });
        wait_until("nothing waits any more", || self.backlog() == 0);
        self.client = self.ledger.listen("host", port);
        self.configure("url", &format!("\"mqtt://10.0.2.2:{port}\""));
        self.run("systemctl restart beltscan");
        wait_until("the reader is online", || {
            self.is_online() && self.is_reading()
        });
    }

    /// Cuts the power and boots the same disk again.
    fn cut(&mut self) {
        let before = self.ledger.status()["boot_id"].clone();
        self.machine.take().expect("its power is on").cut();
        // The frames have nowhere to go; items that were in view may come again.
        self.belt = None;
        self.machine = Some(Machine::boot(&self.folder));
        wait_until("the reader is back", || {
            let status = self.ledger.status();
            status["boot_id"] != before && !status["boot_id"].is_null()
        });
        self.plug();
    }

    fn power_cut_with_a_backlog(&mut self) {
        self.move_out();
        self.pass(1);
        self.settle();
        // The broker goes silent, so that events wait on the disk.
        self.signal_broker("STOP");
        self.pass(2);
        wait_until("four events wait", || self.backlog() >= 4);
        self.machine.take().expect("its power is on").cut();
        self.belt = None;
        self.signal_broker("CONT");
        self.machine = Some(Machine::boot(&self.folder));
        // They come before any frame does.
        self.settle();
        self.plug();
        self.pass(1);
        self.settle();
    }

    fn power_cut(&mut self) {
        self.pass(1);
        self.settle();
        let wait = Duration::from_millis(fastrand::u64(0..4000));
        println!("    cut after {} ms", wait.as_millis());
        std::thread::sleep(wait);
        self.cut();
        self.pass(1);
        self.settle();
    }

    fn signal_broker(&self, signal: &str) {
        let outside = self.outside.as_ref().expect("it has moved out");
        let done = Command::new("kill")
            .args(["-s", signal, &outside.broker.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(done.success(), "port {}", outside.port);
    }

    fn package(&mut self) {
        let before = self.machine().property("MainPID");
        self.run("dpkg --install /root/upgrade.deb");
        let version = self.run("dpkg-query -W -f '${Version}' beltscan");
        assert!(version.ends_with("+later"), "{version}");
        assert_ne!(
            self.machine().property("MainPID"),
            before,
            "the new program runs"
        );
        self.run(&format!("grep -q 10.0.2.2 {CONFIG}"));
        wait_until("the reader is online", || {
            self.is_online() && self.is_reading()
        });
        self.pass(1);
        self.settle();

        self.run("dpkg --remove beltscan");
        let state = self.machine().ask("systemctl is-active beltscan");
        assert!(state.is_some_and(|state| state.text != "active"));
        self.run(&format!(
            "test -s /var/lib/private/beltscan/outbox.db && test -s {CONFIG}"
        ));
        self.run("dpkg --purge beltscan");
        self.run("! ls -d /var/lib/beltscan /var/lib/private/beltscan /etc/beltscan 2>/dev/null");
        self.settle();
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        if let Some(outside) = &mut self.outside {
            let _ = outside.broker.kill();
            let _ = outside.broker.wait();
        }
        if std::thread::panicking()
            && let Some(machine) = &self.machine
            && let Some(answer) = machine.ask("journalctl -u beltscan --no-pager | tail -n 40")
        {
            eprintln!("{}", answer.text);
        }
    }
}
