//! The plots of a report.

use super::super::{
    goals::Step,
    moments::{Moment, PoolMoment, ServerMoment},
    report::Report,
    verdict::Limit,
};
use super::{
    plot::{At, Axis, Line, Mark, Plot},
    scale::Scale,
};

const SECONDS: Axis = axis("seconds since publishing began", Scale::Linear);
const RATE: Axis = axis("messages a second that were to be sent", Scale::Log);
type PoolFigure = fn(&PoolMoment) -> u64;

const MIB: f64 = 1_048_576.0;

/// The figures of a pool to plot.
const POOL: [(&str, PoolFigure); 5] = [
    ("in flight", |pool| pool.in_flight),
    ("running", |pool| pool.running),
    ("queued", |pool| pool.queued),
    ("waiting", |pool| pool.waiting),
    ("threads", |pool| pool.threads),
];

/// Returns the plots of the run, or of the step at the limit.
pub(super) fn of_run(report: &Report) -> Vec<Plot> {
    let moments = &report.timeline;
    let goal = report.limit.as_ref().map(|limit| Mark {
        name: "goal for p99".to_owned(),
        at: At::Y(limit.goals.p99_ms),
    });
    let mut plots = Vec::new();
    let latencies = plot(
        "Latency over time",
        "Each point is half a second. Lines that stay level are good; a p99 that climbs while the load is the same means that messages pile up. Each line up on the scale is the same factor.",
        SECONDS,
        axis("ms", Scale::Log),
        vec![
            over_time("p50", moments, |moment| moment.p50_ms),
            over_time("p99", moments, |moment| moment.p99_ms),
            over_time("slowest", moments, |moment| moment.max_ms),
        ],
    );
    plots.push(Plot {
        marks: goal.iter().cloned().collect(),
        ..latencies
    });
    let distribution = plot(
        "Distribution of the latency",
        "At 99% stands the latency that 99 of 100 deliveries kept. A line that bends up early has many slow deliveries; one that bends up at the far right has a few.",
        axis("share of the deliveries", Scale::Nines),
        axis("ms", Scale::Log),
        vec![line("all deliveries", report.percentiles.clone())],
    );
    plots.push(Plot {
        marks: goal.into_iter().collect(),
        ..distribution
    });
    plots.push(plot(
        "Messages sent",
        "What the publishers sent. A dip means that they were held up, though their messages are counted from when they were due.",
        SECONDS,
        axis("messages a second", Scale::Linear),
        vec![a_second("sent", moments, |moment| moment.sent)],
    ));
    plots.push(plot(
        "Deliveries",
        "What all members got together: it follows what was sent, times the members of a room. Where it falls behind, the server or the network does.",
        SECONDS,
        axis("deliveries a second", Scale::Linear),
        vec![a_second("delivered", moments, |moment| moment.delivered)],
    ));
    if moments.iter().any(|moment| moment.server.is_some()) {
        of_server(moments, &mut plots);
    }
    plots
}

fn of_server(moments: &[Moment], plots: &mut Vec<Plot>) {
    let server = |name, value: fn(&ServerMoment) -> Option<f64>| {
        let point = |moment: &Moment| Some((moment.at_s, value(moment.server.as_ref()?)?));
        line(name, moments.iter().filter_map(point).collect())
    };
    plots.push(plot(
        "Processors",
        "For the server 100 % is one processor, for the machine all of them. A machine near 100 % has nothing left to give; one that is far from it, with a high latency, waits for something else.",
        SECONDS,
        axis("%", Scale::Linear),
        vec![
            server("the server", |server| Some(server.cpu_percent)),
            server("its machine", |server| server.machine_cpu_percent),
        ],
    ));
    plots.push(plot(
        "Memory of the server",
        "What it holds in memory. A level line is good; one that climbs as long as the load lasts will hit a limit.",
        SECONDS,
        axis("MiB", Scale::Linear),
        vec![server("resident", |server| Some(server.rss_bytes as f64 / MIB))],
    ));
    plots.push(plot(
        "Frames that wait for clients",
        "What the server has encoded and the clients' sockets have not taken yet, all clients together. Much of it means slow clients, or too little processor to write.",
        SECONDS,
        axis("frames", Scale::Counts),
        vec![server("frames", |server| Some(server.outbox_frames as f64))],
    ));
    let last = moments
        .iter()
        .rev()
        .find_map(|moment| moment.server.as_ref());
    for name in last.iter().flat_map(|server| server.pools.keys()) {
        let lines = POOL.map(|(figure, value)| {
            let pool = |moment: &Moment| Some(value(moment.server.as_ref()?.pools.get(name)?));
            let point = |moment: &Moment| Some((moment.at_s, pool(moment)? as f64));
            line(figure, moments.iter().filter_map(point).collect())
        });
        let mut plot = plot(
            format!("Pool “{name}”"),
            reading_of(name),
            SECONDS,
            axis("tasks, threads", Scale::Counts),
            lines.into(),
        );
        let capacity = last.and_then(|server| Some(server.pools.get(name)?.capacity));
        plot.marks = capacity
            .map(|capacity| Mark {
                name: format!("capacity {capacity}"),
                at: At::Y(capacity as f64),
            })
            .into_iter()
            .collect();
        plots.push(plot);
    }
}

