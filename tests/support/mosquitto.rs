//! A real mosquitto on a port of its own.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::{find, has, wait_until};

/// A broker that ends with this value.
pub struct Mosquitto {
    port: u16,
    extra: String,
    child: Option<Child>,
    folder: TempDir,
}

impl Mosquitto {
    /// Starts a broker, or says that `test` is left out.
    pub fn start(test: &str) -> Option<Mosquitto> {
        Mosquitto::start_with(test, "")
    }

    /// The same, with more lines for its configuration. In them `FOLDER` stands for
    /// a folder of its own, made by `prepare` before.
    pub fn start_with(test: &str, extra: &str) -> Option<Mosquitto> {
        Mosquitto::prepare(test).map(|mut broker| {
            broker.configure(extra);
            broker.run();
            broker
        })
    }

    /// Has a port and a folder, but does not run yet.
    pub fn prepare(test: &str) -> Option<Mosquitto> {
        if !has("mosquitto", test) {
            return None;
        }
        // Somebody else may take the port before mosquitto does; `run` would tell.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        Some(Mosquitto {
            port,
            extra: String::new(),
            child: None,
            folder: tempfile::tempdir().expect("a folder"),
        })
    }

    /// Lines for the configuration, for the next [`Mosquitto::run`].
    pub fn configure(&mut self, extra: &str) {
        self.extra = extra.replace("FOLDER", &self.folder().to_string_lossy());
    }

    /// A folder for its files.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and waits until it listens. It keeps its data on disk, so that a
    /// broker that was killed finds its sessions again.
    pub fn run(&mut self) {
        let folder = self.folder();
        let mut conf = String::new();
        if !self.extra.contains("listener ") {
            conf += &format!("listener {} 127.0.0.1\n", self.port);
        }
        if !self.extra.contains("allow_anonymous") {
            conf += "allow_anonymous true\n";
        }
        conf += &self.extra;
        let file = folder.join("mosquitto.conf");
        std::fs::write(&file, conf).expect("the configuration is written");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .expect("a log");
        let mut child = Command::new(find("mosquitto").expect("it was there"))
            .arg("-c")
            .arg(&file)
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("mosquitto starts");
        let port = self.port;
        wait_until("mosquitto listens", || {
            if let Some(status) = child.try_wait().expect("its state is known") {
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!("mosquitto ended with {status}: {log}");
            }
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        self.child = Some(child);
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let done = Command::new("kill")
                .arg(child.id().to_string())
                .status()
                .expect("kill runs");
            assert!(done.success());
            child.wait().expect("it ends");
        }
    }

    /// Publishes with mosquitto_pub.
    pub fn publish(&self, topic: &str, body: &str, more: &[&str]) {
        let done = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-q", "1", "-t", topic, "-m", body])
            .args(more)
            .status()
            .expect("mosquitto_pub runs");
        assert!(done.success(), "mosquitto_pub: {done}");
    }

    /// Every message from now on, whatever its QoS; none that was retained before.
    pub fn follow(&self) -> Follower {
        let mut child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-q", "1", "-t", "#", "-R", "-F", "%t %p"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("mosquitto_sub runs");
        let heard = Arc::default();
        let ears: Arc<Mutex<Vec<String>>> = Arc::clone(&heard);
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                ears.lock().expect("no panic").push(line);
            }
        });
        Follower { child, heard }
    }

    /// The retained message on `topic`, waited for.
    pub fn retained(&self, topic: &str) -> String {
        let said = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-q", "1", "-t", topic, "-C", "1"])
            .stderr(Stdio::inherit())
            .output()
            .expect("mosquitto_sub runs");
        String::from_utf8(said.stdout)
            .expect("text")
            .trim_end()
            .to_owned()
    }
}

/// Hears what the broker passes on.
pub struct Follower {
    child: Child,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Follower {
    /// Bodies so far on topics that end in `leaf`, those that are JSON.
    pub fn heard(&self, leaf: &str) -> Vec<serde_json::Value> {
        let heard = self.heard.lock().expect("no panic");
        heard
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|(topic, _)| topic.rsplit('/').next() == Some(leaf))
            .filter_map(|(_, body)| serde_json::from_str(body).ok())
            .collect()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}
