//! How long a revoked token is still accepted by the nodes at which it was not revoked.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use castellan_proto::random;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Case, Plan, taking_part, targets::Target};
use crate::{
    fault::Fault,
    histogram::Histogram,
    peers::{
        Format, Ground, Provider,
        castellan::{Instance, REVOKE, Wants},
        source::{Engine, Source},
    },
    process::Server,
    report::Report,
    wire::Wire,
};

/// Tokens that are revoked with each number of nodes: enough for a p99.
const REVOCATIONS: usize = 400;
/// How many are under way at a time.
const LANES: usize = 8;
/// Maximum number of nodes.
const MOST_NODES: usize = 3;
/// How often a node is asked about a token.
const PAUSE: Duration = Duration::from_millis(3);
/// The interval of the nodes' polls. Revocations are spread over it, because otherwise they would
/// all come just after a poll, which the previous one waited for.
const POLL: Duration = Duration::from_millis(250);
/// A token that is accepted for longer counts as never revoked.
const TOO_LONG: Duration = Duration::from_secs(5);
/// The head of the table.
const HEAD: &str = "| revocation on | nodes | refusals | median | p99 | maximum | \
    where it was revoked, at most | target | met |\n|---|--:|--:|--:|--:|--:|--:|---|---|";
/// How long all of it may take with one number of nodes.
const PATIENCE: Duration = Duration::from_mins(5);

