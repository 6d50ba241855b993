//! The unit and its drop-in, as systemd itself judges them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Is `program` there? If not, says what is left out; fails instead where
/// everything is required.
fn installed(program: &str, test: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        assert!(
            std::env::var_os("BELTSCAN_REQUIRE_ALL").is_none_or(|all| all != "1"),
            "{test} needs {program}, and everything is required"
        );
        println!("LEFT OUT: {test} needs {program}");
    }
    there
}

/// The unit as shipped, but for the place of the program; with the drop-in or not.
fn unit(folder: &Path, with_rpicam: bool) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let text = std::fs::read_to_string(shipped.join("beltscan.service")).unwrap();
    assert!(text.contains("ExecStart=/usr/bin/beltscan run "));
    let text = text.replace("/usr/bin/beltscan", env!("CARGO_BIN_EXE_beltscan"));
    let path = folder.join("beltscan.service");
    std::fs::write(&path, text).unwrap();
    if with_rpicam {
        let drop_ins = folder.join("beltscan.service.d");
        std::fs::create_dir(&drop_ins).unwrap();
        std::fs::copy(
            shipped.join("beltscan.service.d/rpicam.conf"),
            drop_ins.join("rpicam.conf"),
        )
        .unwrap();
    }
    path
}

fn analyze(arguments: &[&str], unit: &Path) -> (Output, String) {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, said)
}

#[test]
fn systemd_takes_the_unit_with_and_without_the_drop_in() {
    if !installed("systemd-analyze", "systemd_takes_the_unit") {
        return;
    }
    for with_rpicam in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let unit = unit(folder.path(), with_rpicam);
        let (output, said) = analyze(&["verify", "--man=no"], &unit);
        assert!(output.status.success(), "{said}");
        // What it does not know it only warns of, and then ignores.
        let ours: Vec<_> = said.lines().filter(|l| l.contains("beltscan")).collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}

#[test]
fn the_sandbox_is_tight_and_each_loosened_line_says_why() {
    if !installed("systemd-analyze", "the_sandbox_is_tight") {
        return;
    }
    for with_rpicam in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let unit = unit(folder.path(), with_rpicam);
        // 15 is 1.5.
        let arguments = ["security", "--offline=true", "--threshold=15"];
        let (output, said) = analyze(&[&arguments[..], &["--no-pager"]].concat(), &unit);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Overall exposure level"), "{said}");

        let (_, json) = analyze(&[&arguments[..], &["--json=short"]].concat(), &unit);
        let checks: serde_json::Value =
            serde_json::from_str(json.lines().next().unwrap_or_default()).unwrap();
        let mut text = std::fs::read_to_string(&unit).unwrap();
        if with_rpicam {
            let drop_in = folder.path().join("beltscan.service.d/rpicam.conf");
            text += &std::fs::read_to_string(drop_in).unwrap();
        }
        let mut loosened = 0;
        for check in checks.as_array().unwrap() {
            if check["set"] == true {
                continue;
            }
            loosened += 1;
            let name = check["name"].as_str().unwrap();
            let directive = name.split(['=', '/']).next().unwrap();
            let explained = text.split("\n\n").any(|paragraph| {
                paragraph.contains("# Loosened:") && paragraph.contains(&format!("{directive}="))
            });
            assert!(explained, "{name} is loosened, and nothing says why");
        }
        assert!(loosened > 0, "the list was not understood: {json}");
    }
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("systemd")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

/// What the daemon takes for the unit's limit is the unit's limit.
#[test]
fn the_program_knows_the_limit_of_the_unit() {
    let max = format!("MemoryMax={}M", beltscan::config::UNIT_MEMORY_MAX >> 20);
    assert!(
        shipped("beltscan.service").lines().any(|line| line == max),
        "{max}"
    );
}

/// The examples of credentials are settings that systemd takes.
#[test]
fn commented_credentials_are_valid_settings() {
    if !installed("systemd-analyze", "commented_credentials") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path(), false);
    let text = std::fs::read_to_string(&unit).unwrap();
    assert!(text.contains("#LoadCredential=mqtt-password:"));
    std::fs::write(&unit, text.replace("#LoadCredential=", "LoadCredential=")).unwrap();
    let (output, said) = analyze(&["verify", "--man=no"], &unit);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("LoadCredential"), "{said}");
}

/// Several readers on a machine are bound and limited as one is.
#[test]
fn the_template_is_the_unit_with_a_name_in_it() {
    let settings = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    let template = shipped("beltscan@.service")
        .replace(" %I\n", "\n")
        .replace("/etc/beltscan/%i.toml", "/etc/beltscan/beltscan.toml")
        .replace("StateDirectory=beltscan/%i", "StateDirectory=beltscan");
    assert_eq!(settings(&template), settings(&shipped("beltscan.service")));
}

#[test]
fn the_unit_keeps_its_promises() {
    let text = shipped("beltscan.service");
    for promise in [
        "Type=notify",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "RestartPreventExitStatus=78",
        "KillMode=mixed",
        "MemorySwapMax=0",
        "CPUQuotaPeriodSec=20ms",
        "DynamicUser=yes",
        "StateDirectory=beltscan",
    ] {
        assert!(text.lines().any(|line| line == promise), "{promise}");
    }
    let limits = [
        "MemoryMax=",
        "MemoryHigh=",
        "CPUQuota=",
        "CPUWeight=",
        "IOWeight=",
        "OOMPolicy=",
        "WatchdogSec=",
    ];
    for limit in limits {
        assert!(text.lines().any(|line| line.starts_with(limit)), "{limit}");
    }
    let devices: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("DeviceAllow="))
        .collect();
    assert_eq!(devices, ["DeviceAllow=char-video4linux rw"], "cameras only");
}