fn reading_of(pool: &str) -> &'static str {
    match pool {
        "connections" => {
            "A task for each connection. Those that are queued have something to do and wait for a thread: more than a few, for long, and the processors are the limit."
        }
        "fanout" => {
            "What rooms do, message by message. When as many are in flight as the pool has capacity, publishers wait: that is its back-pressure."
        }
        "front" => "Handshakes. Busy while clients connect, idle afterwards.",
        "service" => "The server's own few tasks.",
        _ => "Queued tasks wait for a thread, waiting ones for a place in the pool.",
    }
}

/// Returns the plots of a search.
pub(super) fn of_search(limit: &Limit) -> Vec<Plot> {
    let goals = limit.goals;
    let mark = (limit.rate > 0.0).then(|| Mark {
        name: "limit".to_owned(),
        at: At::X(limit.rate),
    });
    let goal = |name: &str, value| Mark {
        name: name.to_owned(),
        at: At::Y(value),
    };
    let dots = |name, value: fn(&Step) -> Option<f64>, held: Option<bool>| {
        let steps = limit
            .steps
            .iter()
            .filter(|step| held.is_none_or(|held| step.held() == held));
        let points = steps.filter_map(|step| Some((step.rate, value(step)?)));
        Line {
            dots: true,
            ..line(name, points.collect())
        }
    };
    let latency = plot(
        "Rate and latency",
        "Each dot is a step of the search. Below its limit the server keeps the goal; where the dots shoot up, messages begin to pile up.",
        RATE,
        axis("p99 in ms", Scale::Log),
        vec![
            dots("kept the goals", |step| Some(step.p99_ms), Some(true)),
            dots("broke one", |step| Some(step.p99_ms), Some(false)),
        ],
    );
    let resources = plot(
        "Rate and resources",
        "The same steps. If the processors come to their goal first, they are the limit; if neither does, messages wait for something else.",
        RATE,
        axis("% of the machine", Scale::Linear),
        vec![
            dots("processors", |step| step.cpu_percent, None),
            dots("memory", |step| step.memory_percent, None),
        ],
    );
    vec![
        Plot {
            marks: mark
                .iter()
                .cloned()
                .chain([goal("goal for p99", goals.p99_ms)])
                .collect(),
            ..latency
        },
        Plot {
            marks: mark
                .into_iter()
                .chain([goal("goal for the processors", goals.cpu_percent)])
                .collect(),
            ..resources
        },
    ]
}

const fn axis(unit: &'static str, scale: Scale) -> Axis {
    Axis { unit, scale }
}

fn plot(
    title: impl Into<String>,
    reading: &'static str,
    x: Axis,
    y: Axis,
    lines: Vec<Line>,
) -> Plot {
    Plot {
        title: title.into(),
        reading,
        x,
        y,
        lines,
        marks: Vec::new(),
    }
}

fn line(name: &'static str, points: Vec<(f64, f64)>) -> Line {
    Line {
        name,
        points,
        dots: false,
    }
}

fn over_time(name: &'static str, moments: &[Moment], value: fn(&Moment) -> f64) -> Line {
    line(
        name,
        moments
            .iter()
            .map(|moment| (moment.at_s, value(moment)))
            .collect(),
    )
}

/// Returns a count of each moment as a rate.
fn a_second(name: &'static str, moments: &[Moment], count: fn(&Moment) -> u64) -> Line {
    let mut before = 0.0;
    let points = moments.iter().filter_map(|moment| {
        let span = moment.at_s - std::mem::replace(&mut before, moment.at_s);
        (span > 0.0).then(|| (moment.at_s, count(moment) as f64 / span))
    });
    line(name, points.collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{report, searched};
    use super::*;

    #[test]
    fn counts_of_moments_become_rates() {
        let moments = [(0.5, 10), (1.0, 20), (1.0, 9), (3.0, 20)].map(|(at_s, sent)| Moment {
            at_s,
            sent,
            ..Moment::default()
        });
        let line = a_second("sent", &moments, |moment| moment.sent);
        assert_eq!(line.points, [(0.5, 20.0), (1.0, 40.0), (3.0, 10.0)]);
    }

    #[test]
    fn figures_that_the_server_lacks_have_no_plot() {
        let mut report = report();
        assert_eq!(of_run(&report).len(), 9);
        for moment in &mut report.timeline {
            moment.server = None;
        }
        assert_eq!(of_run(&report).len(), 4);
    }

    #[test]
    fn the_limit_and_the_goals_are_marked() {
        let limit = searched().limit.expect("it was searched");
        for plot in of_search(&limit) {
            assert_eq!(plot.marks.len(), 2, "{}", plot.title);
        }
    }
}
