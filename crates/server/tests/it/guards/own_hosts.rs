//! Guards with a host of their own: what an API sends may run in browsers there, and nothing of ours is
//! there (`docs/rules.md` rule 37).

use http::Response;

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::DOCUMENTS,
    upstream::Recorder,
    wire::Ask,
};

const OPERATIONS: &str = "public = [\"*\"]\n[guard.operations]\n\
                          \"GET /page\" = \"Query:Page:Get\"\n\"GET /\" = \"Query:Page:Get\"\n";

fn guard(name: &str, upstream: &str, more: &str) -> String {
    format!(
        "[[guard]]\nname = \"{name}\"\npath = \"/files\"\nprotocol = \"http\"\n\
         audience = \"{name}\"\nupstream = \"{upstream}\"\n{more}{OPERATIONS}"
    )
}

async fn stage() -> (Recorder, Castellan) {
    let api = Recorder::start().await;
    let page = Response::builder()
        .header("content-type", "text/html")
        .header("set-cookie", "theme=dark; Path=/")
        .header("set-cookie", "wide=1; Domain=localhost")
        .header("set-cookie", "wider=1; domain = .files.localhost")
        .header("content-security-policy", "script-src 'self'");
    api.answer_with(page.body("<script src=x.js></script>".to_owned()).unwrap());
    let own = guard("own", &api.url, "host = '^files\\.localhost$'\nown_host = true\n");
    let shared = guard("shared", &api.url, "");
    let config = format!("{own}{shared}");
    let documents = DOCUMENTS.to_owned();
    (api, Castellan::start(Plan { config, documents, ..Plan::default() }).await)
}

#[tokio::test]
async fn pages_and_cookies_pass_on_a_host_of_their_own_alone() {
    let (api, castellan) = stage().await;
    let ask = |host: &str| Ask::get(&castellan.at("/files/page")).header("host", host);
    let answer = ask("files.localhost").send().await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, "<script src=x.js></script>"));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(answer.header("content-security-policy"), Some("script-src 'self'"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["theme=dark; Path=/"], "none is for other hosts as well");
    api.seen();
    for host in ["localhost", "files.localhost.", "xfiles.localhost"] {
        let answer = ask(host).send().await;
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (502, None), "{host}");
    }
}

#[tokio::test]
async fn the_api_gets_its_own_cookies_back_and_none_of_ours() {
    let (api, castellan) = stage().await;
    let browser = Browser::as_ann(&castellan).await;
    let jar = format!("{}; theme=dark; IBX_SESSION_ID1=x; a=b", browser.jar());
    for (host, cookies) in [("Files.LOCALHOST:80", Some("theme=dark; a=b")), ("localhost", None)] {
        let ask = Ask::get(&castellan.at("/files/page")).header("host", host);
        ask.header("cookie", &jar).header("authorization", "Basic eDp5").send().await;
        let seen = api.seen();
        let [one] = &*seen else { panic!("{host}: {seen:?}") };
        let said = one.headers.get("cookie").map(|value| value.to_str().unwrap());
        assert_eq!(said, cookies, "{host}");
        assert!(!one.headers.contains_key("authorization"), "{host}");
    }
}

#[tokio::test]
async fn nothing_of_ours_is_on_the_host_of_an_api() {
    let (_, castellan) = stage().await;
    for path in ["/auth/login", "/account", "/", "/auth/token", "/api", "/.well-known/jwks.json"] {
        let ours = Ask::get(&castellan.at(path)).header("host", "localhost").send().await;
        assert_ne!(ours.status, 404, "{path}");
        let theirs = Ask::get(&castellan.at(path)).header("host", "files.localhost").send().await;
        assert_eq!((theirs.status.as_u16(), theirs.header("set-cookie")), (404, None), "{path}");
    }
}

#[tokio::test]
async fn a_host_of_its_own_can_be_told_from_ours() {
    for (host, part) in [
        ("host = '^.*\\.localhost$'\n", "written out"),
        ("host = '^files.localhost$'\n", "written out"),
        ("host = '^(files|localhost)$'\n", "written out"),
        ("", "written out"),
        ("host = '^LOCALHOST$'\n", "the host of the pages of site"),
    ] {
        let config = guard("own", "http://127.0.0.1:9/", &format!("{host}own_host = true\n"));
        let said = Castellan::refuses(Plan { config, ..Plan::default() }).await;
        assert!(said.contains(part), "{host}: {said}");
    }
    let (_, castellan) = stage().await;
    let said = castellan.said(&["config", "check"]);
    assert!(said.contains("has a host of its own"), "{said}");
    assert!(said.contains("shares its host with pages"), "{said}");
}
