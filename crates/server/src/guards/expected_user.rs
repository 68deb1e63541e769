//! `X-Expected-User`: whom a request is meant for (`docs/contracts/ibexa.md` §1). A page that was
//! loaded as one person must not act as another who has signed in meanwhile.

use axum::http::{HeaderMap, HeaderName};
use castellan_gate::Caller;

use crate::wire::guard_refusal::GuardRefusal;

const EXPECTED_USER: HeaderName = HeaderName::from_static("x-expected-user");

/// Refuses a request with `headers` that names another login than the caller's; an empty one names
/// nobody.
pub(super) fn check(headers: &HeaderMap, caller: &Caller) -> Result<(), GuardRefusal> {
    let person = caller.identity().and_then(|identity| identity.person.as_ref());
    let login = person.and_then(|person| person.nickname.as_deref());
    let mut expected = headers.get_all(EXPECTED_USER).iter().filter(|name| !name.is_empty());
    let is_so = expected.all(|name| login.is_some_and(|login| name.as_bytes() == login.as_bytes()));
    if is_so { Ok(()) } else { Err(GuardRefusal::OtherUser) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use castellan_gate::{Identity, Person};

    use super::*;

    #[test]
    fn the_login_is_the_same_text_or_there_is_none() {
        let person = Person { nickname: Some("ann".to_owned()), ..Person::default() };
        let ann = Caller::known(Identity { person: Some(person), ..Identity::default() });
        let app = Caller::known(Identity::default());
        for (names, caller, is_so) in [
            (&[][..], &ann, true),
            (&["ann"], &ann, true),
            (&[""], &ann, true),
            (&["", "ann"], &ann, true),
            (&["Ann"], &ann, false),
            (&["bob"], &ann, false),
            (&["ann", "bob"], &ann, false),
            (&[], &Caller::NOBODY, true),
            (&[""], &Caller::NOBODY, true),
            (&["ann"], &Caller::NOBODY, false),
            (&["ann"], &app, false),
        ] {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append(EXPECTED_USER, HeaderValue::from_static(name));
            }
            assert_eq!(check(&headers, caller).is_ok(), is_so, "{names:?}");
        }
    }
}
