//! Peers in processes of their own, and what the kernel says of them.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::meter;

/// A process that plays a part; ended when dropped.
pub(crate) struct PeerProcess {
    child: Child,
    says: BufReader<ChildStdout>,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl PeerProcess {
    /// Starts this program with other arguments, and waits for the first line that it prints.
    pub(crate) fn of_this_program(args: &[String]) -> io::Result<Self> {
        Self::of_this_program_in(args, &[])
    }

    /// As `of_this_program`, with these variables in its environment.
    pub(crate) fn of_this_program_in(
        args: &[String],
        environment: &[(&str, String)],
    ) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::start(command, args)
    }

    /// Starts another program, given as a line of shell, with arguments after its own, and waits for its first line.
    pub(crate) fn of_another(program: &str, args: &[String]) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec {program} \"$@\""));
        command.arg(program).args(args);
        Self::start(command, args)
    }

    fn start(mut command: Command, args: &[String]) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut peer = Self {
            child,
            says: BufReader::new(stdout),
            said: String::new(),
        };
        peer.said = peer.line()?;
        if peer.said.is_empty() {
            let part = args.join(" ");
            return Err(io::Error::other(format!("a peer said nothing: {part}")));
        }
        Ok(peer)
    }

    /// The next line that it prints.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&self, line: &str) -> io::Result<()> {
        let mut stdin = self.child.stdin.as_ref().expect("it is piped");
        writeln!(stdin, "{line}")
    }

    /// Writes a line to its standard input, and returns the next line that it prints.
    pub(crate) fn ask(&mut self, line: &str) -> io::Result<String> {
        self.tell(line)?;
        self.line()
    }

    /// The processor time that it has used.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        let clock = clock_getcpuclockid(Pid::from_raw(id))?;
        Ok(clock_gettime(clock)?.into())
    }

    /// The most memory that it has had.
    pub(crate) fn peak_memory_kib(&self) -> io::Result<f64> {
        meter::status(&self.child.id().to_string(), "VmHWM:")
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
