//! What a data source can do, so that nobody has to find out by trying.

use std::fmt;

/// The capability card of a data source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// What it is called.
    pub engine: &'static str,
    /// How many nodes may share it.
    pub nodes: &'static str,
    /// By which attribute lists can be filtered, and how; there is no `ENDS_WITH`, and no filter
    /// that reads the whole table.
    pub filters: &'static [(&'static str, &'static str)],
    /// In which order lists come.
    pub order: &'static str,
    /// Whether a list shows what was written a moment ago.
    pub lists_are_consistent: bool,
    /// Whether something reads the whole table, and what.
    pub table_scans: &'static str,
    /// How long the shortest text is that a filter takes.
    pub shortest_filter: usize,
    /// What looking somebody up makes of letter case.
    pub letter_case: &'static str,
    /// Who removes what has expired.
    pub expiry: &'static str,
}

/// What all of them have in common.
const COMMON: Card = Card {
    engine: "",
    nodes: "any number",
    filters: &[("id", "EQUALS"), ("id", "STARTS_WITH")],
    order: "by id, byte by byte, ascending",
    lists_are_consistent: true,
    table_scans: "none",
    shortest_filter: 1,
    letter_case: "user names and e-mail addresses in any letter case; ids as they are written",
    expiry: "a sweep of ours, once a minute, in batches",
};

pub(crate) const SQLITE: Card =
    Card { engine: "SQLite", nodes: "several processes on one machine", ..COMMON };

#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: Card = Card { engine: "PostgreSQL", ..COMMON };

#[cfg(feature = "mongodb")]
pub(crate) const MONGODB: Card = Card {
    engine: "MongoDB",
    expiry: "a TTL index where the server has them, and a sweep of ours",
    ..COMMON
};

#[cfg(feature = "dynamodb")]
pub(crate) const DYNAMODB: Card = Card {
    engine: "DynamoDB",
    lists_are_consistent: false,
    table_scans: "the sweep, at most four pages a minute",
    expiry: "the table's time to live, and a sweep of ours",
    ..COMMON
};

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filters: Vec<_> = self.filters.iter().map(|(of, how)| format!("{of} {how}")).collect();
        let lists = if self.lists_are_consistent { "at once" } else { "a moment later" };
        writeln!(f, "engine           {}", self.engine)?;
        writeln!(f, "nodes            {}", self.nodes)?;
        writeln!(f, "filters          {}", filters.join(", "))?;
        writeln!(f, "shortest filter  {} character", self.shortest_filter)?;
        writeln!(f, "order            {}", self.order)?;
        writeln!(f, "on a list        {lists}")?;
        writeln!(f, "table scans      {}", self.table_scans)?;
        writeln!(f, "letter case      {}", self.letter_case)?;
        write!(f, "expiry           {}", self.expiry)
    }
}
