//! Three nodes on one data source behave as one, on every engine; and one that loses its data source
//! says so and comes back.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    oauth::device,
    support::{
        browser::Browser,
        castellan::{Castellan, Plan, free_port},
        fixtures::{Asking, DOCUMENTS, PORTAL, RESOURCE_SERVER, SPA, text},
        tcp_proxy::Cut,
        wire::{Answer, Ask},
    },
};

/// How long a change may take to be known everywhere (`docs/rules.md` rules 28, 29).
const BOUND: Duration = Duration::from_secs(1);
/// How many ask at the same time.
const RACERS: usize = 64;

/// The address in the variable `name`. A test that needs a server does not pass without one.
pub fn address(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: `cargo xtask test` starts a server and sets it")
    })
}

/// Tables of a configuration with the data source at `url`, and a site of its own in it.
pub fn config(url: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let site = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!(
        "[data]\nurl = \"{url}\"\nmaster_key = {{ env = \"CASTELLAN_KEY\" }}\n\
         [[site]]\nname = \"{site}\"\n"
    )
}

/// Nodes of one server.
struct Nodes {
    one: Castellan,
    two: Castellan,
    three: Castellan,
}

impl Nodes {
    async fn start(url: &str) -> Self {
        let config = config(url);
        let issuer = format!("http://localhost:{}", free_port());
        let plan = |documents: &str| Plan {
            config: config.clone(),
            documents: documents.to_owned(),
            environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
            issuer: Some(issuer.clone()),
            ..Plan::default()
        };
        let one = Castellan::start(plan(DOCUMENTS)).await;
        let (two, three) = (Castellan::start(plan("")).await, Castellan::start(plan("")).await);
        Self { one, two, three }
    }

    const fn all(&self) -> [&Castellan; 3] {
        [&self.one, &self.two, &self.three]
    }

    /// The nodes in turn, for the racer of a number.
    fn of(&self, racer: usize) -> &Castellan {
        self.all()[racer % 3]
    }

    /// What each of [`RACERS`] is answered who send the same at once, to the nodes in turn.
    async fn race(&self, path: &str, pairs: &[(&str, &str)]) -> Vec<Answer> {
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..RACERS {
            racers.spawn(Ask::post(&self.of(racer).at(path)).form(pairs).send());
        }
        racers.join_all().await
    }
}

async fn introspect(castellan: &Castellan, token: &str) -> bool {
    let pairs = [&RESOURCE_SERVER[..], &[("token", token)]].concat();
    let answer = Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await;
    answer.json()["active"] == true
}

