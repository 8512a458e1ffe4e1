//! The context of a report: command, machine, time, version.

use std::{env, time::SystemTime};

use sysinfo::System;

use super::super::redact::without_secrets;

/// Where, when and how the load ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// The command line.
    pub(super) command: String,
    pub(super) date: String,
    /// The CPU of the load generator's machine.
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_bytes: u64,
    pub(super) system: String,
    pub(super) version: &'static str,
}

impl About {
    /// Returns the context of this process.
    pub(crate) fn here() -> Self {
        let mut system = System::new();
        system.refresh_memory();
        system.refresh_cpu_all();
        let cpus = system.cpus();
        let name = System::long_os_version().unwrap_or_default();
        let kernel = System::kernel_version().unwrap_or_default();
        Self {
            command: command(without_secrets(env::args()).into_iter()),
            date: httpdate::fmt_http_date(SystemTime::now()),
            cpu: cpus
                .first()
                .map_or_else(String::new, |cpu| cpu.brand().to_owned()),
            cores: cpus.len(),
            memory_bytes: system.total_memory(),
            system: format!("{name}, kernel {kernel}"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    pub(super) fn memory_gib(&self) -> f64 {
        self.memory_bytes as f64 / f64::from(1 << 30)
    }
}

/// Returns the command line as typed in a shell, with the program's folder removed.
fn command(mut words: impl Iterator<Item = String>) -> String {
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let quoted = words.map(|word| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=:/.,%+@".contains(letter);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    std::iter::once(program)
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted_into_a_shell() {
        let words = ["/bin/chat-demo", "load", "--json", "a b", "it's", ""];
        let command = command(words.into_iter().map(str::to_owned));
        assert_eq!(command, r"chat-demo load --json 'a b' 'it'\''s' ''");
    }

    #[test]
    fn the_machine_is_described() {
        let about = About::here();
        assert!(about.cores > 0 && about.memory_bytes > 0, "{about:?}");
        assert!(about.date.ends_with("GMT"), "{about:?}");
    }
}
