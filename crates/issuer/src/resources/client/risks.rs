//! What a `Client` document may say and seldom should: codes without PKCE, and redirect URIs that let
//! others have the answer.

use castellan_proto::RedirectUri;

use crate::records::{Client, GrantName};

/// Whether codes of `client` can be redeemed without PKCE. A public client always needs it.
fn lacks_pkce(client: &Client) -> bool {
    let code = client.grants.get(&GrantName::AUTHORIZATION_CODE);
    code.is_some_and(|code| code.pkce == Some(false)) && !client.is_public()
}

/// What an administrator should hear of `client`.
pub(super) fn warnings(client: &Client) -> Vec<String> {
    let mut found = Vec::new();
    if lacks_pkce(client) {
        found.push(
            "auth.authorization_code.pkce: PKCE is not required, so whoever steals a code can use it \
             in a session of their own (RFC 9700 section 2.1.1); set pkce: true, and have the app \
             send a code_challenge"
                .to_owned(),
        );
    }
    let answers = client.redirect_uris.iter().map(|uri| ("redirect_uris", uri));
    let sign_outs =
        client.post_logout_redirect_uris.iter().map(|uri| ("post_logout_redirect_uris", uri));
    for (member, uri) in answers.chain(sign_outs) {
        found.extend(risk(uri).map(|risk| format!("{member}: {} {risk}", uri.as_str())));
    }
    found
}

/// What is wrong with sending an answer to `uri`.
fn risk(uri: &RedirectUri) -> Option<&'static str> {
    if uri.as_str().contains('*') {
        return Some(
            "contains a *, which is not a wildcard here: redirect URIs are compared character by \
             character; list each of them",
        );
    }
    match uri.scheme().as_str() {
        "https" => {}
        "http" if uri.is_local() => {}
        "http" => {
            return Some(
                "is not encrypted, so anybody on the way can read the answer (RFC 9700 section 2.6); \
                 use https",
            );
        }
        scheme if scheme.contains('.') => {}
        _ => {
            return Some(
                "has a scheme that any other app on the device may claim (RFC 8252 section 7.1); use \
                 https, or a scheme made of a domain name of yours, such as org.example.app",
            );
        }
    }
    uri.names_another().then_some(
        "has an address in its query: if the page redirects there, answers go there too (RFC 9700 \
         section 4.11.1); register a page that redirects nowhere else",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lets_others_have_the_answer_is_warned_of() {
        for (uri, said) in [
            ("https://app.example.org/callback", None),
            ("https://app.example.org/callback?tenant=a&page=/next", None),
            ("http://localhost:3000/callback", None),
            ("http://127.0.0.1/callback", None),
            ("http://[::1]/callback", None),
            ("org.example.app:/callback", None),
            ("https://*.example.org/callback", Some("not a wildcard")),
            ("https://app.example.org/*", Some("not a wildcard")),
            ("http://app.example.org/callback", Some("not encrypted")),
            ("http://localhost.example.org/callback", Some("not encrypted")),
            ("myapp://callback", Some("any other app")),
            ("myapp:/callback", Some("any other app")),
            ("https://app.example.org/go?to=https://other.example.org", Some("in its query")),
            ("https://app.example.org/go?to=%2F%2Fother.example.org", Some("in its query")),
        ] {
            let found = risk(&RedirectUri::try_from(uri.to_owned()).unwrap());
            match said {
                None => assert_eq!(found, None, "{uri}"),
                Some(said) => assert!(found.is_some_and(|text| text.contains(said)), "{uri}"),
            }
        }
    }
}
