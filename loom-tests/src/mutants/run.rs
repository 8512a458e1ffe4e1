//! A copy of the workspace in which mutants are tried.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Killer, Mutant};
use crate::cargo;
use crate::report::workspace;

/// How long a killer may take without a mutant.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// How long one model or test may take, several times the time of the slowest without a mutant.
const PATIENCE_FOR_ONE: Duration = Duration::from_secs(90);

/// What became of a mutant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Killed {
        /// The first model or test that failed.
        test: String,
        /// Whether it did not end in its time.
        hangs: bool,
    },
    Survived,
    /// `find` does not occur once.
    Unapplied,
    /// It does not compile.
    Unbuilt,
}

impl Verdict {
    /// The last cell of the mutant's row.
    pub(crate) fn cell(&self, killer: Killer) -> String {
        match (self, killer) {
            (Self::Killed { test, hangs }, killer) => {
                format!("{} {}", killer.kind(), named(test, *hangs))
            }
            (verdict, _) => verdict.to_string(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { test, hangs } => write!(f, "found by {}", named(test, *hangs)),
            Self::Survived => f.write_str("SURVIVED"),
            Self::Unapplied => f.write_str("the text to replace does not occur once"),
            Self::Unbuilt => f.write_str("does not compile"),
        }
    }
}

pub(crate) struct Tree {
    root: PathBuf,
    build: PathBuf,
}

impl Tree {
    /// Copies the workspace without its history and its builds.
    pub(crate) fn copy() -> io::Result<Self> {
        let workspace = workspace();
        let folder = cargo::target()?.join("mutants");
        let root = folder.join("tree");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        fs::create_dir_all(&root)?;
        for entry in fs::read_dir(&workspace)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if name != "target" && name != ".git" {
                copy(&path, &root.join(name))?;
            }
        }
        Ok(Self {
            root,
            build: folder.join("build"),
        })
    }

    /// Applies a mutant, runs its killer, and removes the mutant.
    pub(crate) fn try_mutant(&self, mutant: &Mutant, patience: Duration) -> io::Result<Verdict> {
        let verdict = self.with(mutant, || self.run(mutant.killer, patience))?;
        Ok(verdict.unwrap_or(Verdict::Unapplied))
    }

    /// Applies a mutant, runs one model or test of its killer, and removes the mutant.
    pub(crate) fn try_test(&self, mutant: &Mutant, test: &str) -> io::Result<Verdict> {
        let verdict = self.with(mutant, || {
            if !self.build(mutant.killer)? {
                return Ok(Verdict::Unbuilt);
            }
            self.test(mutant.killer, &["--exact", test], PATIENCE_FOR_ONE)
        })?;
        Ok(verdict.unwrap_or(Verdict::Unapplied))
    }

    /// Applies a mutant, runs each model or test of its killer alone, and removes the mutant. Returns each verdict.
    pub(crate) fn try_each(
        &self,
        mutant: &Mutant,
        patience: Duration,
    ) -> io::Result<Vec<(String, Verdict)>> {
        let verdicts = self.with(mutant, || {
            let mut verdicts = Vec::new();
            for name in self.tests(mutant.killer)? {
                let verdict = self.test(mutant.killer, &["--exact", &name], patience)?;
                verdicts.push((name, verdict));
            }
            Ok(verdicts)
        })?;
        Ok(verdicts.unwrap_or_default())
    }

    /// Calls `run` while a mutant is applied. Returns `None` if the mutant cannot be applied.
    fn with<T>(
        &self,
        mutant: &Mutant,
        run: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let path = self.root.join("pool/src").join(mutant.file);
        let whole = fs::read_to_string(&path)?;
        if whole.matches(mutant.find).count() != 1 {
            return Ok(None);
        }
        fs::write(&path, whole.replacen(mutant.find, mutant.replace, 1))?;
        let ran = run();
        fs::write(&path, whole)?;
        ran.map(Some)
    }

    /// Builds a killer and returns whether it compiles.
    pub(crate) fn build(&self, killer: Killer) -> io::Result<bool> {
        if let Killer::Model(module) = killer {
            // The other modules would only make the build longer.
            let main = format!("//! One module.\n#![cfg(anthill_loom)]\n\nmod {module};\n");
            fs::write(self.root.join("loom-tests/tests/models/main.rs"), main)?;
        }
        Ok(self
            .cargo(killer)
            .arg("--no-run")
            .output()?
            .status
            .success())
    }

