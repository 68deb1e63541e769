//! What is measured at rest: start and memory.

use std::{cell::Cell, rc::Rc, time::Duration};

use async_trait::async_trait;
use tokio::time::{interval, sleep};

use super::{Case, Plan, Same, machine, taking_part};
use crate::{
    fault::Fault,
    load::{self, Done, Work},
    peers::{
        Format, Ground, Peer, bare,
        castellan::{Instance, Wants},
        haproxy, nginx, oidc_provider,
    },
    process::Server,
    report::{Report, Single, median},
    wire::Wire,
};

/// How long a server is idle before its memory is measured.
const SETTLE: Duration = Duration::from_secs(2);

/// A server that can be started again and again on the data that it has.
enum Startable {
    Castellan(Instance),
    OidcProvider(oidc_provider::Setup),
    /// These have no data: a configuration is written each time, and the API is running already.
    Nginx(Server),
    Haproxy(Server, Box<Instance>, String),
}

impl Startable {
    async fn new(peer: Peer, ground: &Ground) -> Result<Self, Fault> {
        let wants = Wants::default();
        match peer {
            Peer::Castellan => Ok(Self::Castellan(Instance::furnish(ground, wants)?)),
            Peer::OidcProvider => Ok(Self::OidcProvider(oidc_provider::Setup::new(ground)?)),
            Peer::Nginx => Ok(Self::Nginx(bare::start("upstream", ground).await?)),
            Peer::Haproxy => {
                let api = bare::start("upstream", ground).await?;
                let instance = Instance::furnish(ground, wants)?;
                let _issuer = instance.open().await?;
                let token = instance.provider.one_token(Format::Es256).await?;
                Ok(Self::Haproxy(api, Box::new(instance), token))
            }
            Peer::Axum => Err(Fault::failed("the bare server has nothing to start with")),
        }
    }

    /// Starts the server and waits for its first successful response.
    async fn open(&self, ground: &Ground) -> Result<Server, Fault> {
        match self {
            Self::Castellan(instance) => instance.open().await,
            Self::OidcProvider(setup) => setup.open().await,
            Self::Nginx(api) => nginx::start(ground, api.address).await,
            Self::Haproxy(api, instance, token) => {
                let _issuer = instance.open().await?;
                haproxy::start(ground, api.address, (instance.provider.address, token)).await
            }
        }
    }
}

/// From the start to the first successful response: a token, or a forwarded document.
///
/// # Errors
/// [`Fault`] if a server does not start.
pub async fn start(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    let mut all = Vec::new();
    for (peer, startable) in put_up(case, (plan, ground), report).await? {
        // The first start makes what later ones find.
        drop(startable.open(ground).await?);
        all.push((peer, startable, Vec::new()));
    }
    for _ in 0..plan.rounds {
        for (_, startable, times) in &mut all {
            let server = startable.open(ground).await?;
            times.push(millis(server.ready_after));
        }
    }
    for (peer, _, times) in all {
        report.single(Single {
            case: case.name,
            peer,
            what: "from the start to the first good answer".to_owned(),
            value: median(times),
            unit: "ms",
            target: case.targets.first().copied().filter(|_| peer == Peer::Castellan),
        });
    }
    Ok(())
}

/// Memory of an idle server that has answered once.
///
/// # Errors
/// [`Fault`] if a server does not start.
pub async fn memory(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    let [idle, binary] = case.targets else {
        return Err(Fault::failed("this case has two targets"));
    };
    report.single(Single {
        case: case.name,
        peer: Peer::Castellan,
        what: "binary, with every data source".to_owned(),
        value: megabytes(std::fs::metadata(&ground.castellan)?.len()),
        unit: "MB",
        target: Some(*binary),
    });
    for (peer, startable) in put_up(case, (plan, ground), report).await? {
        let server = startable.open(ground).await?;
        sleep(SETTLE).await;
        report.single(Single {
            case: case.name,
            peer,
            what: format!("idle{}", proportional(&server)?),
            value: resident(&server)?,
            unit: "MB",
            target: Some(*idle).filter(|_| peer == Peer::Castellan),
        });
    }
    Ok(())
}

