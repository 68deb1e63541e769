//! How many instructions a request takes in user space. This count hardly depends on what else the
//! machine does, so it shows a difference of one per cent where processor time does not.
//!
//! A server under callgrind is sent requests one after another over one connection: some that are
//! not counted, so that everything that happens once has happened, then a number of them, then twice
//! that number. What the server does by the clock is counted while nobody asks it, and subtracted for
//! the time that the requests took. Both parts are printed: if they differ, more requests are needed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{Case, Contestant, Freshness, Kind, Plan, enter, roster, taking_part, targets::Target};
use crate::{
    callgrind,
    fault::Fault,
    load::{Done, Slice, Work},
    peers::{Ground, Peer},
    report::{Report, Single},
    wire::Wire,
};

/// Cases whose requests are counted, with what is to be reached.
const COUNTED: &[(&str, Option<f64>)] = &[
    ("gate-seen", Some(48_000.0)),
    ("gate-new-document", Some(130_000.0)),
    ("gate-new-token", None),
    ("gate-large-seen", None),
    ("gate-large-new", Some(900_000.0)),
    ("gate-http", None),
    ("token-opaque", Some(60_000.0)),
    ("token-es256", None),
    ("refresh", None),
    ("introspect", Some(35_000.0)),
    ("code-session", None),
    ("code-login", None),
];

/// What a gated request may take with metrics, of what it takes without.
const WITH_METRICS: f64 = 1.02;
/// Requests before the first that is counted: every connection is open then, every cache filled.
const FIRST: usize = 150;
/// How long it is counted what a server does by the clock.
const IDLE: Duration = Duration::from_secs(10);
/// How long it may take to prepare the requests: the server is many times slower than usual.
const PREPARING: Duration = Duration::from_mins(2);

/// Counts.
///
/// # Errors
/// [`Fault`] if a server does not start, or answers wrongly.
pub async fn run(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    if let Some(unknown) = plan.count.iter().find(|name| !COUNTED.iter().any(|one| one.0 == **name))
    {
        return Err(Fault::failed(format!("the instructions of {unknown:?} are not counted")));
    }
    let observed = plan.metrics.then(|| ground.counting(true)).transpose()?;
    let ground = &ground.counting(false)?;
    for (name, most) in COUNTED {
        if !plan.count.is_empty() && !plan.count.iter().any(|one| one == name) {
            continue;
        }
        let counted = roster::CASES.iter().find(|one| one.name == *name);
        let counted = counted.ok_or_else(|| Fault::failed(format!("no case {name}")))?;
        for peer in taking_part(case, plan).filter(|peer| counted.peers.contains(peer)) {
            // One that passes everything on takes the same whatever it is that is new.
            if peer != Peer::Castellan && !is_seen(counted.kind) {
                continue;
            }
            let value = match count((counted, peer), plan, ground).await {
                Ok(value) => value,
                Err(Fault::Missing(why)) => {
                    report.not_run(case.name, peer.name(), &why);
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            report.single(Single {
                case: case.name,
                peer,
                what: (*name).to_owned(),
                value,
                unit: "instructions",
                target: most.map(Target::AtMost).filter(|_| peer == Peer::Castellan),
            });
            if let Some(observed) = observed.as_ref().filter(|_| peer == Peer::Castellan) {
                let target = is_gated(counted.kind).then(|| (value * WITH_METRICS).round());
                report.single(Single {
                    case: case.name,
                    peer,
                    what: format!("{name} with metrics"),
                    value: count((counted, peer), plan, observed).await?,
                    unit: "instructions",
                    target: target.map(Target::AtMost),
                });
            }
        }
    }
    Ok(())
}

const fn is_seen(kind: Kind) -> bool {
    matches!(kind, Kind::Gate(_, Freshness::Seen) | Kind::GateHttp)
}

const fn is_gated(kind: Kind) -> bool {
    matches!(kind, Kind::Gate(..) | Kind::GateHttp)
}

/// The instructions of one unit of work.
async fn count((case, peer): (&Case, Peer), plan: &Plan, ground: &Ground) -> Result<f64, Fault> {
    let mut contestant = enter((case, peer), 1, ground).await?;
    let units = plan.units;
    let (time, rate) = (PREPARING, None);
    let slice = Slice { units: Some(FIRST + 3 * units), time, rate, ..plan.slice };
    contestant.stage.prepare(&slice).await?;
    let mut wire = Wire::to(contestant.standing.server.address);
    let mut work = contestant.stage.work(0);
    several(FIRST, &mut *work, &mut wire).await?;
    since_last(&contestant)?;
    tokio::time::sleep(IDLE).await;
    let (idle, _) = since_last(&contestant)?;
    let by_clock = as_float(idle) / IDLE.as_secs_f64();
    eprintln!("   {:20} {}: {by_clock:.0} per second by the clock", peer.name(), case.name);
    let mut each = [0.0; 2];
    let mut file = PathBuf::new();
    for (at, each) in each.iter_mut().enumerate() {
        let (began, units) = (Instant::now(), (at + 1) * units);
        several(units, &mut *work, &mut wire).await?;
        let took = began.elapsed().as_secs_f64();
        let counted;
        (counted, file) = since_last(&contestant)?;
        *each = (as_float(counted) - by_clock * took) / as_float(units as u64);
    }
    let [first, second] = each;
    eprintln!("   {:20} {}: {first:.0}, then {second:.0}", peer.name(), case.name);
    if let Some(folder) = &plan.profiles {
        let with = if ground.metrics { "-metrics" } else { "" };
        keep(&file, folder, &format!("{}-{}{with}", case.name, peer.name()))?;
    }
    // Of all of them: the second part is twice as long.
    Ok((first + 2.0 * second) / 3.0)
}

async fn several(units: usize, work: &mut dyn Work, wire: &mut Wire) -> Result<(), Fault> {
    for _ in 0..units {
        if work.once(wire).await? == Done::Dry {
            return Err(Fault::failed("there was too little to do it with"));
        }
    }
    Ok(())
}

fn since_last(contestant: &Contestant) -> Result<(u64, PathBuf), Fault> {
    let server = &contestant.standing.server;
    callgrind::since_last(server.id(), server.folder())
}

/// Keeps a profile for `callgrind_annotate`.
fn keep(file: &Path, folder: &Path, name: &str) -> Result<(), Fault> {
    fs::create_dir_all(folder)?;
    fs::copy(file, folder.join(format!("callgrind.out.{name}")))?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^52")]
const fn as_float(number: u64) -> f64 {
    number as f64
}
