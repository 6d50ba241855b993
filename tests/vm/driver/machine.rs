//! The emulated machine: started, asked, and cut off.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::wait_until;

/// Ports of the guest that are reached from here.
const CONTROL: u16 = 7000;
const FRAMES: u16 = 7001;
const BROKER: u16 = 1883;

/// A QEMU with the disk of a folder that `tests/vm/image` filled. It ends with
/// this value.
pub struct Machine {
    child: Child,
    control: u16,
    /// Where frames for the camera go.
    pub frames: u16,
    /// The guest's broker.
    pub broker: u16,
    console: PathBuf,
}

/// What a script in the guest wrote and how it ended.
pub struct Answer {
    pub text: String,
    pub code: i32,
}

/// A port that nobody listens on just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

impl Machine {
    /// Boots, and waits until scripts are run.
    pub fn boot(folder: &Path) -> Machine {
        let (control, frames, broker) = (free_port(), free_port(), free_port());
        let forward = |here: u16, there: u16| format!(",hostfwd=tcp:127.0.0.1:{here}-:{there}");
        let console = folder.join("console.log");
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-machine", "q35,usb=off", "-accel", "tcg,thread=multi"])
            .args(["-cpu", "max", "-smp", "2", "-m", "768"])
            .args(["-nodefaults", "-nographic", "-no-reboot", "-pidfile"])
            .arg(folder.join("qemu.pid"))
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .arg("-kernel")
            .arg(folder.join("vmlinuz"))
            .arg("-initrd")
            .arg(folder.join("initrd.gz"))
            .arg("-drive")
            .arg(format!(
                "file={},format=raw,if=virtio",
                folder.join("disk.img").display()
            ))
            .arg("-netdev")
            .arg(format!(
                "user,id=net{}{}{}",
                forward(control, CONTROL),
                forward(frames, FRAMES),
                forward(broker, BROKER)
            ))
            .args(["-device", "virtio-net-pci,netdev=net,romfile="])
            .args(["-device", "virtio-rng-pci", "-append"])
            .arg(
                "console=ttyS0 root=/dev/vda rw quiet panic=-1 mitigations=off \
                 net.ifnames=0 systemd.show_status=0",
            )
            .stdin(Stdio::null());
        let child = command.spawn().expect("qemu-system-x86_64 starts");
        let mut machine = Machine {
            child,
            control,
            frames,
            broker,
            console,
        };
        machine.wait("the machine runs scripts");
        machine
    }

    fn wait(&mut self, what: &str) {
        wait_until(what, || {
            if let Some(status) = self.child.try_wait().expect("its state is known") {
                let console = std::fs::read_to_string(&self.console).unwrap_or_default();
                panic!("QEMU ended with {status}:\n{console}");
            }
            self.ask("true").is_some_and(|answer| answer.code == 0)
        });
    }

    /// Runs a script as root; `None` if the machine cannot be reached. A connection
    /// that the guest has lost without a word gives nothing either.
    pub fn ask(&self, script: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.control)).ok()?;
        let patience = Some(Duration::from_secs(300));
        stream.set_read_timeout(patience).ok()?;
        stream.set_write_timeout(patience).ok()?;
        stream.write_all(script.as_bytes()).ok()?;
        stream.shutdown(Shutdown::Write).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (text, code) = text.rsplit_once("\nrc=")?;
        Some(Answer {
            text: text.trim().into(),
            code: code.trim().parse().ok()?,
        })
    }

    /// Runs a script that must succeed, and gives what it wrote.
    pub fn run(&self, script: &str) -> String {
        let answer = self.ask(script).expect("the machine runs scripts");
        assert_eq!(answer.code, 0, "{script}\n{}", answer.text);
        answer.text
    }

    /// A property of the reader's unit.
    pub fn property(&self, name: &str) -> String {
        self.run(&format!("systemctl show --value -p {name} beltscan"))
    }

    /// Cuts the power.
    pub fn cut(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
