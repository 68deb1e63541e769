//! Which names of accounts people sign in with, and passing over those by which lists are made.

use crate::store::{NameEnd, NameQuery};

/// Whether somebody can sign in with `name`. The other names of accounts begin with capital letters,
/// which no login name has.
pub(super) fn is_login_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// Goes on after all of the names that are not login names, once the first of them are there: an account
/// has as many of them as it has groups. Those of lists end with a space, and no login name does.
pub(super) fn skip_listing_names(query: &mut NameQuery) {
    let Some(after) = &mut query.after else { return };
    match query.end {
        NameEnd::Start if !is_login_name(after) => "Z\u{10ffff}".clone_into(after),
        NameEnd::Finish if after.ends_with(' ') => "\u{10ffff} ".clone_into(after),
        _ => {}
    }
}
