//! The sample data: composers and works from long ago, read from the tables beside this file.
//!
//! A table's first line names the fields. A heading such as `name/title` fills both fields; the
//! cell of a relation lists identifiers. An empty cell means that the value is not known.

use super::model::{
    Kind, MUSIC_ALBUM, MUSIC_COMPOSITION, MUSIC_RECORDING, ORGANIZATION, PERSON, PLACE, Relation,
};
use super::refused::Refused;
use super::store::{Changes, Store};

/// Every table with the type of its rows.
pub(crate) static TABLES: [(&Kind, &str); 6] = [
    (&PLACE, include_str!("places.tsv")),
    (&ORGANIZATION, include_str!("organizations.tsv")),
    (&PERSON, include_str!("composers.tsv")),
    (&MUSIC_COMPOSITION, include_str!("works.tsv")),
    (&MUSIC_RECORDING, include_str!("recordings.tsv")),
    (&MUSIC_ALBUM, include_str!("albums.tsv")),
];

/// A store with the sample data in it, and what of the tables did not fit.
pub(crate) fn planted() -> (Store, Vec<Refused>) {
    let store = Store::default();
    let mut refused = Vec::new();
    let rows: Vec<Row> = TABLES.iter().flat_map(|(kind, table)| rows(kind, table)).collect();
    for row in &rows {
        let planted = store.merge(row.kind, row.identifier.to_owned(), row.changes());
        refused.extend(planted.err());
    }
    // A relation needs both its ends, so relations are added after all objects.
    for row in &rows {
        for (relation, target) in row.arrows() {
            let drawn = store.relate(row.kind, relation, row.identifier, target);
            refused.extend(drawn.err());
        }
    }
    (store, refused)
}

struct Row {
    kind: &'static Kind,
    identifier: &'static str,
    cells: Vec<(&'static str, &'static str)>,
}

fn rows(kind: &'static Kind, table: &'static str) -> impl Iterator<Item = Row> {
    let mut lines = table.lines();
    let heads: Vec<&str> = lines.next().unwrap_or_default().split('\t').skip(1).collect();
    lines.filter_map(move |line| {
        let mut cells = line.split('\t');
        let identifier = cells.next()?;
        let cells = heads.iter().copied().zip(cells).filter(|(_, cell)| !cell.is_empty());
        Some(Row { kind, identifier, cells: cells.collect() })
    })
}

impl Row {
    fn changes(&self) -> Changes {
        self.cells
            .iter()
            .flat_map(|(head, cell)| head.split('/').map(move |name| (name, *cell)))
            .filter_map(|(name, cell)| Some((self.kind.scalar(name)?.name, Some(cell.to_owned()))))
            .collect()
    }

    fn arrows(&self) -> impl Iterator<Item = (&'static Relation, &'static str)> {
        self.cells
            .iter()
            .filter_map(|(head, cell)| Some((self.kind.relation(head)?, *cell)))
            .flat_map(|(relation, cell)| cell.split(' ').map(move |target| (relation, target)))
    }
}
