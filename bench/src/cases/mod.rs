//! What is measured: the roster, and how one case is run.

pub mod code;
pub mod counts;
pub mod documents;
pub mod gate;
pub mod instructions;
pub mod lists;
pub mod machine;
pub mod people;
pub mod rest;
pub mod revocation;
pub mod roster;
pub mod rows;
pub mod search;
pub mod siege;
pub mod targets;

use std::{path::PathBuf, rc::Rc, time::Duration};

use async_trait::async_trait;

use crate::{
    fault::Fault,
    load::{self, Done, Measured, Slice, Work},
    peers::{Ground, Peer, Standing, source::Engine},
    report::{LoadRow, Report},
    wire::Wire,
};
use documents::Document;
use targets::Target;

/// How long a server runs under load before its first turn, at most.
const RUN_IN: Duration = Duration::from_secs(2);

/// One line of the roster.
pub struct Case {
    /// Its name on the command line and in tables.
    pub name: &'static str,
    /// What the case measures.
    pub about: &'static str,
    /// The servers compared, Castellan first.
    pub peers: &'static [Peer],
    /// What is to be reached.
    pub targets: &'static [Target],
    /// The kind of work.
    pub kind: Kind,
}

/// What is done in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but an answer.
    Hello,
    /// Token issuance.
    Token(crate::peers::Format),
    /// Refreshing tokens.
    Refresh,
    /// Introspection of one token over and over.
    Introspect,
    /// A document through the gate.
    Gate(Document, Freshness),
    /// A request to a REST API through the gate.
    GateHttp,
    /// A document through the gate over TLS.
    GateTls {
        /// Each over a connection of its own.
        fresh: bool,
    },
    /// A code flow where a session is there.
    CodeSession,
    /// A code flow with login and consent.
    CodeLogin,
    /// Sign-ins with wrong passwords.
    SignIn,
    /// Tokens while passwords are guessed.
    Flood,
    /// From the start to the first successful response.
    Start,
    /// Memory of an idle server.
    Memory,
    /// Start and memory with many tokens stored.
    Million,
    /// From a revocation until every node refuses the token.
    Revocation,
    /// Rows that are stored while flows continue.
    Rows(Engine),
    /// Regular load during attacks.
    Siege,
    /// Pages of searches among few people and among many.
    Search,
    /// Pages of lists of accounts, the first and the hundredth.
    Lists,
    /// User-space instructions of one request.
    Instructions,
}

impl Kind {
    /// Whether it takes so long that it is run only if it is named.
    #[must_use]
    pub const fn only_if_named(self) -> bool {
        matches!(
            self,
            Self::Rows(_) | Self::Siege | Self::Search | Self::Lists | Self::Instructions
        )
    }
}

/// What the gate has not seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Token and document were seen before.
    Seen,
    /// Each document is new, the token is not.
    NewDocument,
    /// Each token is new, the document is not.
    NewToken,
}

/// How a run is made.
pub struct Plan {
    /// How load is made in each slice.
    pub slice: Slice,
    /// How often each server's turn comes.
    pub rounds: usize,
    /// Tokens that are stored for [`Kind::Million`].
    pub fill: u64,
    /// How long storing them may take at most.
    pub fill_time: Duration,
    /// Flows that are made for [`Kind::Rows`] on each data source.
    pub flows: u64,
    /// How long they may take at most.
    pub flow_time: Duration,
    /// How long [`Kind::Siege`] lasts.
    pub siege_time: Duration,
    /// The people of [`Kind::Search`].
    pub people: u64,
    /// The accounts of [`Kind::Lists`].
    pub accounts: u64,
    /// Cases that [`Kind::Instructions`] counts; all that it can if empty.
    pub count: Vec<String>,
    /// Requests that it counts.
    pub units: usize,
    /// Whether it counts those of Castellan with metrics as well.
    pub metrics: bool,
    /// Where it keeps its profiles.
    pub profiles: Option<PathBuf>,
    /// Peers that are left out.
    pub without: Vec<Peer>,
}

/// A server that takes part in a case, and what is asked of it.
pub struct Contestant {
    /// The server.
    pub peer: Peer,
    /// The running server.
    pub standing: Standing,
    /// What is asked of it.
    pub stage: Box<dyn Stage>,
}

/// What is asked of one server in a case.
#[async_trait(?Send)]
pub trait Stage {
    /// Prepares what the next slice uses up; this is not measured.
    ///
    /// # Errors
    /// [`Fault`] if it cannot be had.
    async fn prepare(&mut self, _: &Slice) -> Result<(), Fault> {
        Ok(())
    }

    /// What connection number `at` does.
    fn work(&mut self, at: usize) -> Box<dyn Work>;
}

/// The same request over and over.
#[derive(Clone)]
pub struct Same {
    /// What it asks for.
    pub asked: &'static str,
    /// The bytes of the request.
    pub request: Rc<[u8]>,
    /// What the body of a correct response contains.
    pub needle: &'static [u8],
}

#[async_trait(?Send)]
impl Work for Same {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        wire.ask(&self.request).await?.expect(self.asked, 200, self.needle)?;
        Ok(Done::Once)
    }
}

impl Stage for Same {
    fn work(&mut self, _: usize) -> Box<dyn Work> {
        Box::new(self.clone())
    }
}