    /// Builds and runs a killer. A run that takes longer than `patience` counts as a failure.
    pub(crate) fn run(&self, killer: Killer, patience: Duration) -> io::Result<Verdict> {
        if !self.build(killer)? {
            return Ok(Verdict::Unbuilt);
        }
        self.test(killer, &[&module(killer)], patience)
    }

    /// The names of a killer's models or tests; empty if it does not compile.
    fn tests(&self, killer: Killer) -> io::Result<Vec<String>> {
        self.build(killer)?;
        let mut list = self.cargo(killer);
        list.args(["--", &module(killer), "--list", "--format=terse"]);
        let listed = list.output()?;
        let names = String::from_utf8_lossy(&listed.stdout);
        let names = names.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_owned).collect())
    }

    fn test(&self, killer: Killer, which: &[&str], patience: Duration) -> io::Result<Verdict> {
        let mut command = self.cargo(killer);
        // One test at a time, so that the last name printed is that of the test that ended the process or hangs.
        let mut child = command
            .args(["--", "--test-threads=1"])
            .args(which)
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdout = child.stdout.take().expect("stdout is piped");
        let reader = thread::spawn(move || {
            let mut text = Vec::new();
            let _cut_off = stdout.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if Instant::now() > deadline {
                let group = format!("-{}", child.id());
                Command::new("kill").args(["-9", "--", &group]).status()?;
                child.wait()?;
                break None;
            }
            thread::sleep(Duration::from_millis(50));
        };
        let text = reader.join().unwrap_or_default();
        if status.is_some_and(|status| status.success()) {
            return Ok(Verdict::Survived);
        }
        Ok(Verdict::Killed {
            test: failed(&text),
            hangs: status.is_none(),
        })
    }

    /// Applies a mutant, runs the model or test that fails, and returns what it prints, a schedule
    /// included.
    pub(crate) fn show(&self, mutant: &Mutant, test: &str) -> io::Result<String> {
        let output = self.with(mutant, || {
            self.cargo(mutant.killer)
                .args(["--quiet", "--", "--nocapture", "--exact", test])
                .env("ANTHILL_SCHEDULE", "1")
                .env("RUST_BACKTRACE", "0")
                .output()
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // loom then unwinds the other threads of the model, which panic as well.
        let first = |text: String| match text.match_indices("\nthread '").nth(1) {
            Some((second, _)) => text[..second].to_owned(),
            None => text,
        };
        Ok(output.map_or_else(String::new, |output| {
            text(&output.stdout) + &first(text(&output.stderr))
        }))
    }

    fn cargo(&self, killer: Killer) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command
            .current_dir(&self.root)
            .arg("test")
            // The caller's may be those of the models.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        match killer {
            Killer::Model(_) => command
                .args(["--profile", "loom", "-p", "loom-tests", "--test", "models"])
                .env("RUSTFLAGS", "--cfg anthill_loom"),
            Killer::Crowd => command
                .args(["--profile", "loom", "-p", "loom-tests", "--test", "crowds"])
                .env("RUSTFLAGS", "--cfg anthill_shuttle"),
            Killer::Test(_) => {
                command.args(["-p", "anthill", "--all-features", "--test", "behaviour"])
            }
        };
        // Each mutant is built once and run once, so a short build matters more than fast code.
        command
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_PROFILE_LOOM_DEBUG", "line-tables-only")
            .env("CARGO_PROFILE_LOOM_INCREMENTAL", "true")
            .env("CARGO_PROFILE_LOOM_OPT_LEVEL", "1");
        command
    }
}

fn named(test: &str, hangs: bool) -> String {
    let how = if hangs { " (it hangs)" } else { "" };
    format!("`{test}`{how}")
}

/// What the names of a killer's models or tests start with in their binary.
fn module(killer: Killer) -> String {
    match killer {
        Killer::Model(module) | Killer::Test(module) => format!("{module}::"),
        Killer::Crowd => String::new(),
    }
}

/// The first test that failed, or the test that was running at the end.
fn failed(text: &str) -> String {
    let mut last = "the build of tests";
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("test ") else {
            continue;
        };
        let name = rest.split(" ... ").next().unwrap_or(rest).trim();
        if line.ends_with("FAILED") {
            return name.to_owned();
        }
        if line.contains(" ... ") {
            last = name;
        }
    }
    last.to_owned()
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
