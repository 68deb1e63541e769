//! Whether regular callers notice attacks, and what the server needs during them.

mod attacks;

use std::{rc::Rc, time::Duration};

use async_trait::async_trait;
use tokio::time::sleep;

use super::{
    Case, Plan,
    documents::Document,
    gate::{Ask, NEEDLE},
    taking_part,
    targets::Target,
};
use crate::{
    fault::Fault,
    load::{self, Done, Measured, Slice, Work},
    peers::{
        Format, Ground, Peer, bare,
        castellan::{Instance, Wants},
    },
    process::Server,
    report::{Report, Single},
    wire::Wire,
};
use attacks::Tally;

/// File handles that the server may have: fewer than those who lay siege.
const HANDLES: u32 = 1_024;
/// Connections of honest callers, and their requests in a second.
const HONEST: usize = 16;
const RATE: u32 = 100;
/// How often is looked what the server needs.
const LOOK: Duration = Duration::from_secs(1);
const MIB: f64 = 1_048_576.0;

/// Lays siege to one server while honest callers come.
///
/// # Errors
/// [`Fault`] if the server does not start, a regular caller is not served, or a limit is exceeded.
pub async fn run(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    if taking_part(case, plan).next().is_none() {
        return Ok(());
    }
    let api = bare::start("upstream", ground).await?;
    let instance =
        Instance::furnish(ground, Wants { upstream: Some(api.address), ..Wants::default() })?;
    let server = instance.open_with(Some(HANDLES)).await?;
    let token = instance.provider.one_token(Format::Es256).await?;
    let ask = Ask { address: server.address, body: Document::Mutation.body().into() };
    let (issue, issued) = instance.provider.issue(Format::Es256);
    let honest = Honest { ask: ask.with(&token).into(), issue: issue.into(), issued, next: false };

    let tally = Rc::new(Tally::default());
    let mut worst = Needs::of(&server, &instance)?;
    let before = worst;
    let slice = Slice {
        connections: HONEST,
        warm_up: Duration::from_secs(2),
        time: plan.siege_time,
        rate: Some(RATE),
        units: None,
    };
    let besiegers = attacks::begin(server.address, &tally);
    let tree = server.tree()?;
    let load = load::run(&slice, (server.address, &tree), |_| Box::new(honest.clone()));
    let measured = tokio::select! {
        measured = load => measured,
        fault = keep_looking((&server, &instance), &mut worst) => Err(fault),
    };
    drop(besiegers);
    let measured =
        measured.map_err(|fault| Fault::failed(format!("{fault}\n{}", server.last_words())))?;

    let outcome = Outcome { case, before, worst, measured, tally: &tally };
    let exceeded = outcome.told(report);
    if exceeded.is_empty() { Ok(()) } else { Err(Fault::failed(exceeded.join("; "))) }
}

/// What came of a siege.
struct Outcome<'a> {
    case: &'static Case,
    before: Needs,
    worst: Needs,
    measured: Measured,
    tally: &'a Tally,
}

impl Outcome<'_> {
    /// Says what came, and what exceeded its bound.
    fn told(&self, report: &mut Report) -> Vec<String> {
        let Self { case, before, worst, measured, tally } = self;
        report.note(format!(
            "{}: in {:.0} s {} connections that mean no good, {} sign-ins that were begun \
             and {} that were refused for a while, {} denied documents and {} bodies that are too large, beside {} honest requests, {} of \
             which were not got round to",
            case.name,
            measured.elapsed.as_secs_f64(),
            tally.connections.get(),
            tally.begun.get(),
            tally.refused.get(),
            tally.denied.get(),
            tally.large.get(),
            measured.answered,
            measured.unanswered,
        ));
        let p99 = measured.latencies.quantile(0.99).as_secs_f64() * 1_000.0;
        let rows = [
            ("memory at most", worst.memory / MIB, "MiB"),
            ("file handles at most", worst.handles, ""),
            ("growth on disk", (worst.disk - before.disk) / MIB, "MiB"),
            ("p99 of honest requests", p99, "ms"),
            ("connections beyond their time", super::counts::float(tally.overstayed.get()), ""),
        ];
        let mut exceeded = Vec::new();
        for ((what, value, unit), target) in rows.into_iter().zip(case.targets) {
            if let Target::AtMost(most) = target
                && value > *most
            {
                exceeded.push(format!("{what}: {value:.1} {unit}, and {most} are allowed"));
            }
            let (case, peer, what) = (case.name, Peer::Castellan, what.to_owned());
            report.single(Single { case, peer, what, value, unit, target: Some(*target) });
        }
        if let Some(wrong) = tally.wrong.take() {
            exceeded.push(wrong);
        }
        let idle = [&tally.begun, &tally.denied, &tally.large].iter().any(|count| count.get() == 0);
        if idle || measured.answered == 0 {
            exceeded.push("somebody did not get to do what they came for".to_owned());
        }
        exceeded
    }
}

/// What a server needs at a moment, or at most.
#[derive(Clone, Copy)]
struct Needs {
    memory: f64,
    handles: f64,
    disk: f64,
}

impl Needs {
    fn of(server: &Server, instance: &Instance) -> Result<Self, Fault> {
        let tree = server.tree()?;
        let handles = |pid: &u32| std::fs::read_dir(format!("/proc/{pid}/fd"));
        let handles = tree.pids().iter().filter_map(|pid| handles(pid).ok());
        let float = super::counts::float;
        Ok(Self {
            memory: float(tree.memory().resident),
            handles: float(handles.map(|all| all.count() as u64).sum()),
            disk: float(instance.size()),
        })
    }
}

/// Looks until it is dropped; the fault that ends it.
async fn keep_looking((server, instance): (&Server, &Instance), worst: &mut Needs) -> Fault {
    loop {
        match Needs::of(server, instance) {
            Ok(now) => {
                worst.memory = worst.memory.max(now.memory);
                worst.handles = worst.handles.max(now.handles);
                worst.disk = worst.disk.max(now.disk);
            }
            Err(fault) => return fault,
        }
        sleep(LOOK).await;
    }
}

/// A token and a document, by turns, over a connection that is kept.
#[derive(Clone)]
struct Honest {
    ask: Rc<[u8]>,
    issue: Rc<[u8]>,
    issued: &'static [u8],
    next: bool,
}

#[async_trait(?Send)]
impl Work for Honest {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        self.next = !self.next;
        if self.next {
            wire.ask(&self.ask).await?.expect("an honest document", 200, NEEDLE)?;
        } else {
            wire.ask(&self.issue).await?.expect("an honest token", 200, self.issued)?;
        }
        Ok(Done::Once)
    }
}
