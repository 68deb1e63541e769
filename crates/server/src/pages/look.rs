//! How the pages of a site look, as the site chooses: its logo, its colour, and links at their foot.

use std::collections::BTreeMap;

/// What is around every page beside its name and its language.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// The address of a stylesheet with the colours of the site.
    pub(crate) stylesheet: Option<String>,
    /// The address of the logo.
    pub(crate) logo: Option<String>,
    /// Links at the foot of the page.
    pub(crate) links: Vec<FootLink>,
}

/// A link at the foot of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FootLink {
    /// What people read.
    pub(crate) label: String,
    /// The same in other languages, by their tags.
    pub(crate) languages: BTreeMap<String, String>,
    /// Where it leads.
    pub(crate) address: String,
}

impl FootLink {
    /// What people read in the language `tag`.
    pub(super) fn label(&self, tag: &str) -> &str {
        self.languages.get(tag).unwrap_or(&self.label)
    }
}
