//! `beltscan check`: is the configuration sound, and what will be done with it?
//!
//! Prints every fault with its line, or else the plan with all units resolved:
//! what moves how far and blurs how much, what memory is taken, and what is
//! allowed but probably not meant. Opens no camera, broker or outbox.

mod granted;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use self::granted::Granted;
use super::EXIT_CONFIG;
use crate::config::{
    Config, Decide, FieldPlace, Focus, LogFormat, MemoryPart, Motion, MqttVersion, Plan, Problem,
    SourcePlan, TriggerMode,
};
use crate::limits::{Accounting, CONTROLLER_CURE, System};

/// Checks a configuration and prints what would be done with it.
#[derive(clap::Args)]
pub struct Args {
    /// Configuration file.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/beltscan/beltscan.toml"
    )]
    config: PathBuf,

    /// Print one JSON object instead.
    #[arg(long)]
    json: bool,
}

/// Checks it: 0 if it is sound, 78 if it has faults; warnings do not count.
pub fn run(args: Args) -> ExitCode {
    let report = examine(&args.config);
    let text = match (args.json, report.valid) {
        (true, _) => format!("{}\n", serde_json::json!(report)),
        (false, true) => report.text(),
        (false, false) => {
            // Faults are the error; nothing else is known then.
            eprint!("{}", report.faults());
            String::new()
        }
    };
    // Whoever reads this may have stopped reading; the exit code still counts.
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match report.valid {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(EXIT_CONFIG),
    }
}

/// What is known of one file.
#[derive(Serialize)]
struct Report {
    file: String,
    valid: bool,
    /// Fingerprint, as `status` messages carry it.
    hash: Option<String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Section and what it comes to, in order.
    plan: Vec<(&'static str, String)>,
    motion: Option<Motion>,
    memory: Vec<MemoryPart>,
    memory_bytes: u64,
    /// The least MemoryMax=, in bytes.
    memory_minimum: u64,
    /// The limits under which this very command runs. Those of the service may be
    /// others.
    limits: Option<Granted>,
}

fn examine(path: &Path) -> Report {
    let mut report = Report {
        file: path.display().to_string(),
        valid: false,
        hash: None,
        problems: Vec::new(),
        warnings: Vec::new(),
        plan: Vec::new(),
        motion: None,
        memory: Vec::new(),
        memory_bytes: 0,
        memory_minimum: 0,
        limits: None,
    };
    let limits = System::own().limits();
    let sound = Config::read_text(path).and_then(|text| {
        let config = Config::parse(&text)?;
        let plan = config.plan_within(&limits)?;
        Ok((text, config, plan))
    });
    let (text, config, plan) = match sound {
        Ok(sound) => sound,
        Err(problems) => {
            report.problems = problems.0;
            return report;
        }
    };
    let mut warnings = plan.warnings();
    Config::locate(&text, &mut warnings);
    if limits.memory.accounting == Accounting::Off {
        warnings.add(
            "",
            "the kernel's memory controller is off: MemoryMax= does nothing",
            CONTROLLER_CURE,
        );
    }
    if let Err(fault) = plan.fits(&limits.memory) {
        warnings.add(
            "",
            format!(
                "under the limit of this shell, {}, `run` would not start",
                size(fault.max)
            ),
            format!("give the service MemoryMax={}M", fault.minimum >> 20),
        );
    }
    report.valid = true;
    report.hash = Some(config.hash());
    report.warnings = warnings.0;
    report.plan = sections(&plan);
    report.motion = plan.motion();
    report.memory = plan.memory();
    report.memory_minimum = plan.memory_minimum();
    report.limits = Some(Granted::of(&limits));
    report.memory_bytes = report.memory.iter().map(|part| part.bytes).sum();
    report
}

impl Report {
    /// `file:line: key: fault; cure`, one a line.
    fn faults(&self) -> String {
        self.problems
            .iter()
            .map(|problem| self.told("", problem))
            .collect()
    }

