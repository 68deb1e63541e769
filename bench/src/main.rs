//! Measures Castellan and its peers side by side: the same requests, in turns, in one run, on one
//! machine. `README.md` beside this crate says how figures are made.

mod answer;
mod browser;
mod callgrind;
mod cases;
mod facts;
mod fault;
mod histogram;
mod load;
mod packages;
mod peers;
mod proc;
mod process;
mod report;
mod tls;
mod wire;

use std::{fmt::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::LocalSet,
};

use cases::{Case, Plan, roster::CASES};
use fault::Fault;
use load::Slice;
use peers::{Ground, Peer, bare};
use report::Report;

/// Measures Castellan and its peers side by side, in turns, in one run.
#[derive(Parser)]
#[command(name = "castellan-bench", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    mode: Option<Mode>,
}

/// How a run is made.
#[derive(Args)]
struct Run {
    /// What to measure: names of cases, or what they begin with (`gate`, `token-es256`). Without
    /// any: all of them but those that are run only if named.
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// How often each server's turn comes. Figures are medians over the turns.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of one turn.
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Keep-alive connections, each with one open request at most.
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,
    /// An open loop: so many arrivals per second, each measured from its arrival. Without it a
    /// closed loop, which finds out how much a server can do.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Leave a peer out.
    #[arg(long, value_name = "PEER")]
    without: Vec<Peer>,
    /// Worker threads of Castellan; 0 for as many as it takes by itself. Peers have one.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Tokens to store in the case `million`.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    fill: u64,
    /// Seconds that storing them may take, for each server.
    #[arg(long, value_name = "S", default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    fill_seconds: u64,
    /// Flows to make in the case `rows`, on each data source.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    flows: u64,
    /// Seconds that making them may take, on each data source.
    #[arg(long, value_name = "S", default_value_t = 2_400, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    flow_seconds: u64,
    /// Seconds that the case `siege` lasts.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(20..=3_600))]
    siege_seconds: u64,
    /// Cases whose requests the case `instructions` counts. Without it: all that it can.
    #[arg(long, value_name = "CASE")]
    count: Vec<String>,
    /// Requests that the case `instructions` counts, and twice as many after them.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(50..=1_000_000))]
    units: u32,
    /// Count the requests of the case `instructions` with metrics as well: at a gate they may take 2 %
    /// more then.
    #[arg(long)]
    metrics: bool,
    /// Keep the profiles of the case `instructions` in this folder, for `callgrind_annotate`.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// People of the case `search`.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2_000..=1_000_000))]
    people: u64,
    /// Accounts of the case `lists`.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(20_000..=10_000_000))]
    accounts: u64,
    /// The binary of Castellan. Default: the one beside this program.
    #[arg(long, value_name = "PATH")]
    castellan: Option<PathBuf>,
    /// Where servers keep their data during the run. Default: `bench-data` in the target folder.
    /// A folder in memory would make every write free.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where each turn is written as a line of JSON. Default: `bench.jsonl` in the target folder.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Servers that runs are made with.
#[derive(Subcommand)]
enum Mode {
    /// Be a bare axum server that does only what a case needs.
    Axum(Listen),
    /// Be the API that stands behind every gate.
    Upstream(Listen),
}

#[derive(Args)]
struct Listen {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9099")]
    listen: SocketAddr,
}

fn main() -> ExitCode {
    let matches = Arguments::command().after_help(help()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::from)
        .and_then(|runtime| LocalSet::new().block_on(&runtime, dispatch(arguments)));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("castellan-bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(arguments: Arguments) -> Result<bool, Fault> {
    match arguments.mode {
        Some(Mode::Axum(Listen { listen })) => bare::axum(listen).await.map(|()| true),
        Some(Mode::Upstream(Listen { listen })) => bare::upstream(listen).await.map(|()| true),
        None => run(arguments.run).await,
    }
}

/// Runs the cases that were asked for; whether all of them could be measured.
async fn run(arguments: Run) -> Result<bool, Fault> {
    let cases = chosen(&arguments.cases)?;
    let plan = plan(&arguments);
    let program = std::env::current_exe()?;
    let beside = program.with_file_name("castellan");
    let target = program.parent().and_then(std::path::Path::parent);
    let target = target.map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let data = arguments.data.unwrap_or_else(|| target.join("bench-data"));
    let log = arguments.log.unwrap_or_else(|| target.join("bench.jsonl"));
    let threads = Some(arguments.threads).filter(|threads| *threads > 0);
    let ground = Ground::new(&arguments.castellan.unwrap_or(beside), threads, &data)?;
    let mut report = Report::new(&log)?;
    for peer in &plan.without {
        report.note(format!("{} was left out (`--without`).", peer.name()));
    }
    if plan.rounds < 3 || plan.slice.time < Duration::from_secs(3) {
        report.note("Too few rounds, or too short ones, to be quoted.".to_owned());
    }
    let facts = facts::gather(&plan, &ground);
    let mut stop = std::pin::pin!(stopped());
    for case in cases {
        tokio::select! {
            done = cases::run(case, (&plan, &ground), &mut report) => done?,
            // What runs is dropped, and its servers end with it.
            fault = &mut stop => return Err(fault),
        }
    }
    eprintln!("each turn: {}", log.display());
    Ok(report.close(&facts))
}

fn plan(arguments: &Run) -> Plan {
    let time = Duration::from_secs(arguments.seconds);
    Plan {
        slice: Slice {
            connections: arguments.connections as usize,
            warm_up: (time / 4).min(Duration::from_secs(1)),
            time,
            rate: arguments.rate,
            units: None,
        },
        count: arguments.count.clone(),
        units: arguments.units as usize,
        metrics: arguments.metrics,
        profiles: arguments.profiles.clone(),
        rounds: arguments.rounds as usize,
        fill: arguments.fill,
        fill_time: Duration::from_secs(arguments.fill_seconds),
        flows: arguments.flows,
        flow_time: Duration::from_secs(arguments.flow_seconds),
        siege_time: Duration::from_secs(arguments.siege_seconds),
        people: arguments.people,
        accounts: arguments.accounts,
        without: arguments.without.clone(),
    }
}

/// The cases whose names begin with one of `names`; without any, all that need not be named.
fn chosen(names: &[String]) -> Result<Vec<&'static Case>, Fault> {
    let is_one = |case: &&Case, name: &String| case.name.starts_with(&**name);
    if let Some(unknown) = names.iter().find(|name| !CASES.iter().any(|case| is_one(&case, name))) {
        let all: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(Fault::failed(format!("no case {unknown:?}; there are {}", all.join(", "))));
    }
    let wanted = |case: &&Case| match names {
        [] => !case.kind.only_if_named(),
        names => names.iter().any(|name| is_one(case, name)),
    };
    Ok(CASES.iter().filter(wanted).collect())
}

/// Ctrl-C, or what service managers send.
async fn stopped() -> Fault {
    let (Ok(mut terminated), Ok(mut hung_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return Fault::failed("signals cannot be listened for");
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
        _ = hung_up.recv() => {}
    }
    Fault::Stopped
}

fn help() -> String {
    let mut text = "Cases:\n".to_owned();
    for case in CASES {
        let peers: Vec<&str> = case.peers.iter().map(|peer| peer.name()).collect();
        let named = if case.kind.only_if_named() { "; only if named" } else { "" };
        let _ = writeln!(text, "  {:18} {} [{}{named}]", case.name, case.about, peers.join(", "));
    }
    text + "\nEvery server is started on a free port of 127.0.0.1 with data of its own, and ended \
         again. nginx, HAProxy, PostgreSQL and the command line of SQLite are installed from \
         Debian's packages if need be and possible, oidc-provider by npm. A wrong answer fails its case.\n\nExamples:\n  castellan-bench \
         --castellan target/release/castellan\n  castellan-bench token --rounds 7 --seconds \
         10\n  castellan-bench token-es256 --rate 5000 --without oidc-provider\n  \
         castellan-bench rows --flows 100000 --flow-seconds 600\n  castellan-bench siege \
         --siege-seconds 60\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_run_only_if_it_is_named() {
        let names = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().copied().map(ToOwned::to_owned).collect();
            chosen(&asked).map(|cases| cases.iter().map(|case| case.name).collect::<Vec<_>>())
        };
        let all = names(&[]).unwrap();
        assert!(
            all.contains(&"revocation")
                && !all.iter().any(|name| name.starts_with("rows") || *name == "siege"),
            "{all:?}"
        );
        let wanted = ["revocation", "rows-sqlite", "rows-postgres"];
        assert_eq!(names(&["rows", "revocation"]).unwrap(), wanted);
        assert!(names(&["row", "nothing"]).is_err());
    }
}
