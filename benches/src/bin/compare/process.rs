//! Peers in processes of their own, and what the kernel says of them.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A peer at work; ended when dropped.
pub(crate) struct PeerProcess {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl PeerProcess {
    /// Starts this program with other arguments, and waits for the first line that it prints.
    pub(crate) fn start(args: &[String]) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut said)?;
        let peer = Self {
            child,
            said: said.trim().to_owned(),
        };
        if peer.said.is_empty() {
            return Err(io::Error::other(format!(
                "a peer failed: {}",
                args.join(" ")
            )));
        }
        Ok(peer)
    }

    /// The processor time that it has used.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        let clock = clock_getcpuclockid(Pid::from_raw(id))?;
        Ok(clock_gettime(clock)?.into())
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time of this process, from its start.
pub(crate) fn own_cpu_time() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

/// The most memory that this process has had, in KiB.
pub(crate) fn own_peak_memory() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| io::Error::other("the kernel does not tell peak memory"))
}