    fn told(&self, kind: &str, problem: &Problem) -> String {
        let line = problem
            .line
            .map_or(String::new(), |line| format!(":{line}"));
        let rest = Problem {
            line: None,
            ..problem.clone()
        };
        format!("{}{line}: {kind}{rest}\n", self.file)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: sound; fingerprint {}\n\n",
            self.file,
            self.hash.as_deref().unwrap_or_default()
        );
        let mut line = |name: &str, what: &str| text.push_str(&format!("{name:<10}{what}\n"));
        for (section, what) in &self.plan {
            line(section, what);
            if *section == "belt"
                && let Some(motion) = &self.motion
            {
                for what in in_words(motion) {
                    line("", &what);
                }
            }
        }
        line(
            "memory",
            &format!(
                "about {} beside the program itself:",
                size(self.memory_bytes)
            ),
        );
        for part in &self.memory {
            line(
                "",
                &format!("{:>8}  {}: {}", size(part.bytes), part.name, part.how),
            );
        }
        line(
            "",
            &format!(
                "MemoryMax={}M is the least that the service starts under, the program included",
                self.memory_minimum >> 20
            ),
        );
        if let Some(limits) = &self.limits {
            line("limits", &limits.words());
        }
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for warning in &self.warnings {
            text.push_str(&self.told("warning: ", warning));
        }
        text
    }
}

fn in_words(motion: &Motion) -> Vec<String> {
    let mut lines = vec![format!(
        "travel {:.1} mm ({:.0} px) from frame to frame; a place is in view for {:.1} frames",
        motion.travel_mm, motion.travel_px, motion.frames_in_view
    )];
    if let (Some(mm), Some(px)) = (motion.blur_mm, motion.blur_px) {
        let modules = match motion.blur_modules {
            Some(modules) => format!(", {modules:.2} modules"),
            None => format!("; good for modules of {:.2} mm and more", 2.0 * mm),
        };
        lines.push(format!("blur {mm:.2} mm ({px:.1} px){modules}"));
    }
    if let (Some(px), Some(us)) = (motion.module_px, motion.best_exposure_us) {
        lines.push(format!(
            "modules of {px:.1} px; an exposure of at most {us:.0} us keeps the blur at half of one"
        ));
    }
    lines
}

/// Every section of the plan, units resolved.
fn sections(plan: &Plan) -> Vec<(&'static str, String)> {
    vec![
        ("reader", plan.reader.topics().root),
        ("camera", camera(plan)),
        ("belt", belt(plan)),
        ("read", read(plan)),
        ("item", item(plan)),
        ("ocr", ocr(plan)),
        ("rules", rules(plan)),
        ("noread", noread(plan)),
        ("mqtt", mqtt(plan)),
        (
            "outbox",
            format!(
                "{}: on disk within {} ms; at most {}, {} h",
                plan.outbox.path.display(),
                plan.outbox.commit.as_millis(),
                size(plan.outbox.max_bytes),
                plan.outbox.max_age.as_secs() / 3600
            ),
        ),
        ("output", output(plan)),
        (
            "log",
            format!(
                "{}, {}",
                plan.log.level,
                match plan.log.format {
                    LogFormat::Auto => "for the journal under systemd, else text",
                    LogFormat::Text => "text",
                    LogFormat::Journal => "for the journal",
                    LogFormat::Json => "JSON lines",
                }
            ),
        ),
        (
            "service",
            format!(
                "state in {}, stats every {} s, drains for at most {} s",
                plan.service.state_dir.display(),
                plan.service.stats.as_secs(),
                plan.service.drain.as_secs()
            ),
        ),
    ]
}

fn camera(plan: &Plan) -> String {
    let camera = &plan.camera;
    let source = match &camera.source {
        SourcePlan::V4l2 { device, format } => {
            format!("v4l2 {}, format {}", device.display(), word(format))
        }
        SourcePlan::Nokhwa { device } => format!("nokhwa {device}"),
        SourcePlan::Rpicam { command } => format!("rpicam: {}", command.join(" ")),
        SourcePlan::Pipe { command, format } => {
            format!("pipe of {}: {}", word(format), command.join(" "))
        }
        SourcePlan::Replay { path, rate, repeat } => format!(
            "replay {} at rate {}{}",
            path.display(),
            word(rate),
            if *repeat { ", again and again" } else { "" }
        ),
        SourcePlan::Belt(belt) => format!(
            "synthetic belt, seed {}, {} m/s, {} px/mm",
            belt.seed, belt.speed_m_s, belt.px_per_mm
        ),
    };
    let exposure = match camera.exposure_us {
        Some(us) => match camera.exposure_bracket {
            Some(_) => format!(
                "exposures {us} and {} us in turn",
                camera.exposure_of(1).unwrap_or(us)
            ),
            None => format!("exposure {us} us"),
        },
        None => "exposure left to the camera".into(),
    };
    let gain = match camera.gain {
        Some(gain) => format!("gain {gain}"),
        None => "gain left to the camera".into(),
    };
    let focus = match camera.focus {
        Focus::Leave => "focus as it is".into(),
        Focus::Auto => "automatic focus".into(),
        Focus::At(position) => format!("focus at {position}"),
    };
    format!(
        "{source}; {}x{} at {} frames a second; {exposure}, {gain}, {focus}; wedged after {} ms",
        camera.width,
        camera.height,
        camera.fps,
        camera.timeout.as_millis()
    )
}

