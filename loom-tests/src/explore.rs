//! Runs every model further than the tests do: more preemptions, more schedules, and both model deques.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;

use crate::report;
use crate::{Outcome, cargo};

/// How many seconds more than in the tests a model may take with one preemption more.
const PATIENCE: f64 = 4.0;

/// A way to run the models.
struct Run {
    title: &'static str,
    flags: &'static str,
    how: How,
}

enum How {
    AsTests,
    /// With one preemption more than in the tests.
    Further,
    /// With this number of schedules for each model.
    Schedules(&'static str),
}

const RUNS: [Run; 4] = [
    Run {
        title: "as the tests",
        flags: "--cfg anthill_loom",
        how: How::AsTests,
    },
    Run {
        title: "one preemption more",
        flags: "--cfg anthill_loom",
        how: How::Further,
    },
    Run {
        title: "plain deque",
        flags: "--cfg anthill_loom --cfg anthill_plain_deque",
        how: How::Further,
    },
    Run {
        title: "crowds",
        flags: "--cfg anthill_shuttle",
        how: How::Schedules("100000"),
    },
];

/// What one model did in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Explored {
    executions: u64,
    seconds: f64,
    /// `None` for random schedules.
    bound: Option<u64>,
    /// False if the time was over first.
    all: bool,
}

/// By the name of the model.
type Results = BTreeMap<String, Explored>;

pub(crate) fn run_all(write: bool) -> Outcome {
    let mut models: BTreeMap<String, Vec<(usize, Explored)>> = BTreeMap::new();
    let mut as_tests = Results::new();
    let mut passed = true;
    for (column, run) in RUNS.iter().enumerate() {
        eprintln!("== {}", run.title);
        let (results, ok) = run.results(&as_tests)?;
        passed &= ok;
        for (model, explored) in &results {
            println!("{}: {model}: {}", run.title, explored.cell());
            let cells = models.entry(model.clone()).or_default();
            cells.push((column, *explored));
        }
        if let How::AsTests = run.how {
            as_tests = results;
        }
    }
    if write && passed {
        let table = table(&models)?;
        report::write("explored", |_| table)?;
    }
    Ok(passed)
}

impl Run {
    /// Runs the models. Returns their results and whether all of them passed.
    fn results(&self, as_tests: &Results) -> Result<(Results, bool), Box<dyn Error>> {
        match self.how {
            How::AsTests => self.output(&[], &[]),
            How::Schedules(count) => self.output(&[], &[("ANTHILL_SCHEDULES", count)]),
            How::Further => {
                let (mut results, mut passed) = (Results::new(), true);
                for (model, explored) in as_tests {
                    let preemptions = explored.bound.map_or(0, |bound| bound + 1).to_string();
                    let seconds = format!("{:.0}", (explored.seconds + PATIENCE).ceil());
                    let settings = [
                        ("LOOM_MAX_PREEMPTIONS", preemptions.as_str()),
                        ("LOOM_MAX_DURATION", seconds.as_str()),
                    ];
                    let (result, ok) = self.output(&["--exact", model], &settings)?;
                    results.extend(result);
                    passed &= ok;
                }
                Ok((results, passed))
            }
        }
    }

    fn binary(&self) -> &'static str {
        match self.how {
            How::AsTests | How::Further => "models",
            How::Schedules(_) => "crowds",
        }
    }

    /// Runs the models that the words select.
    fn output(
        &self,
        words: &[&str],
        settings: &[(&str, &str)],
    ) -> Result<(Results, bool), Box<dyn Error>> {
        let output = cargo::test(self.flags)
            .args(["--quiet", "--test", self.binary(), "--"])
            .args(["--nocapture", "--test-threads=1", "--format=pretty"])
            .args(words)
            .envs(settings.iter().copied())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((parse(&text), output.status.success()))
    }
}

/// Reads the results that the models print: `test NAME ... N executions, all there are, within B preemptions in T s`,
/// and for crowds `N schedules explored HOW in T s, seed S`. Several results of a model are added up.
fn parse(text: &str) -> Results {
    let mut models = Results::new();
    let mut model = "";
    for line in text.lines() {
        let mut result = line;
        if let Some((name, rest)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "))
        {
            (model, result) = (name, rest);
        }
        let Some(explored) = Explored::parse(result) else {
            continue;
        };
        let sum = models.entry(model.to_owned()).or_insert(Explored {
            executions: 0,
            seconds: 0.0,
            ..explored
        });
        sum.executions += explored.executions;
        sum.seconds += explored.seconds;
        sum.all &= explored.all;
    }
    models
}

impl Explored {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split([' ', ',']).collect();
        let after = |word: &str| {
            let place = words.iter().rposition(|other| *other == word)?;
            words.get(place + 1)
        };
        let executions = words.first()?.parse().ok()?;
        words
            .iter()
            .any(|word| ["executions", "schedules"].contains(word))
            .then_some(())?;
        Some(Self {
            executions,
            seconds: after("in")?.parse().ok()?,
            bound: after("within").and_then(|bound| bound.parse().ok()),
            all: !line.contains("and then stopped"),
        })
    }

    fn cell(self) -> String {
        let Self {
            executions,
            seconds,
            bound,
            all,
        } = self;
        let more = if all { "" } else { ", not all" };
        let bound = bound.map_or(String::new(), |bound| format!(" at {bound}"));
        format!("{executions}{bound}, {seconds:.1} s{more}")
    }
}

fn table(models: &BTreeMap<String, Vec<(usize, Explored)>>) -> Result<String, std::fmt::Error> {
    let mut table = String::from("| model |");
    for run in &RUNS {
        write!(table, " {} |", run.title)?;
    }
    writeln!(table, "\n|---|{}", "---|".repeat(RUNS.len()))?;
    let mut sums = [(0, 0.0); RUNS.len()];
    for (model, cells) in models {
        write!(table, "| `{model}` |")?;
        for (column, sum) in sums.iter_mut().enumerate() {
            let cell = cells.iter().find(|(place, _)| *place == column);
            let explored = cell.map(|(_, explored)| *explored);
            write!(
                table,
                " {} |",
                explored.map_or(String::new(), Explored::cell)
            )?;
            sum.0 += explored.map_or(0, |explored| explored.executions);
            sum.1 += explored.map_or(0.0, |explored| explored.seconds);
        }
        writeln!(table)?;
    }
    write!(table, "| all {} |", models.len())?;
    for (executions, seconds) in sums {
        write!(table, " {executions}, {seconds:.0} s |")?;
    }
    writeln!(table)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_the_models_is_parsed() {
        let text = "running 2 tests\n\
            test a ... 570 executions, all there are, within 2 preemptions in 0.1 s\n\
            30 executions, and then stopped, within 2 preemptions in 40.1 s\n\
            ok\n\
            test b ... 20 schedules explored by PCT in 0.5 s, seed 7\n\
            ok\n\
            test c ... ok\n";
        let models = parse(text);
        assert_eq!(models.len(), 2);
        assert_eq!(models["a"].cell(), "600 at 2, 40.2 s, not all");
        assert_eq!(models["b"].cell(), "20, 0.5 s");
    }
}