/// Measures one to three nodes on a file, and two and three on a server.
///
/// # Errors
/// [`Fault`] if a node does not start, or a token stays valid.
pub async fn run(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    if taking_part(case, plan).next().is_none() {
        return Ok(());
    }
    let [Target::AtMost(most)] = *case.targets else {
        return Err(Fault::failed("this case has one target"));
    };
    let (mut rows, mut lines) = (vec![HEAD.to_owned()], Vec::new());
    for (engine, fewest) in [(Engine::Sqlite, 1), (Engine::Postgres, 2)] {
        let source = match Source::open(engine, ground, &[]).await {
            Ok(source) => source,
            Err(Fault::Missing(why)) => {
                report.not_run(case.name, engine.name(), &why);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let mut nodes = Nodes::on(source, ground).await?;
        loop {
            let count = nodes.running.len();
            if count >= fewest {
                let spread = timeout(PATIENCE, measure(&nodes.providers())).await;
                let spread = spread.unwrap_or(Err(Fault::Silent(PATIENCE.as_secs())));
                let (row, line) = told((engine, count), &spread?, most);
                rows.push(row);
                lines.push(line);
            }
            if count == MOST_NODES {
                break;
            }
            nodes.add(ground).await?;
        }
    }
    report.table(rows.join("\n"), &json!({"case": case.name, "variants": lines}));
    Ok(())
}

/// Castellans that share a data source.
struct Nodes {
    /// Dropped first.
    running: Vec<Server>,
    houses: Vec<Instance>,
    _source: Source,
}

impl Nodes {
    /// One, to begin with.
    async fn on(source: Source, ground: &Ground) -> Result<Self, Fault> {
        let instance = Instance::furnish_on(source.data.clone(), ground, Wants::default())?;
        let running = vec![instance.open().await?];
        Ok(Self { running, houses: vec![instance], _source: source })
    }

    async fn add(&mut self, ground: &Ground) -> Result<(), Fault> {
        let instance = self.houses[0].another(ground)?;
        self.running.push(instance.open().await?);
        self.houses.push(instance);
        Ok(())
    }

    fn providers(&self) -> Rc<[Provider]> {
        self.houses.iter().map(|instance| instance.provider.clone()).collect()
    }
}

/// From the answer to a revocation to the first refusal.
#[derive(Default)]
struct Spread {
    /// At the node that revoked: of the first request after.
    same: Histogram,
    /// At each of the others.
    others: Histogram,
}

async fn measure(nodes: &Rc<[Provider]>) -> Result<Spread, Fault> {
    let spread = Rc::new(RefCell::new(Spread::default()));
    let next = Rc::new(Cell::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (spread, next) = (Rc::clone(&spread), Rc::clone(&next));
        let mut lane = Lane::along(Rc::clone(nodes));
        lanes.spawn_local(async move {
            while next.get() < REVOCATIONS {
                let number = next.replace(next.get() + 1);
                lane.revoke_one(number, &spread).await?;
            }
            Ok(())
        });
    }
    while let Some(ended) = lanes.join_next().await {
        ended.unwrap_or_else(|error| Err(Fault::failed(error.to_string())))?;
    }
    Ok(spread.take())
}

/// Revokes one token after another. It has a keep-alive connection to each node.
struct Lane {
    nodes: Rc<[Provider]>,
    wires: Vec<Wire>,
}

impl Lane {
    fn along(nodes: Rc<[Provider]>) -> Self {
        let wires = nodes.iter().map(|node| Wire::to(node.address)).collect();
        Self { nodes, wires }
    }

    async fn revoke_one(&mut self, number: usize, spread: &RefCell<Spread>) -> Result<(), Fault> {
        let (issuing, revoking) = turns(number, self.nodes.len());
        let token = self.nodes[issuing].one_token(Format::Es256).await?;
        let client = Format::Es256.client();
        let introspect = (self.nodes[0].endpoints.introspect, client);
        let questions: Vec<_> =
            self.nodes.iter().map(|node| about((node, introspect), &token)).collect();
        for (wire, question) in self.wires.iter_mut().zip(&questions) {
            for _ in 0..2 {
                if !is_good(wire, question).await? {
                    return Err(Fault::failed("a token was refused before it was revoked"));
                }
            }
        }
        sleep(jitter(u16::from_be_bytes(random()))).await;
        let revoke = about((&self.nodes[revoking], (REVOKE, client)), &token);
        self.wires[revoking].ask(&revoke).await?.expect("a revocation", 200, b"")?;
        let since = Instant::now();
        let mut probers = JoinSet::new();
        let nodes = self.wires.drain(..).zip(questions).enumerate();
        for (at, (mut wire, question)) in nodes {
            let patience = if at == revoking { Duration::ZERO } else { TOO_LONG };
            probers.spawn_local(async move {
                let took = until_refused(&mut wire, &question, (since, patience)).await;
                (at, wire, took)
            });
        }
        let mut wires = Vec::new();
        while let Some(ended) = probers.join_next().await {
            let (at, wire, took) = ended.map_err(|error| Fault::failed(error.to_string()))?;
            let mut spread = spread.borrow_mut();
            let to = if at == revoking { &mut spread.same } else { &mut spread.others };
            to.record(took?);
            wires.push((at, wire));
        }
        wires.sort_by_key(|(at, _)| *at);
        self.wires = wires.into_iter().map(|(_, wire)| wire).collect();
        Ok(())
    }
}

/// A request about `token`, or to do something with it.
fn about((node, target): (&Provider, (&str, &str)), token: &str) -> Vec<u8> {
    node.client_request(target, &[("token", token)])
}

async fn is_good(wire: &mut Wire, question: &[u8]) -> Result<bool, Fault> {
    let answer = wire.ask(question).await?.expect("introspection", 200, b"\"active\":")?;
    Ok(answer.text().contains("\"active\":true"))
}

/// Sends requests until the token is refused; returns how long after `since` that was. The first
/// response may still accept it, but not after `patience`.
async fn until_refused(
    wire: &mut Wire,
    question: &[u8],
    (since, patience): (Instant, Duration),
) -> Result<Duration, Fault> {
    loop {
        let asked = since.elapsed();
        if !is_good(wire, question).await? {
            return Ok(since.elapsed());
        }
        if asked >= patience {
            return Err(Fault::failed(format!(
                "a token was good {:.0} ms after its revocation was answered, {}",
                asked.as_secs_f64() * 1_000.0,
                if patience.is_zero() { "at the node that revoked it" } else { "at another node" },
            )));
        }
        sleep(PAUSE).await;
    }
}

/// Which node issues the token of this number, and which revokes it: each with each in turn.
const fn turns(number: usize, nodes: usize) -> (usize, usize) {
    (number % nodes, number / nodes % nodes)
}

/// Some time within [`POLL`], each as likely.
fn jitter(chance: u16) -> Duration {
    POLL * u32::from(chance) / (u32::from(u16::MAX) + 1)
}

/// One line of the table, and of the log.
fn told((engine, count): (Engine, usize), spread: &Spread, most: f64) -> (String, Value) {
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    let of = |all: &Histogram| [0.5, 0.99, 1.0].map(|share| millis(all.quantile(share)));
    let [_, _, same] = of(&spread.same);
    let elsewhere = if count == 1 { &spread.same } else { &spread.others };
    let [median, p99, longest] = of(elsewhere);
    let (name, refusals) = (engine.name(), elsewhere.count());
    let met = if p99 <= most { "yes" } else { "**no**" };
    eprintln!(
        "   {count} on {name}: median {median:.1} ms, p99 {p99:.1} ms, maximum {longest:.1} ms"
    );
    let row = format!(
        "| {name} | {count} | {refusals} | {median:.1} ms | {p99:.1} ms | {longest:.1} ms | \
         {same:.1} ms | p99 ≤ {most} ms | {met} |"
    );
    let line = json!({
        "on": name, "nodes": count, "refusals": refusals, "median_ms": median, "p99_ms": p99,
        "max_ms": longest, "same_node_max_ms": same,
    });
    (row, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_are_spread_over_one_look_for_news() {
        assert_eq!(jitter(0), Duration::ZERO);
        assert_eq!(jitter(1 << 15), POLL / 2);
        assert!(jitter(u16::MAX) < POLL);
    }

    #[test]
    fn every_node_revokes_what_every_node_issued() {
        let mut all: Vec<_> = (0..9).map(|number| turns(number, 3)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 9);
        assert_eq!(turns(7, 1), (0, 0));
    }
}