fn belt(plan: &Plan) -> String {
    let known = [
        plan.belt.speed_m_s.map(|v| format!("{v} m/s")),
        plan.belt
            .direction_rad
            .map(|v| format!("{:.0} degrees", v.to_degrees())),
        plan.belt.px_per_mm.map(|v| format!("{v} px/mm")),
        plan.belt.module_mm.map(|v| format!("modules of {v} mm")),
    ];
    let known: Vec<_> = known.into_iter().flatten().collect();
    match known.is_empty() {
        true => "nothing is known of it".into(),
        false => known.join(", "),
    }
}

fn read(plan: &Plan) -> String {
    let read = &plan.read;
    format!(
        "{:.1} ms a frame on {} threads ({}); at most {} codes; light on dark {}, mirrored {}, Micro QR and rMQR {}",
        read.deadline.as_secs_f64() * 1000.0,
        read.threads,
        read.threads_how,
        read.max_codes,
        if read.inverted { "too" } else { "not" },
        if read.mirrored { "too" } else { "not" },
        if read.micro { "too" } else { "not" },
    )
}

fn item(plan: &Plan) -> String {
    let item = &plan.item;
    let decided = match item.decide {
        Decide::Confirmed => "decided once confirmed".into(),
        Decide::Line => format!("decided at the line at {}", item.line),
        Decide::Leave => "decided once it has left".into(),
    };
    let grouped = match item.group_px > 0.0 {
        true => format!("codes within {:.0} px are one item", item.group_px),
        false => "every code is an item".into(),
    };
    let trigger = match item.trigger {
        TriggerMode::Free => "free-running".into(),
        TriggerMode::Window => format!("windows of {} ms", item.window.as_millis()),
    };
    format!(
        "{trigger}; {grouped}; {decided}, {} frames must agree; out of sight for at most {} ms",
        item.confirm_frames,
        item.lost.as_millis()
    )
}

fn ocr(plan: &Plan) -> String {
    let ocr = &plan.ocr;
    if ocr.fields.is_empty() {
        return "no text is read".into();
    }
    let fields: Vec<_> = ocr
        .fields
        .iter()
        .map(|field| match &field.place {
            FieldPlace::Code { .. } => format!("{} beside codes", field.name),
            FieldPlace::Region(_) => format!("{} at a place of the picture", field.name),
            FieldPlace::Search(_) => format!("{} wherever it is", field.name),
        })
        .collect();
    let asked = plan
        .rules
        .iter()
        .filter(|rule| rule.field.is_some())
        .count();
    let waits = match asked {
        0 => "no rule asks for it, no event waits".to_owned(),
        _ => format!(
            "asked for by {asked} of the rules, events wait at most {} ms",
            ocr.wait.as_millis()
        ),
    };
    let models = match &ocr.models {
        Some(dir) => format!("models in {}", dir.display()),
        None => "models built in".to_owned(),
    };
    format!(
        "{}; {waits}; at most {} lines wait; {models}",
        fields.join(", "),
        ocr.queue
    )
}

fn rules(plan: &Plan) -> String {
    let names: Vec<_> = plan.rules.iter().map(|rule| rule.name.as_str()).collect();
    match names.is_empty() {
        true => "none: events have no verdict".into(),
        false => names.join(", "),
    }
}

fn noread(plan: &Plan) -> String {
    let noread = &plan.noread;
    let published = match noread.publish {
        true => "published",
        false => "not published",
    };
    match &noread.dir {
        None => format!("{published}, no pictures"),
        Some(dir) => format!(
            "{published}; pictures in {}, at most {}, {}, {} h",
            dir.display(),
            noread.max_files,
            size(noread.max_bytes),
            noread.max_age.as_secs() / 3600
        ),
    }
}