/// Asserts that `over` holds before [`BOUND`] has passed.
pub async fn within_the_bound(what: &str, mut over: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !over().await {
        assert!(began.elapsed() < BOUND, "{what}, after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A code of one node is redeemed at the other, which refreshes and revokes what the first one then
/// refuses; a session of one is one at the other, and over at both.
async fn they_behave_as_one(url: &str) {
    let nodes = Nodes::start(url).await;
    let mut browser = Browser::default();
    let code = browser.code(&nodes.one, &Asking::portal()).await;
    let answer = nodes.two.redeem(&code, &PORTAL).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tokens = answer.json();
    let token = text(&tokens, "access_token");
    assert!(introspect(&nodes.one, token).await && introspect(&nodes.two, token).await);
    // The session that one node opened is known to the other.
    let again = browser.code(&nodes.two, &Asking::portal()).await;
    let refreshed = nodes.one.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");

    let pairs = [&PORTAL[..], &[("token", token)]].concat();
    let revoked = Ask::post(&nodes.two.at("/auth/revoke")).form(&pairs).send().await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert!(!introspect(&nodes.two, token).await, "at once where it was revoked");
    for other in [&nodes.one, &nodes.three] {
        within_the_bound("a revoked token holds", async || !introspect(other, token).await).await;
    }
    assert_eq!(nodes.one.redeem(&again, &PORTAL).await.status, 200, "another one's are left alone");

    let page = browser.get(&nodes.one.at("/account")).await;
    assert_eq!(page.status, 200, "{page:?}");
    let form = browser.get(&nodes.one.at("/auth/logout")).await;
    let csrf = form.hidden("csrf").unwrap_or_else(|| panic!("no form: {form:?}"));
    browser.post(&nodes.one.at("/auth/logout"), &[("csrf", &csrf)]).await;
    for other in [&nodes.two, &nodes.three] {
        let page = browser.get(&other.at("/account")).await;
        assert_eq!(page.status, 303, "signed out at the others, too: {page:?}");
    }
}

/// A new signing key is known at every node before any of them signs with it.
async fn keys_rotate_without_a_gap(url: &str) {
    let nodes = Nodes::start(url).await;
    let service = [("grant_type", "client_credentials"), ("client_id", "svc")];
    let service = [&service[..], &[("client_secret", "s3cr3t-svc")]].concat();
    let token = async |node: &Castellan| {
        let answer = node.token(&service).await.json();
        text(&answer, "access_token").to_owned()
    };
    let (before, kid) =
        (token(&nodes.one).await, |jwt: &str| crate::support::jose::header(jwt)["kid"].clone());
    nodes.one.said(&["key", "rotate"]);
    // Long enough that the new ones sign, and some more.
    for seconds in [0, 300, 600, 900] {
        for node in nodes.all() {
            node.advance_to(seconds);
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
        let mut kids = Vec::new();
        for issuing in nodes.all() {
            let jwt = token(issuing).await;
            for asked in nodes.all() {
                assert!(introspect(asked, &jwt).await, "{seconds} s later");
            }
            kids.push(kid(&jwt));
        }
        assert!(kids[0] == kids[1] && kids[1] == kids[2], "{seconds} s later: {kids:?}");
    }
    assert_ne!(kid(&token(&nodes.two).await), kid(&before), "the new key signs by now");
}

/// Of 64 that show one code, to three nodes, one gets tokens; of 64 that show one
/// refresh token, all get the same child (`docs/rules.md` rules 31, 32).
async fn one_time_things_stay_one_time(url: &str) {
    let nodes = Nodes::start(url).await;
    let mut browser = Browser::default();
    let code = browser.code(&nodes.one, &Asking::spa()).await;
    let pairs = [("grant_type", "authorization_code"), ("code", &*code)];
    let answers = nodes.race("/auth/token", &[&pairs[..], &SPA].concat()).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert!(good.len() <= 1, "{} were given tokens", good.len());
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.json()["error"], "invalid_grant", "{answer:?}");
    }

    let tokens = nodes.one.tokens(&mut browser, &Asking::spa(), &SPA).await;
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("client_id", "spa"),
    ];
    let answers = nodes.race("/auth/token", &refresh).await;
    let children: std::collections::BTreeSet<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            text(&answer.json(), "refresh_token").to_owned()
        })
        .collect();
    assert_eq!(children.len(), 1, "one generation, and one child");
    a_device_is_answered_once(&nodes).await;
}

async fn a_device_is_answered_once(nodes: &Nodes) {
    let tv = "resourceType: Client\nid: tv\ngrant_types: [device_code]\nscope: [openid]\n";
    assert!(nodes.one.cli_with(&["apply", "-f", "-"], tv).status.success());
    let ask_for_codes =
        |node: &Castellan| Ask::post(&node.at("/auth/device")).form(&[("client_id", "tv")]).send();
    for node in nodes.all() {
        within_the_bound("the app is not known", async || ask_for_codes(node).await.status == 200)
            .await;
    }
    let begun = ask_for_codes(&nodes.one).await.json();
    let agreed = device::answer(&nodes.two, text(&begun, "user_code"), "allow").await;
    assert_eq!(agreed.status, 200, "{agreed:?}");
    let look = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", text(&begun, "device_code")),
        ("client_id", "tv"),
    ];
    let answers = nodes.race("/auth/token", &look).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(good <= 1, "{good} were given tokens");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        let json = answer.json();
        let error = text(&json, "error");
        assert!(matches!(error, "invalid_grant" | "slow_down"), "{answer:?}");
    }
}

