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
use crate::readme::workspace;

/// How long a killer may take without a mutant.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// What became of a mutant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Killed {
        /// The first model or test that failed.
        by: String,
    },
    Survived,
    /// `find` does not occur once.
    Unapplied,
    /// It does not compile.
    Unbuilt,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { by } => write!(f, "killed by {by}"),
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
    /// Copies what a build needs.
    pub(crate) fn copy() -> io::Result<Self> {
        let workspace = workspace();
        let folder = workspace.join("target/mutants");
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

    /// Applies a mutant, runs its killer, and takes it back.
    pub(crate) fn try_mutant(&self, mutant: &Mutant, patience: Duration) -> io::Result<Verdict> {
        let verdict = self.with(mutant, || self.run(mutant.killer, patience))?;
        Ok(verdict.unwrap_or(Verdict::Unapplied))
    }

    /// As `try_mutant`, with every model or test of the killer's file alone, and what became of the mutant in each.
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

    /// Does something while a mutant is applied; nothing if it cannot be.
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

    /// Builds and runs one file of models or tests. One that takes longer than `patience` is taken to hang.
    pub(crate) fn run(&self, killer: Killer, patience: Duration) -> io::Result<Verdict> {
        let built = self.cargo(killer, &["--no-run"]).output()?;
        if !built.status.success() {
            return Ok(Verdict::Unbuilt);
        }
        self.test(killer, &[], patience)
    }

    /// The names of the models or tests in a file; none if it does not compile.
    fn tests(&self, killer: Killer) -> io::Result<Vec<String>> {
        let mut list = self.cargo(killer, &["--", "--list", "--format=terse"]);
        let listed = list.output()?;
        let names = String::from_utf8_lossy(&listed.stdout);
        let names = names.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_owned).collect())
    }

    fn test(&self, killer: Killer, which: &[&str], patience: Duration) -> io::Result<Verdict> {
        // One test at a time, so that the last name printed is that of the one that ended the process or hangs.
        let mut command = self.cargo(killer, &["--", "--test-threads=1"]);
        let mut child = command
            .args(which)
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdout = child.stdout.take().expect("it was piped");
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
        let how = if status.is_none() { " (it hangs)" } else { "" };
        Ok(Verdict::Killed {
            by: format!("`{}`{how}", failed(&text)),
        })
    }

    fn cargo(&self, killer: Killer, rest: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&self.root).arg("test");
        match killer {
            Killer::Model(file) => command
                .args(["--profile", "loom", "-p", "loom-tests", "--test", file])
                .env("RUSTFLAGS", "--cfg anthill_loom"),
            Killer::Crowd => command
                .args(["--profile", "loom", "-p", "loom-tests", "--test", "crowds"])
                .env("RUSTFLAGS", "--cfg anthill_shuttle"),
            Killer::Test(_) => {
                command.args(["-p", "anthill", "--all-features", "--test", "behaviour"])
            }
        };
        // Each mutant is built once and run once.
        command
            .args(rest)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_PROFILE_LOOM_INCREMENTAL", "true")
            .env("CARGO_PROFILE_LOOM_OPT_LEVEL", "1");
        if let Killer::Test(module) = killer {
            command.arg(format!("{module}::"));
        }
        command
    }
}

/// The first test that failed, or the one that was running at the end.
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