/// Memory and start with many live tokens. They are issued over the wire within a time limit; the
/// report states how many there were.
///
/// # Errors
/// [`Fault`] if a server does not start, or issues no tokens.
pub async fn million(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    let [memory, start] = case.targets else {
        return Err(Fault::failed("this case has two targets"));
    };
    for (peer, startable) in put_up(case, (plan, ground), report).await? {
        let server = startable.open(ground).await?;
        let provider = match &startable {
            Startable::Castellan(instance) => &instance.provider,
            Startable::OidcProvider(setup) => &setup.provider,
            Startable::Nginx(_) | Startable::Haproxy(..) => continue,
        };
        let issued = fill(machine::issuing(provider, Format::Opaque), &server, plan).await?;
        let with = format!("with {} tokens", super::targets::thousands(as_float(issued)));
        let is_ours = peer == Peer::Castellan;
        // A target for a million says nothing about fewer.
        let judged = is_ours && issued >= 1_000_000;
        sleep(SETTLE).await;
        report.single(Single {
            case: case.name,
            peer,
            what: format!("memory {with}, just issued{}", proportional(&server)?),
            value: resident(&server)?,
            unit: "MB",
            target: Some(*memory).filter(|_| judged),
        });
        drop(server);
        let Startable::Castellan(instance) = &startable else { continue };
        let mut times = Vec::new();
        for _ in 0..plan.rounds {
            let server = instance.open().await?;
            times.push(millis(server.ready_after));
        }
        report.single(Single {
            case: case.name,
            peer,
            what: format!("start {with}, {:.0} MB of database", megabytes(instance.size())),
            value: median(times),
            unit: "ms",
            target: Some(*start).filter(|_| judged),
        });
    }
    Ok(())
}

async fn put_up(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<Vec<(Peer, Startable)>, Fault> {
    let mut all = Vec::new();
    for peer in taking_part(case, plan) {
        match Startable::new(peer, ground).await {
            Ok(startable) => all.push((peer, startable)),
            Err(Fault::Missing(why)) => report.not_run(case.name, peer.name(), &why),
            Err(fault) => return Err(fault),
        }
    }
    Ok(all)
}

/// Issues tokens until there are enough or time is up; how many.
async fn fill(issuing: Same, server: &Server, plan: &Plan) -> Result<u64, Fault> {
    let left = Rc::new(Cell::new(plan.fill));
    let issued = || plan.fill - left.get();
    let from = (server.address, plan.slice.connections);
    let done = load::until_dry(from, plan.fill_time, |_| {
        Box::new(Counted { work: issuing.clone(), left: Rc::clone(&left) })
    });
    let mut ticks = interval(Duration::from_secs(10));
    let progress = async {
        loop {
            ticks.tick().await;
            eprintln!("   {} of {} tokens", issued(), plan.fill);
        }
    };
    tokio::select! {
        done = done => done?,
        () = progress => {}
    }
    Ok(issued())
}

/// One token each, until there are enough.
struct Counted {
    work: Same,
    left: Rc<Cell<u64>>,
}

#[async_trait(?Send)]
impl Work for Counted {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        let Some(left) = self.left.get().checked_sub(1) else { return Ok(Done::Dry) };
        self.left.set(left);
        self.work.once(wire).await
    }
}

/// Pages that several processes share count in each: the larger of the two ways to count.
fn resident(server: &Server) -> Result<f64, Fault> {
    Ok(megabytes(server.tree()?.memory().resident))
}

fn proportional(server: &Server) -> Result<String, Fault> {
    let memory = megabytes(server.tree()?.memory().proportional);
    Ok(format!(" ({memory:.1} MB if shared pages are divided)"))
}

fn megabytes(bytes: u64) -> f64 {
    as_float(bytes) / 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "bytes and tokens here stay far below 2^52")]
const fn as_float(number: u64) -> f64 {
    number as f64
}
