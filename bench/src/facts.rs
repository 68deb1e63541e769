//! What a figure is worth nothing without: the machine, the versions, the command.

use std::{
    fs,
    io::{Seek as _, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

use crate::{
    cases::Plan,
    peers::{Ground, haproxy, nginx, oidc_provider, postgres},
    process::said,
    report::median,
};

/// How often the disk is asked how long it takes.
const SYNCS: usize = 50;

/// The facts of this run, one line each.
#[must_use]
pub fn gather(plan: &Plan, ground: &Ground) -> Vec<String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let slice = &plan.slice;
    let load = match slice.rate {
        None => "closed loop".to_owned(),
        Some(rate) => format!("open loop, {rate} arrivals per second"),
    };
    let threads =
        ground.threads.map_or("as many worker threads as it takes".to_owned(), |threads| {
            format!("{threads} worker thread(s), and threads of its own for SQLite and passwords")
        });
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let versions = [
        said(Command::new(&ground.castellan).arg("--version")).ok(),
        // Where this program comes from; so does the binary, unless it was named.
        said(&mut git).ok().map(|revision| format!("this repository at {revision}")),
        oidc_provider::version(),
        nginx::version(),
        haproxy::version(),
        postgres::version(),
    ];
    let versions: Vec<String> = versions.into_iter().flatten().collect();
    vec![
        format!("command: `cargo xtask bench {}`", arguments_told(&arguments)),
        format!(
            "{load}, {} connections, one driver thread; medians of {} rounds of {} s each, in turns",
            slice.connections,
            plan.rounds,
            slice.time.as_secs_f64(),
        ),
        format!("Castellan: {threads}; nginx: 1 worker; HAProxy: 1 thread; Node.js: 1 process"),
        machine(),
        disk(ground.place()),
        format!("versions: {}", versions.join(", ")),
    ]
}

/// The arguments, without what `xtask` adds by itself.
fn arguments_told(arguments: &[String]) -> String {
    let mut reported = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--castellan" {
            arguments.next();
        } else {
            reported.push(argument.as_str());
        }
    }
    reported.join(" ")
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1));
    let gibibytes = memory.and_then(|kibi| kibi.parse::<u64>().ok()).unwrap_or(0) / (1024 * 1024);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "machine: {model}, {cores} cores, {gibibytes} GiB, Linux {}; load average before: {}",
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}

/// What a durable write costs here at least.
fn disk(place: &Path) -> String {
    let file = place.join("sync");
    let measured = fs::File::create(&file).and_then(|mut file| {
        (0..SYNCS)
            .map(|_| {
                file.rewind()?;
                file.write_all(&[0; 4_096])?;
                let began = Instant::now();
                file.sync_data()?;
                Ok(began.elapsed().as_secs_f64() * 1e3)
            })
            .collect::<std::io::Result<Vec<f64>>>()
    });
    let _ = fs::remove_file(file);
    match measured {
        Ok(times) => format!("disk: fdatasync of 4 KiB takes {:.2} ms (median)", median(times)),
        Err(error) => format!("disk: it could not be measured: {error}"),
    }
}