fn mqtt(plan: &Plan) -> String {
    let Some(mqtt) = &plan.mqtt else {
        return "no broker".into();
    };
    format!(
        "{}:{} {}, MQTT {}, as {}{}; {} events under way, alive every {} s",
        mqtt.host,
        mqtt.port,
        match &mqtt.tls {
            Some(tls) if tls.client.is_some() => "with TLS and a client certificate",
            Some(_) => "with TLS",
            None => "without TLS",
        },
        match mqtt.version {
            MqttVersion::V311 => "3.1.1",
            MqttVersion::V5 => "5",
        },
        mqtt.client_id,
        mqtt.user
            .as_ref()
            .map_or(String::new(), |user| format!(", user {user}")),
        mqtt.window,
        mqtt.keep_alive.as_secs()
    )
}

fn output(plan: &Plan) -> String {
    let mut sinks = Vec::new();
    if plan.output.stdout {
        sinks.push("standard output".to_owned());
    }
    if let Some(file) = &plan.output.file {
        sinks.push(match file.rotate_mb {
            0 => file.path.display().to_string(),
            mb => format!("{}, a new one every {mb} MB", file.path.display()),
        });
    }
    match sinks.is_empty() {
        true => "none beside the broker".into(),
        false => sinks.join("; "),
    }
}

/// A value as the configuration writes it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0 => "0".into(),
        1..1_048_576 => format!("{} KB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(text: &str) -> (Report, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beltscan.toml");
        std::fs::write(&path, text).unwrap();
        (examine(&path), folder)
    }

    #[test]
    fn a_sound_file_comes_out_with_its_units_resolved() {
        let (report, _folder) = examined(include_str!("../../config/examples/pi-line.toml"));
        let text = report.text();
        for part in [
            "beltscan/north/parcels-1/gate-a",
            "rpicam: rpicam-vid; 1456x1088 at 60 frames a second; exposure 250 us, gain 4",
            "0.5 m/s, 0 degrees, 6 px/mm, modules of 0.5 mm",
            "travel 8.3 mm (50 px) from frame to frame; a place is in view for 29.1 frames",
            "blur 0.12 mm (0.8 px), 0.25 modules",
            "an exposure of at most 500 us",
            "16.7 ms a frame",
            "parcel number",
            "localhost:1883 without TLS, MQTT 5",
            "frame pool:",
            "M is the least that the service starts under",
            "limits    ",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert!(report.valid && report.problems.is_empty());
        assert_eq!(
            report.memory_bytes,
            report.memory.iter().map(|part| part.bytes).sum::<u64>()
        );
    }

    #[test]
    fn warnings_have_their_lines() {
        let (report, _folder) =
            examined("[output]\nstdout = true\n[item]\nlost-ms = 20\n[log]\nlevel = \"debug\"\n");
        let told: Vec<_> = report
            .warnings
            .iter()
            .map(|w| (w.line, w.key.as_str()))
            .filter(|(_, key)| !key.is_empty())
            .collect();
        assert_eq!(told, [(Some(4), "item.lost-ms"), (Some(6), "log.level")]);
        let text = report.text();
        assert!(
            text.contains("beltscan.toml:4: warning: item.lost-ms: "),
            "{text}"
        );
    }

    #[test]
    fn faults_are_told_as_compilers_do() {
        let (report, folder) = examined("[camera]\nfsp = 3\n[log]\nlevel = \"loud\"\n");
        let file = folder.path().join("beltscan.toml");
        assert!(!report.valid);
        let faults = report.faults();
        let lines: Vec<_> = faults.lines().collect();
        assert_eq!(lines.len(), 2, "{faults}");
        assert_eq!(
            lines[0],
            format!(
                "{}:2: camera.fsp: there is no such key; did you mean `fps`?",
                file.display()
            )
        );
        let json = serde_json::json!(report);
        assert_eq!(json["valid"], false);
        assert_eq!(json["problems"][1]["line"], 4);
        assert_eq!(json["problems"][1]["key"], "log.level");
    }

    #[test]
    fn a_file_that_is_not_there_is_a_fault() {
        let report = examine(Path::new("/nowhere/beltscan.toml"));
        assert!(
            report
                .faults()
                .contains("cannot read /nowhere/beltscan.toml")
        );
    }
}
