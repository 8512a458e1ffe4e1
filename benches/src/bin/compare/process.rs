//! Child processes of peers, and their figures from the kernel.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::meter;

/// The process of a peer. Dropping it kills the process.
pub(crate) struct PeerProcess {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The first line of its standard output.
    pub(crate) first_line: String,
}

impl PeerProcess {
    /// Starts this program with other arguments, and waits for its first line.
    pub(crate) fn this_program(args: &[String]) -> io::Result<Self> {
        Self::this_program_with_env(args, &[])
    }

    /// Starts this program with other arguments and environment variables, and waits for its first
    /// line.
    pub(crate) fn this_program_with_env(
        args: &[String],
        environment: &[(&str, String)],
    ) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::start(command, args)
    }

    /// Starts a shell command, appends the arguments, and waits for its first line.
    pub(crate) fn shell_command(program: &str, args: &[String]) -> io::Result<Self> {
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
            stdout: BufReader::new(stdout),
            first_line: String::new(),
        };
        peer.first_line = peer.read_line()?;
        if peer.first_line.is_empty() {
            let args = args.join(" ");
            return Err(io::Error::other(format!(
                "the peer printed no line: {args}"
            )));
        }
        Ok(peer)
    }

    /// Reads the next line of its standard output.
    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    /// Writes a line to its standard input.
    pub(crate) fn write_line(&self, line: &str) -> io::Result<()> {
        let mut stdin = self.child.stdin.as_ref().expect("it is piped");
        writeln!(stdin, "{line}")
    }

    /// Writes a line to its standard input, and reads the next line of its standard output.
    pub(crate) fn request(&mut self, line: &str) -> io::Result<String> {
        self.write_line(line)?;
        self.read_line()
    }

    /// Returns the CPU time that the process has used.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        let clock = clock_getcpuclockid(Pid::from_raw(id))?;
        Ok(clock_gettime(clock)?.into())
    }

    /// Returns the peak resident memory of the process, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> io::Result<f64> {
        meter::status(&self.child.id().to_string(), "VmHWM:")
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