/// A node that loses its data source refuses, says that it is not ready, and comes back by itself.
async fn a_lost_data_source_is_told_and_found_again(cut: Cut, url: &str) {
    let castellan = Castellan::start(Plan {
        config: config(url),
        documents: DOCUMENTS.to_owned(),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    })
    .await;
    let service = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    let issued = castellan.token(&service).await.json();
    let token = text(&issued, "access_token");
    cut.cut();
    let mut last = None;
    for _ in 0..200 {
        let ready = Ask::get(&castellan.at("/readyz")).send().await;
        if ready.status == 503 {
            last = Some(ready);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(last.is_some(), "it still says that it is ready");
    let began = Instant::now();
    let refused = castellan.token(&service).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
    assert!(refused.json().get("access_token").is_none(), "{refused:?}");
    let asked = castellan.graphql("/api", Some(token), "{ session { user { id } } }").await;
    assert_eq!(asked.status, 503, "what cannot be told is not let in: {asked:?}");
    assert!(asked.header("retry-after").is_some(), "{asked:?}");
    cut.mend();
    let mut good = Value::Null;
    for _ in 0..200 {
        let answer = castellan.token(&service).await;
        if answer.status == 200 && Ask::get(&castellan.at("/readyz")).send().await.status == 200 {
            good = answer.json();
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(good["access_token"].is_string(), "it does not come back");
}

/// One test of each kind for an engine whose server is named by a variable.
macro_rules! engine {
    ($name:ident, $address:expr, $through:expr) => {
        mod $name {
            #[tokio::test]
            async fn three_nodes_behave_as_one() {
                super::they_behave_as_one(&$address).await;
            }

            #[tokio::test]
            async fn keys_rotate_without_a_gap() {
                super::keys_rotate_without_a_gap(&$address).await;
            }

            #[tokio::test]
            async fn one_time_things_stay_one_time() {
                super::one_time_things_stay_one_time(&$address).await;
            }

            // The line to the server runs beside the test.
            #[tokio::test(flavor = "multi_thread")]
            async fn a_lost_data_source_is_told_and_found_again() {
                let (cut, url) = $through.await;
                super::a_lost_data_source_is_told_and_found_again(cut, &url).await;
            }

            #[tokio::test]
            async fn a_wrong_clock_issues_nothing() {
                crate::operations::clocks::a_wrong_clock_issues_nothing(&$address).await;
            }
        }
    };
}

engine!(
    postgres,
    super::address("CASTELLAN_TEST_POSTGRES"),
    super::through("CASTELLAN_TEST_POSTGRES")
);
engine!(mongodb, super::mongodb("CASTELLAN_TEST_MONGODB"), super::mongodb_through());
engine!(
    dynamodb,
    super::dynamodb(&super::address("CASTELLAN_TEST_DYNAMODB")),
    super::dynamodb_through()
);

/// The same server, reached through something that can be cut.
async fn through(variable: &str) -> (Cut, String) {
    let url = address(variable);
    let authority = url.split("://").nth(1).unwrap();
    let authority = authority.rsplit('@').next().unwrap().split('/').next().unwrap().to_owned();
    let cut = Cut::to(&authority).await;
    let url = url.replace(&authority, &cut.address());
    (cut, url)
}

fn mongodb(variable: &str) -> String {
    format!("{}/nodes", address(variable).trim_end_matches('/'))
}

async fn mongodb_through() -> (Cut, String) {
    let (cut, url) = through("CASTELLAN_TEST_MONGODB").await;
    (cut, format!("{}/nodes", url.trim_end_matches('/')))
}

fn dynamodb(server: &str) -> String {
    format!("dynamodb://local?table=nodes&endpoint={server}")
}

async fn dynamodb_through() -> (Cut, String) {
    let (cut, url) = through("CASTELLAN_TEST_DYNAMODB").await;
    (cut, dynamodb(&url))
}

/// Two processes on one file.
#[tokio::test]
async fn sqlite_nodes_behave_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("shared.db").display());
    they_behave_as_one(&url).await;
    one_time_things_stay_one_time(&url).await;
}

/// A server that is not there yet is waited for if that is asked for, and named if not.
#[tokio::test]
async fn postgres_a_server_that_is_not_there_is_told_or_waited_for() {
    let port = free_port();
    let data = |wait: &str| {
        format!(
            "[data]\nurl = \"postgres://castellan:tiger@127.0.0.1:{port}/x\"\n{wait}\
             master_key = {{ env = \"CASTELLAN_KEY\" }}\n"
        )
    };
    let plan = |wait: &str| Plan {
        config: data(wait),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    };
    let said = Castellan::refuses(plan("")).await;
    let wanted = format!("the data source at postgres://127.0.0.1:{port}/x does not respond");
    assert!(said.contains(&wanted), "{said}");
    assert!(!said.contains("tiger"), "{said}");
    let began = Instant::now();
    Castellan::refuses(plan("wait = \"2s\"\n")).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "it waited {:?}", began.elapsed());
}
