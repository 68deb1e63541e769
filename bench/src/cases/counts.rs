//! Counts of rows, and whether they stay flat.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::targets::thousands;

/// How many rows there are at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// When, from the start of the flows.
    pub at: Duration,
    /// Flows that were done by then.
    pub flows: u64,
    /// Records, by their kind.
    pub kinds: BTreeMap<String, u64>,
    /// The number of unique names.
    pub names: u64,
    /// The number of notices.
    pub feed: u64,
    /// Bytes of the database.
    pub bytes: u64,
}

impl Count {
    /// Reads lines `table|kind|number`; `None` if a line has another form.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut count = Self::default();
        for line in text.lines() {
            let (table, rest) = line.split_once('|')?;
            let (kind, number) = rest.split_once('|')?;
            let number = number.parse().ok()?;
            match table {
                "records" => drop(count.kinds.insert(kind.to_owned(), number)),
                "names" => count.names = number,
                "feed" => count.feed = number,
                "bytes" => count.bytes = number,
                _ => return None,
            }
        }
        Some(count)
    }

    /// Records of every kind.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// The kinds of which there are most.
    #[must_use]
    pub fn most(&self) -> String {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
        let words = |(kind, number): &(&String, &u64)| format!("{} {kind}", whole(**number));
        kinds.iter().take(4).map(words).collect::<Vec<_>>().join(", ")
    }
}

/// A count that must not grow.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The name of the count.
    pub name: &'static str,
    /// How long it grows at first, because that is how long rows are kept.
    pub settles: Duration,
    /// Its number in a count.
    pub of: fn(&Count) -> u64,
}

/// Every column that is. Records live for seconds here and are swept once a minute; notices are
/// kept for ten minutes.
pub const COLUMNS: [Column; 3] = [
    Column { name: "records", settles: Duration::from_mins(2), of: Count::records },
    Column { name: "names", settles: Duration::from_mins(2), of: |count| count.names },
    Column { name: "feed", settles: Duration::from_mins(12), of: |count| count.feed },
];

/// Fewer rows than this are noise.
const NOISE: f64 = 100.0;

/// By how many times `column` is larger in the last of `counts` than in the first one that is a
/// fifth of the way and settled; `None` if none is before the last.
///
/// The number of rows alive is proportional to the rate of flows; if the rate was higher at the
/// end, that many more rows are not growth.
#[must_use]
pub fn growth(counts: &[Count], column: Column) -> Option<f64> {
    let last = counts.len().checked_sub(1)?;
    let is_base =
        |count: &Count| count.at >= column.settles && count.flows >= counts[last].flows / 5;
    let base = counts[..last].iter().position(is_base)?;
    let rows = |at: usize| float((column.of)(&counts[at])).max(NOISE);
    let faster = rate(counts, last) / rate(counts, base);
    Some(rows(last) / rows(base) / faster.max(1.0))
}

/// Flows per second since the count before the one at `at`, or since the start.
fn rate(counts: &[Count], at: usize) -> f64 {
    let (now, start) = (&counts[at], Count::default());
    let before = at.checked_sub(1).map_or(&start, |before| &counts[before]);
    float(now.flows - before.flows) / now.at.saturating_sub(before.at).as_secs_f64()
}

/// `counts` as a table in Markdown, between those `before` the first flow and `after` the last.
#[must_use]
pub fn table(title: &str, (before, counts, after): (&Count, &[Count], &Count)) -> String {
    let mut text = format!(
        "| {title}: flows so far | seconds | flows per second | records | names | feed | MB |\n\
         |--:|--:|--:|--:|--:|--:|--:|\n"
    );
    let mut row = |count: &Count, flows: &str, rate: &str| {
        let _ = writeln!(
            text,
            "| {flows} | {:.0} | {rate} | {} | {} | {} | {:.1} |",
            count.at.as_secs_f64(),
            whole(count.records()),
            whole(count.names),
            whole(count.feed),
            float(count.bytes) / 1e6,
        );
    };
    row(before, "none yet", "–");
    for (at, count) in counts.iter().enumerate() {
        row(count, &whole(count.flows), &thousands(rate(counts, at)));
    }
    row(after, &format!("{}, all expired", whole(after.flows)), "–");
    text.trim_end().to_owned()
}

/// A number with its thousands apart.
#[must_use]
pub fn whole(number: u64) -> String {
    thousands(float(number))
}

/// `number`, for a ratio.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "rows, flows and bytes here stay far below 2^52")]
pub const fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One count per minute with this many flows and this many records.
    fn counts(all: &[(u64, u64)]) -> Vec<Count> {
        (1..)
            .zip(all)
            .map(|(minute, (flows, records))| Count {
                at: Duration::from_mins(minute),
                flows: *flows,
                kinds: BTreeMap::from([("family".to_owned(), *records)]),
                ..Count::default()
            })
            .collect()
    }

    fn records(all: &[(u64, u64)]) -> Option<f64> {
        growth(&counts(all), COLUMNS[0])
    }

    #[test]
    fn lines_are_read_and_added_up() {
        let count = Count::read("records|code|7\nrecords|family|1200\nnames||3\nfeed||4\nbytes||5");
        let count = count.unwrap();
        assert_eq!((count.records(), count.names, count.feed, count.bytes), (1207, 3, 4, 5));
        assert_eq!(count.most(), "1,200 family, 7 code");
        for junk in ["records|code", "records|code|many", "others||1"] {
            assert_eq!(Count::read(junk), None, "{junk}");
        }
    }

    #[test]
    fn what_stays_is_flat_and_what_piles_up_is_not() {
        let flat = [(100, 900), (200, 1_000), (300, 1_000), (400, 1_050), (500, 1_100)];
        assert!((records(&flat).unwrap() - 1.1).abs() < 1e-9);
        let growing = [(100, 1_000), (200, 2_000), (300, 3_000), (400, 4_000), (500, 5_000)];
        assert!((records(&growing).unwrap() - 2.5).abs() < 1e-9);
    }

    #[test]
    fn faster_flows_make_more_rows_and_slower_ones_excuse_none() {
        let faster = [(100, 900), (200, 1_000), (300, 1_000), (500, 2_000)];
        assert!((records(&faster).unwrap() - 1.0).abs() < 1e-9);
        let slower = [(100, 900), (200, 1_000), (300, 1_000), (350, 1_000)];
        assert!((records(&slower).unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_said_of_what_has_not_settled() {
        assert_eq!(records(&[]), None);
        assert_eq!(records(&[(100, 1_000), (200, 2_000)]), None);
        let all: Vec<_> = (1..=13).map(|minute| (minute * 100, 1_000)).collect();
        assert_eq!(growth(&counts(&all[..12]), COLUMNS[2]), None);
        assert_eq!(growth(&counts(&all), COLUMNS[2]), Some(1.0));
    }

    #[test]
    fn a_table_has_a_line_for_each_count() {
        let all = counts(&[(60, 1_000), (180, 1_100)]);
        let text = table("SQLite", (&Count::default(), &all, &all[1]));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[3], "| 60 | 60 | 1 | 1,000 | 0 | 0 | 0.0 |");
        assert_eq!(lines[4], "| 180 | 120 | 2 | 1,100 | 0 | 0 | 0.0 |");
        assert_eq!(lines[5], "| 180, all expired | 120 | – | 1,100 | 0 | 0 | 0.0 |");
    }
}
