//! The capabilities of a data source, so that nobody has to find them out by trying.

use std::fmt;

use castellan_issuer::store::Abilities;

/// What a data source can do, as `castellan doctor` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The display name of the engine.
    pub engine: &'static str,
    /// How many nodes may share it.
    pub nodes: &'static str,
    /// What lists can be had of it.
    pub abilities: Abilities,
    /// Whether a list shows what was written a moment ago.
    pub lists_are_consistent: bool,
    /// What is found without an index, by reading all of a kind.
    pub table_scans: &'static str,
    /// How letter case is treated when a name is looked up.
    pub letter_case: &'static str,
    /// Who removes what has expired.
    pub expiry: &'static str,
}

/// What all of them have in common.
const COMMON: Capabilities = Capabilities {
    engine: "",
    nodes: "any number",
    abilities: Abilities::ALL,
    lists_are_consistent: true,
    table_scans: "sorting, except of people",
    letter_case: "ignored in usernames and e-mail addresses; significant in ids",
    expiry: "deleted by Castellan once a minute, in batches",
};

pub(crate) const SQLITE: Capabilities =
    Capabilities { engine: "SQLite", nodes: "several processes on one machine", ..COMMON };

#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: Capabilities = Capabilities { engine: "PostgreSQL", ..COMMON };

#[cfg(feature = "mongodb")]
pub(crate) const MONGODB: Capabilities = Capabilities {
    engine: "MongoDB",
    abilities: Abilities {
        keeps_orders: false,
        folds_case: false,
        shortest_start: 3,
        ..Abilities::ALL
    },
    table_scans: "sorting, ENDS_WITH",
    expiry: "deleted by a TTL index where the server supports it, and by Castellan",
    ..COMMON
};

#[cfg(feature = "dynamodb")]
pub(crate) const DYNAMODB: Capabilities = Capabilities {
    engine: "DynamoDB",
    abilities: Abilities {
        lists_all: false,
        ends_with: false,
        sorts: false,
        keeps_orders: false,
        folds_case: false,
        shortest_start: 3,
        // A write can let go of as many as it takes, and a transaction has 100 parts at most.
        most_names: 48,
    },
    lists_are_consistent: false,
    table_scans: "lists of people and consents without a filter, if data.allow_table_scans; \
                  deletion of expired records, at most four pages a minute",
    expiry: "deleted by the table's time to live, and by Castellan",
    ..COMMON
};

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Abilities { ends_with, sorts, shortest_start, .. } = self.abilities;
        let filters = if ends_with { "STARTS_WITH, ENDS_WITH" } else { "STARTS_WITH" };
        let sorts = if sorts { "created, lastModified, name" } else { "none" };
        let lists = if self.lists_are_consistent { "immediately" } else { "after a moment" };
        writeln!(f, "engine           {}", self.engine)?;
        writeln!(f, "nodes            {}", self.nodes)?;
        writeln!(f, "filters          userName and email by {filters}")?;
        match shortest_start {
            0 => writeln!(f, "shortest filter  none")?,
            _ => writeln!(f, "shortest filter  {shortest_start} characters for STARTS_WITH")?,
        }
        writeln!(f, "sorts            {sorts}; otherwise by the filtered attribute, or by id")?;
        writeln!(f, "shown in lists   {lists}")?;
        writeln!(f, "table scans      {}", self.table_scans)?;
        writeln!(f, "letter case      {}", self.letter_case)?;
        write!(f, "expiry           {}", self.expiry)
    }
}
