//! `beltscan cameras`: what is connected, and what to write in the TOML.

#[cfg(target_os = "linux")]
mod v4l2;

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Map, Value};

/// Lists cameras with their formats, rates and controls, and what to write in the
/// configuration.
#[derive(clap::Args)]
pub struct Args {
    /// As JSON: an object with a list for each kind of source.
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn run(args: Args) -> ExitCode {
    let (text, json) = all();
    let output = match args.json {
        true => format!("{:#}\n", Value::Object(json)),
        false => text,
    };
    match io::stdout().lock().write_all(output.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("beltscan: standard output cannot be written: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// All cameras, for people and for programs.
fn all() -> (String, Map<String, Value>) {
    let (mut text, mut json) = (String::new(), Map::new());
    #[cfg(target_os = "linux")]
    {
        let cameras = v4l2::listed();
        text.push_str(&v4l2::plain(&cameras));
        json.insert(
            "v4l2".into(),
            serde_json::to_value(&cameras).unwrap_or_default(),
        );
    }
    #[cfg(feature = "nokhwa")]
    {
        let cameras = crate::camera::nokhwa::list();
        for (device, name) in &cameras {
            text.push_str(&format!(
                "{name}\n  write in the configuration:\n    [camera]\n    source = \"nokhwa\"\n    \
                 device = {device:?}\n"
            ));
        }
        let list = cameras.into_iter().map(|(device, name)| {
            let fields = [("device", device), ("name", name)];
            Value::Object(
                fields
                    .map(|(key, value)| (key.into(), value.into()))
                    .into_iter()
                    .collect(),
            )
        });
        json.insert("nokhwa".into(), list.collect());
    }
    if json.is_empty() {
        text.push_str("This build lists no cameras: build it with --features nokhwa.\n");
    }
    (text, json)
}
