//! The Granted Authorizations API (`docs/contracts/curity.md` §9).

use serde_json::json;

use super::support::{GRANTED, GROUPS, asked, assert_refused, data, serving, token};

#[tokio::test]
async fn exactly_one_name_of_the_owner_is_required() {
    let castellan = serving(GROUPS, "").await;
    let token = token(&castellan, "admin").await;
    for (arguments, is_good) in [
        ("(owner: \"user\")", true),
        ("(username: \"User\")", true),
        ("(owner: \"user\", username: \"user\")", false),
        ("(first: 1)", false),
    ] {
        let query =
            format!("{{grantedAuthorizationsByOwner{arguments} {{totalCount warnings {{type}}}}}}");
        let answer = asked(&castellan, GRANTED, &token, &query).await;
        if is_good {
            let read = json!({"totalCount": 0, "warnings": null});
            assert_eq!(data(&answer)["grantedAuthorizationsByOwner"], read);
        } else {
            assert_refused(&answer, 200, "ValidationError");
        }
    }
    for input in ["", "(input: null)", "(input: {})"] {
        let query = format!("mutation {{revokeGrantedAuthorizationsByOwner{input} {{success}}}}");
        let answer = asked(&castellan, GRANTED, &token, &query).await;
        assert_eq!(answer.json()["data"], json!({"revokeGrantedAuthorizationsByOwner": null}));
        assert_eq!(answer.json()["errors"][0]["extensions"]["classification"], "ValidationError");
    }
}
