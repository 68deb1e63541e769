//! What came of a run: progress while it runs, one JSON line per turn, and tables at the end.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::Duration,
};

use serde_json::json;

use crate::{
    cases::{
        Case, Kind,
        targets::{Target, thousands},
    },
    fault::Fault,
    load::{Measured, Slice},
    peers::Peer,
};

/// All that came of a run.
pub struct Report {
    log: BufWriter<File>,
    load: Vec<String>,
    rest: Vec<String>,
    tables: Vec<String>,
    notes: Vec<String>,
    failures: usize,
}

/// One server in one case of load: medians over its turns.
pub struct LoadRow {
    peer: Peer,
    rates: Vec<f64>,
    p50: f64,
    p99: f64,
    cpu: f64,
    cpu_but_passwords: f64,
    unanswered: u64,
    driver: f64,
    kind: Kind,
}

/// One figure that is not of load.
pub struct Single {
    /// The case that was measured.
    pub case: &'static str,
    /// The server that was measured.
    pub peer: Peer,
    /// What was measured, in words.
    pub what: String,
    /// The measured value.
    pub value: f64,
    /// The unit of the value.
    pub unit: &'static str,
    /// The target, if there is one.
    pub target: Option<Target>,
}

/// A driver that is busy for more of its time than this measures itself.
const BUSY: f64 = 0.95;

impl LoadRow {
    /// The medians of `turns`.
    #[must_use]
    pub fn new(peer: Peer, turns: &[Measured], kind: Kind) -> Self {
        let of = |figure: fn(&Measured) -> f64| median(turns.iter().map(figure).collect());
        Self {
            peer,
            rates: turns.iter().map(rate).collect(),
            p50: of(|turn| micros(turn.latencies.quantile(0.5))),
            p99: of(|turn| micros(turn.latencies.quantile(0.99))),
            cpu: of(|turn| micros(turn.server) / count(turn)),
            cpu_but_passwords: of(|turn| {
                (micros(turn.server) - micros(turn.passwords)) / count(turn)
            }),
            unanswered: turns.iter().map(|turn| turn.unanswered).sum(),
            driver: of(|turn| turn.driver.as_secs_f64() / turn.elapsed.as_secs_f64()),
            kind,
        }
    }

    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// What processor time is judged and compared by.
    const fn judged_cpu(&self) -> f64 {
        if matches!(self.kind, Kind::CodeLogin) { self.cpu_but_passwords } else { self.cpu }
    }

    /// How many times the rate of `other` this one has, round by round.
    fn times(&self, other: &Self) -> f64 {
        median(self.rates.iter().zip(&other.rates).map(|(ours, its)| ours / its).collect())
    }
}

impl Report {
    /// A report whose lines go to `log`.
    ///
    /// # Errors
    /// [`Fault::Failed`] if that file cannot be written.
    pub fn new(log: &Path) -> Result<Self, Fault> {
        let file = File::create(log)
            .map_err(|error| Fault::failed(format!("{}: {error}", log.display())))?;
        Ok(Self {
            log: BufWriter::new(file),
            load: Vec::new(),
            rest: Vec::new(),
            tables: Vec::new(),
            notes: Vec::new(),
            failures: 0,
        })
    }

    /// Reports that one turn has ended.
    pub fn turn(&mut self, (case, peer): (&str, &str), round: usize, turn: &Measured) {
        let (p50, p99) = (turn.latencies.quantile(0.5), turn.latencies.quantile(0.99));
        let cpu = micros(turn.server) / count(turn);
        eprintln!(
            "   round {}: {peer:20} {:>9}/s  p50 {}  p99 {}  {cpu:.1} µs",
            round + 1,
            thousands(rate(turn)),
            time(micros(p50)),
            time(micros(p99)),
        );
        let line = json!({
            "case": case, "server": peer, "round": round + 1,
            "answered": turn.answered, "unanswered": turn.unanswered,
            "seconds": turn.elapsed.as_secs_f64(), "rate": rate(turn),
            "p50_us": micros(p50), "p99_us": micros(p99),
            "max_us": micros(turn.latencies.quantile(1.0)),
            "server_cpu_us": cpu, "password_cpu_us": micros(turn.passwords) / count(turn),
            "driver_cpu_share": turn.driver.as_secs_f64() / turn.elapsed.as_secs_f64(),
        });
        self.line(&line);
    }

