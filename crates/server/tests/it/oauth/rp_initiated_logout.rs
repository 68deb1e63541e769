//! Signing out at an app's request (OpenID Connect RP-Initiated Logout 1.0).

use castellan_proto::jose::{Algorithm, SigningKey};
use serde_json::json;

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, DOCUMENTS, assert_refused, text},
    jose::claims,
    wire::{Answer, Ask},
};

const BYE: &str = "https://bye.test/gone?kept=1";
const MORE: &str = r#"
---
resourceType: User
id: bea
userName: bea
password: pw-bea
---
resourceType: Client
id: bye
secret: s3cr3t-bye
first_party: true
grant_types: [authorization_code]
scope: [openid]
redirect_uris: ["https://bye.test/cb"]
post_logout_redirect_uris: ["https://bye.test/gone?kept=1"]
"#;

struct Stage {
    castellan: Castellan,
    ann: Browser,
    /// Of Ann, for `bye`.
    id_token: String,
    access_token: String,
}

impl Stage {
    async fn start() -> Self {
        let castellan = Castellan::with_documents(&format!("{DOCUMENTS}{MORE}")).await;
        let mut ann = Browser::as_ann(&castellan).await;
        let asking = Asking::of("bye", "https://bye.test/cb").with("scope", "openid");
        let code = ann.code(&castellan, &asking).await;
        let tokens = castellan
            .redeem(&code, &[("client_id", "bye"), ("client_secret", "s3cr3t-bye")])
            .await
            .json();
        let token = |name| text(&tokens, name).to_owned();
        let (id_token, access_token) = (token("id_token"), token("access_token"));
        Self { castellan, ann, id_token, access_token }
    }

    fn at(&self, pairs: &[(&str, &str)]) -> String {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.castellan.at(&format!("/auth/logout?{query}"))
    }

    async fn is_signed_in(&mut self) -> bool {
        self.ann.get(&self.castellan.at("/account")).await.status == 200
    }
}

fn assert_back(answer: &Answer, state: &str) {
    assert_eq!(answer.status, 302, "{answer:?}");
    assert_eq!(answer.location(), format!("{BYE}&state={state}"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_app_that_shows_whom_it_means_signs_them_out() {
    let mut stage = Stage::start().await;
    let discovered =
        Ask::get(&stage.castellan.at("/.well-known/openid-configuration")).send().await;
    assert_eq!(discovered.json()["end_session_endpoint"], stage.castellan.at("/auth/logout"));
    let jar = stage.ann.jar();
    let url = stage.at(&[
        ("id_token_hint", &stage.id_token),
        ("post_logout_redirect_uri", BYE),
        ("state", "a b&c"),
    ]);
    let answer = stage.ann.get(&url).await;
    assert_back(&answer, "a%20b%26c");
    assert!(!stage.is_signed_in().await);
    // The session is over, not only its cookie.
    let account = Ask::get(&stage.castellan.at("/account")).header("cookie", &jar).send().await;
    assert_eq!(account.header("location"), Some("/auth/login"));
    let again = stage.ann.get(&url).await;
    assert_back(&again, "a%20b%26c");
}

#[tokio::test]
async fn whom_an_app_does_not_mean_is_asked_first() {
    let mut stage = Stage::start().await;
    let (other, _) = SigningKey::generate(Algorithm::Rs256).unwrap();
    let mut forged = claims(&stage.id_token);
    forged["aud"] = json!("bye");
    let forged = other.sign("JWT", &forged).unwrap();
    let named = [("client_id", "bye"), ("post_logout_redirect_uri", BYE), ("state", "s")];
    let hinted = |hint| [&[("id_token_hint", hint)][..], &named].concat();
    let access = stage.access_token.clone();
    let (of_no_key, of_access) = (hinted(&*forged), hinted(&*access));
    let junk = hinted("junk");
    for pairs in [&named[..], &of_no_key, &of_access, &junk] {
        let page = stage.ann.get(&stage.at(pairs)).await;
        assert_eq!(page.status, 200, "{page:?}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.ends_with("form-action 'self' https://bye.test"), "{policy}");
        assert!(stage.is_signed_in().await);
    }
    // Somebody else's ID token does not speak for Ann.
    let mut bea = Browser::default();
    let begun = bea.get(&stage.castellan.at("/auth/login")).await;
    bea.sign_in(&stage.castellan, &begun, ("bea", "pw-bea")).await;
    let url = stage.at(&[("id_token_hint", &stage.id_token), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(bea.get(&url).await.status, 200);
    assert_eq!(bea.get(&stage.castellan.at("/account")).await.status, 200);

    let form = stage.ann.get(&stage.at(&named)).await;
    let csrf = form.hidden("csrf").unwrap();
    assert_eq!(form.hidden("state").as_deref(), Some("s"));
    let answered = [&[("csrf", &*csrf)][..], &named].concat();
    let answer = stage.ann.post(&stage.castellan.at("/auth/logout"), &answered).await;
    assert_back(&answer, "s");
    assert!(!stage.is_signed_in().await);
}

#[tokio::test]
async fn a_form_of_an_app_leads_to_the_question() {
    let mut stage = Stage::start().await;
    let pairs = [("client_id", "bye"), ("post_logout_redirect_uri", BYE), ("state", "s")];
    let ask = Ask::post(&stage.castellan.at("/auth/logout")).form(&pairs);
    let answer = ask.header("origin", "https://bye.test").send().await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let page = stage.ann.get(&stage.castellan.at(answer.location())).await;
    assert_eq!(page.hidden("post_logout_redirect_uri").as_deref(), Some(BYE));
    assert!(stage.is_signed_in().await);
}

#[tokio::test]
async fn case_23_nobody_is_sent_where_no_app_has_its_people_sent() {
    let mut stage = Stage::start().await;
    let hint = stage.id_token.clone();
    for uri in [
        "https://evil.test/",
        "https://bye.test/gone",
        "https://bye.test/gone?kept=1&more=1",
        "https://bye.test/cb",
        "javascript:alert(1)",
        "//evil.test",
    ] {
        for mut pairs in [vec![("id_token_hint", &*hint)], vec![("client_id", "bye")]] {
            pairs.push(("post_logout_redirect_uri", uri));
            let answer = stage.ann.get(&stage.at(&pairs)).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None), "{uri}");
            let machine = Ask::get(&stage.at(&pairs)).send().await;
            assert_refused(&machine, 400, "invalid_request");
        }
    }
    let bye = ("post_logout_redirect_uri", BYE);
    for pairs in [
        vec![bye],
        vec![bye, ("client_id", "nobody")],
        vec![bye, ("client_id", "portal")],
        vec![bye, ("id_token_hint", "junk")],
        vec![bye, ("id_token_hint", &hint), ("client_id", "portal")],
        vec![("id_token_hint", &hint), ("client_id", "portal")],
    ] {
        let answer = stage.ann.get(&stage.at(&pairs)).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None), "{pairs:?}");
    }
    assert!(stage.is_signed_in().await, "what is refused changes nothing");
}