/// Runs one case and adds what came of it to `report`.
///
/// # Errors
/// Only [`Fault::Stopped`]: any other fault fails the case, and the run continues.
pub async fn run(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    eprintln!("== {}: {}", case.name, case.about);
    let done = match case.kind {
        Kind::Flood => people::flood(case, (plan, ground), report).await,
        Kind::Start => rest::start(case, (plan, ground), report).await,
        Kind::Memory => rest::memory(case, (plan, ground), report).await,
        Kind::Million => rest::million(case, (plan, ground), report).await,
        Kind::Revocation => revocation::run(case, (plan, ground), report).await,
        Kind::Rows(engine) => rows::run((case, engine), (plan, ground), report).await,
        Kind::Siege => siege::run(case, (plan, ground), report).await,
        Kind::Lists => lists::run(case, (plan, ground), report).await,
        Kind::Search => search::run(case, (plan, ground), report).await,
        Kind::Instructions => instructions::run(case, (plan, ground), report).await,
        _ => loads(case, (plan, ground), report).await,
    };
    match done {
        Err(Fault::Stopped) => Err(Fault::Stopped),
        Err(fault) => {
            report.failed(case.name, &fault);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Peers of `case` that take part in this run.
pub fn taking_part<'a>(
    case: &'static Case,
    plan: &'a Plan,
) -> impl Iterator<Item = Peer> + use<'a> {
    case.peers.iter().copied().filter(|peer| !plan.without.contains(peer))
}

/// Puts up everybody who takes part, and gives each its turn in every round.
async fn loads(
    case: &'static Case,
    (plan, ground): (&Plan, &Ground),
    report: &mut Report,
) -> Result<(), Fault> {
    let mut contestants = Vec::new();
    for peer in taking_part(case, plan) {
        eprintln!("   {} starts", peer.name());
        match enter((case, peer), plan.slice.connections, ground).await {
            Ok(mut contestant) => {
                run_in(&mut contestant, plan).await.map_err(|fault| named(peer, fault))?;
                contestants.push((contestant, Vec::new()));
            }
            Err(Fault::Missing(why)) => report.not_run(case.name, peer.name(), &why),
            Err(fault) => return Err(named(peer, fault)),
        }
    }
    for round in 0..plan.rounds {
        for (contestant, turns) in &mut contestants {
            let measured = turn(contestant, &plan.slice)
                .await
                .and_then(answering)
                .map_err(|fault| named(contestant.peer, fault))?;
            report.turn((case.name, contestant.peer.name()), round, &measured);
            turns.push(measured);
        }
    }
    let rows: Vec<_> = contestants
        .iter()
        .map(|(contestant, turns)| LoadRow::new(contestant.peer, turns, case.kind))
        .collect();
    report.load(case, &rows, &plan.slice);
    Ok(())
}

/// A turn that is not measured: afterwards a server that compiles its code at run time has done so.
async fn run_in(contestant: &mut Contestant, plan: &Plan) -> Result<(), Fault> {
    let time = plan.slice.time.min(RUN_IN);
    turn(contestant, &Slice { time, rate: None, ..plan.slice }).await.map(drop)
}

async fn enter(
    (case, peer): (&Case, Peer),
    connections: usize,
    ground: &Ground,
) -> Result<Contestant, Fault> {
    match case.kind {
        Kind::Hello => machine::hello(peer, ground).await,
        Kind::Token(format) => machine::token((peer, format), ground).await,
        Kind::Introspect => machine::introspect(peer, ground).await,
        Kind::Refresh => machine::refresh((peer, connections), ground).await,
        Kind::Gate(document, freshness) => gate::enter(peer, (document, freshness), ground).await,
        Kind::GateHttp => gate::enter_http(peer, ground).await,
        Kind::GateTls { fresh } => gate::enter_tls(peer, fresh, ground).await,
        Kind::CodeSession => code::with_session((peer, connections), ground).await,
        Kind::CodeLogin => code::with_login((peer, connections), ground).await,
        Kind::SignIn => people::sign_in(peer, ground).await,
        Kind::Flood
        | Kind::Start
        | Kind::Memory
        | Kind::Million
        | Kind::Revocation
        | Kind::Rows(_)
        | Kind::Siege
        | Kind::Search
        | Kind::Lists
        | Kind::Instructions => Err(Fault::failed("this case is not one of load alone")),
    }
}

/// One slice of one server.
///
/// # Errors
/// [`Fault`] if anything was answered wrongly.
pub async fn turn(contestant: &mut Contestant, slice: &Slice) -> Result<Measured, Fault> {
    contestant.stage.prepare(slice).await?;
    let server = &contestant.standing.server;
    let stage = &mut contestant.stage;
    let measured = load::run(slice, (server.address, &server.tree()?), |at| stage.work(at)).await;
    measured.map_err(|fault| Fault::failed(format!("{fault}\n{}", server.last_words())))
}

/// A turn in which something was answered; without a response there is no figure.
fn answering(measured: Measured) -> Result<Measured, Fault> {
    if measured.answered > 0 {
        return Ok(measured);
    }
    Err(Fault::failed("nothing was answered while it was counted; give turns more --seconds"))
}

fn named(peer: Peer, fault: Fault) -> Fault {
    match fault {
        Fault::Stopped => Fault::Stopped,
        other => Fault::Failed(format!("{}: {other}", peer.name())),
    }
}