    /// Reports that one case of load has ended.
    pub fn load(&mut self, case: &Case, rows: &[LoadRow], slice: &Slice) {
        let ours = rows.iter().find(|row| row.peer == Peer::Castellan);
        for row in rows {
            let targets = case.targets.iter().filter(|target| match target {
                Target::Over(peer, _) => row.peer == *peer,
                _ => row.peer == Peer::Castellan,
            });
            let (mut words, mut met) = (Vec::new(), Vec::new());
            for target in targets {
                words.push(target.words());
                met.push(verdict(*target, (row, ours), slice.rate.is_some()));
            }
            let other = ours.filter(|ours| ours.peer != row.peer);
            let times = other.map(|ours| format!("{:.2}", ours.times(row)));
            let by_cpu = other.map(|ours| format!("{:.2}", row.judged_cpu() / ours.judged_cpu()));
            self.load.push(format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                case.name,
                row.peer.name(),
                thousands(row.rate()),
                time(row.p50),
                time(row.p99),
                cpu_words(row),
                times.unwrap_or("–".to_owned()),
                by_cpu.unwrap_or("–".to_owned()),
                or_dash(&words),
                or_dash(&met),
            ));
            self.remark(case, row);
        }
    }

    fn remark(&mut self, case: &Case, row: &LoadRow) {
        let at = format!("{}, {}", case.name, row.peer.name());
        if row.driver > BUSY {
            self.notes.push(format!(
                "{at}: the driver used {:.0} % of a core, so the rate is its own limit, not the \
                 server's; go by processor time.",
                row.driver * 100.0
            ));
        }
        if row.unanswered > 0 {
            let left = row.unanswered;
            self.notes.push(format!("{at}: the rate was not kept; {left} arrivals were left."));
        }
    }

    /// A figure that is not of load.
    pub fn single(&mut self, single: Single) {
        let Single { case, peer, what, value, unit, target } = single;
        let words = target.map(|target| format!("{} {unit}", target.words()));
        let met = target.map(|target| match target {
            Target::AtMost(most) => yes(value <= most),
            _ => "–",
        });
        // A ratio is compared in hundredths.
        let digits = if unit == "×" { 2 } else { 1 };
        eprintln!("   {:20} {what}: {value:.digits$} {unit}", peer.name());
        self.rest.push(format!(
            "| {case} | {} | {what} | {value:.digits$} {unit} | {} | {} |",
            peer.name(),
            words.as_deref().unwrap_or("–"),
            met.unwrap_or("–"),
        ));
        let line = json!({
            "case": case, "server": peer.name(), "what": what, "value": value, "unit": unit,
        });
        self.line(&line);
    }

    /// A table of a case's own, in Markdown, and the same values as a line of the log.
    pub fn table(&mut self, table: String, line: &serde_json::Value) {
        self.tables.push(table);
        self.line(line);
    }

    /// A server was not available on this machine: reported, but not an error.
    pub fn not_run(&mut self, case: &str, peer: &str, why: &str) {
        eprintln!("   NOT RUN: {peer}: {why}");
        self.notes.push(format!("{case}: {peer} was NOT RUN: {why}"));
    }

    /// A case failed; none of its figures are valid.
    pub fn failed(&mut self, case: &str, fault: &Fault) {
        eprintln!("   FAILED: {fault}");
        self.line(&json!({"case": case, "failed": fault.to_string()}));
        let first = fault.to_string();
        let first = first.lines().next().unwrap_or_default();
        self.notes.push(format!("**{case} FAILED**: {first}"));
        self.failures += 1;
    }

    /// A note for readers of the tables.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Prints the tables; whether no case failed.
    pub fn close(mut self, facts: &[String]) -> bool {
        for fact in facts {
            println!("- {fact}");
        }
        if !self.load.is_empty() {
            println!(
                "\n| case | server | per second | p50 | p99 | CPU µs each | ours ÷ it | by CPU | \
                 target | met |\n|---|---|--:|--:|--:|--:|--:|--:|---|---|"
            );
            self.load.iter().for_each(|row| println!("{row}"));
        }
        if !self.rest.is_empty() {
            println!(
                "\n| case | server | what | measured | target | met |\n|---|---|---|--:|---|---|"
            );
            self.rest.iter().for_each(|row| println!("{row}"));
        }
        self.tables.iter().for_each(|table| println!("\n{table}"));
        if !self.notes.is_empty() {
            println!();
            self.notes.iter().for_each(|note| println!("- {note}"));
        }
        let _ = self.log.flush();
        self.failures == 0
    }

    fn line(&mut self, line: &serde_json::Value) {
        // A log that cannot be written does not take the tables away.
        let _ = writeln!(self.log, "{line}");
    }
}

