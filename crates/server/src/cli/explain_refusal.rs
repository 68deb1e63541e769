//! Requests that a guard refused before its gate decided: the cause, and what to do.

use castellan_gate::{CallerSummary, FieldExplanation, Reason};

/// Why a guard refused a request.
pub(super) struct Refusal {
    pub(super) cause: String,
    pub(super) remedy: String,
}

/// What is said of `field`, which `caller` was refused; `None` if the gate decided it.
pub(super) fn of(field: &FieldExplanation, caller: &CallerSummary) -> Option<Refusal> {
    let (cause, remedy) = match field.reason? {
        Reason::NotMeant => not_meant(&field.field),
        Reason::OtherUser => (
            "X-Expected-User names another person than the one whose credential was sent, or a person \
             where none was valid",
            "sign in again as the person whom the client expects, or send the header with the login of \
             the caller, in the same letter case, or leave it away",
        ),
        Reason::LoginNotPermitted => return Some(login(&field.path, caller)),
        _ => return None,
    };
    Some(Refusal { cause: cause.to_owned(), remedy: remedy.to_owned() })
}

/// By the header that showed it.
fn not_meant(header: &str) -> (&'static str, &'static str) {
    match header {
        "Origin" => (
            "a page of another origin sent it: Origin or Sec-Fetch-Site said so",
            "if pages of that origin may act for people, add it to allowed_origins of the guard; \
             otherwise this was the protection against forged requests",
        ),
        "Content-Type" => (
            "its body has a type that forms send, beside which no session counts",
            "send the body with the content type of the API, such as application/json",
        ),
        _ => (
            "it has a session, but X-CSRF-Token is missing, there twice, or not a token of that session",
            "send the csrfToken of the session, which the answer to the login and GET \
             …/user/sessions/current tell, in the header X-CSRF-Token",
        ),
    }
}

fn login(site_access: &str, caller: &CallerSummary) -> Refusal {
    let who = match &caller.person {
        Some(person) => format!("the person {person}"),
        None => "Anonymous, as which everybody begins who signs in, or the person who signed in,"
            .to_owned(),
    };
    let whose = match &caller.person {
        Some(person) => format!("groups or users for {person}"),
        None => "anonymous = true, or with groups or users for the person".to_owned(),
    };
    Refusal {
        cause: format!("{who} has no permission user/login at the SiteAccess {site_access}"),
        remedy: format!("add {site_access} to login of a Role with {whose}"),
    }
}