/// Whether `target` was met by `row`; rates say nothing where they were given.
fn verdict(target: Target, (row, ours): (&LoadRow, Option<&LoadRow>), open: bool) -> &'static str {
    match target {
        Target::Rate(_) | Target::Over(..) if open => "–",
        Target::Rate(rate) => yes(row.rate() >= rate),
        Target::P99(millis) => yes(row.p99 <= millis * 1_000.0),
        Target::Cpu(most) => yes(row.cpu <= most),
        Target::CpuButPasswords(most) => yes(row.cpu_but_passwords <= most),
        Target::Over(_, times) => ours.map_or("–", |ours| yes(ours.times(row) >= times)),
        Target::AtMost(_) => "–",
    }
}

const fn yes(met: bool) -> &'static str {
    if met { "yes" } else { "**no**" }
}

fn or_dash<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    if words.is_empty() { "–".to_owned() } else { words.join("; ") }
}

fn cpu_words(row: &LoadRow) -> String {
    match row.kind {
        Kind::CodeLogin if row.cpu_but_passwords < row.cpu => {
            format!("{:.1} (hash: {:.1})", row.cpu_but_passwords, row.cpu - row.cpu_but_passwords)
        }
        _ => format!("{:.1}", row.cpu),
    }
}

/// A time in the unit that reads best.
fn time(micros: f64) -> String {
    if micros < 1_000.0 {
        format!("{micros:.0} µs")
    } else {
        format!("{:.2} ms", micros / 1_000.0)
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "no turn answers 2^52 requests")]
const fn count(turn: &Measured) -> f64 {
    turn.answered as f64
}

fn rate(turn: &Measured) -> f64 {
    count(turn) / turn.elapsed.as_secs_f64()
}

/// The median of `values`; not a number if there are none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match (values.len() % 2, values.get(half)) {
        (0, Some(upper)) => f64::midpoint(values[half - 1], *upper),
        (_, Some(middle)) => *middle,
        (_, None) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn times_read_well() {
        assert_eq!(
            [0.4, 999.0, 1_000.0, 15_250.0].map(time),
            ["0 µs", "999 µs", "1.00 ms", "15.25 ms"]
        );
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let turn = |answered, millis| Measured {
            answered,
            unanswered: 0,
            elapsed: Duration::from_secs(1),
            latencies: crate::histogram::Histogram::default(),
            server: Duration::from_millis(millis),
            passwords: Duration::from_millis(millis / 2),
            driver: Duration::ZERO,
        };
        let ours = [turn(100, 10), turn(300, 30), turn(200, 20)];
        let its = [turn(50, 10), turn(100, 30), turn(100, 20)];
        let ours = LoadRow::new(Peer::Castellan, &ours, Kind::CodeLogin);
        let its = LoadRow::new(Peer::Nginx, &its, Kind::CodeLogin);
        assert!((ours.times(&its) - 2.0).abs() < 1e-9);
        assert_eq!(verdict(Target::Over(Peer::Nginx, 2.0), (&its, Some(&ours)), false), "yes");
        assert_eq!(verdict(Target::Over(Peer::Nginx, 2.1), (&its, Some(&ours)), false), "**no**");
        assert_eq!(verdict(Target::Rate(200.0), (&ours, Some(&ours)), false), "yes");
        assert_eq!(verdict(Target::Rate(200.0), (&ours, Some(&ours)), true), "–");
        assert_eq!(verdict(Target::Cpu(99.0), (&ours, Some(&ours)), false), "**no**");
        assert_eq!(verdict(Target::CpuButPasswords(50.0), (&ours, None), false), "yes");
    }
}
