//! Metrics as Prometheus reads them (`docs/metrics.md`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan, free_port},
    fixtures::{ANN, Asking, DOCUMENTS, PORTAL, SPA, text},
    upstream::Recorder,
    wire::{Answer, Ask},
};

const SCHEMA: &str = "type Query { songs: [String] person: String }\n\
                      type Mutation { createPerson(name: String): ID }\n";
/// The document of all metrics.
const DOCUMENT: &str = include_str!("../../../../../docs/metrics.md");
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics");
/// Series of this configuration at most: one site, three guards.
const MOST_SERIES: usize = 600;

/// A server with three guards, and where its metrics are.
struct Stage {
    castellan: Castellan,
    api: Recorder,
    port: u16,
    metrics: String,
}

impl Stage {
    async fn start() -> Self {
        let (api, port, gone) = (Recorder::start().await, free_port(), free_port());
        api.answer(r#"{"data":{"songs":[]}}"#);
        let config = format!(
            "[metrics]\nlisten = \"127.0.0.1:{port}\"\n\
             [jwt]\nsecret = {{ env = \"TRADE\" }}\n\
             [[guard]]\nname = \"songs\"\npath = \"/songs\"\nupstream = \"{url}\"\n\
             schema = \"songs.graphql\"\npublic = [\"Query:songs:*\"]\n\
             [[guard]]\nname = \"gone\"\npath = \"/gone\"\nupstream = \"http://127.0.0.1:{gone}/\"\n\
             schema = \"songs.graphql\"\npublic = [\"Query:*\"]\n\
             [[guard]]\nname = \"shop\"\npath = \"/shop\"\nprotocol = \"http\"\nupstream = \"{url}\"\n\
             public = [\"Query:Order:List\"]\n[guard.operations]\n\
             \"GET /orders\" = \"Query:Order:List\"\n\"DELETE /orders/{{id}}\" = \"Mutation:Order:Delete\"\n",
            url = api.url
        );
        let castellan = Castellan::start(Plan {
            config,
            documents: DOCUMENTS.to_owned(),
            environment: vec![("TRADE", "a secret of thirty-two bytes....".to_owned())],
            files: vec![("songs.graphql", SCHEMA.to_owned())],
            ..Plan::default()
        })
        .await;
        let metrics = format!("http://127.0.0.1:{port}/metrics");
        Self { castellan, api, port, metrics }
    }

    async fn scrape(&self) -> Scrape {
        let answer = Ask::get(&self.metrics).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Scrape::read(&answer.body)
    }

    async fn machine(&self) -> String {
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_id", "svc"),
            ("client_secret", "s3cr3t-svc"),
        ];
        let answer = self.castellan.token(&pairs).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        text(&answer.json(), "access_token").to_owned()
    }

    /// Requests of every kind: to guards, to the token endpoint, to pages and to nothing at all.
    async fn run(&self) {
        let castellan = &self.castellan;
        let token = self.machine().await;
        for (path, query) in [
            ("/songs", "{ songs }"),
            ("/songs", "{ songs person }"),
            ("/songs", "mutation { createPerson(name: \"A\") }"),
            ("/songs", "{ nothing }"),
            ("/songs", "{"),
            ("/gone", "{ songs }"),
            ("/nowhere", "{ songs }"),
        ] {
            castellan.graphql(path, None, query).await;
            castellan.graphql(path, Some(&token), query).await;
            castellan.graphql(path, Some("csl_guess"), query).await;
        }
        for (method, path) in
            [("GET", "/orders"), ("DELETE", "/orders/7"), ("PUT", "/orders/7"), ("GET", "/else")]
        {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let ask = || Ask::new(method.clone(), &castellan.at(&format!("/shop{path}")));
            ask().send().await;
            ask().bearer(&token).send().await;
        }
        let tokens = castellan.tokens(&mut Browser::default(), &Asking::spa(), &SPA).await;
        let answer = castellan.refresh(text(&tokens, "refresh_token"), &SPA).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        castellan.portal_tokens().await;
        castellan.redeem("guess", &PORTAL).await;
        castellan.token(&[("grant_type", "client_credentials"), ("client_id", "svc")]).await;
        castellan.token(&[("grant_type", "password")]).await;
        castellan.token(&[("grant_type", "urn:example:made-up")]).await;
        castellan.token(&[]).await;
        let body = json!({"id": "none", "apiKey": "none", "scopes": ["*"]});
        Ask::post(&castellan.at("/jwt")).json(&body).send().await;
        fail_to_sign_in(castellan).await;
        for path in ["/readyz", "/auth/userinfo", "/User", "/.well-known/openid-configuration"] {
            Ask::get(&castellan.at(path)).send().await;
        }
    }
}

/// Ann's name with another password.
async fn fail_to_sign_in(castellan: &Castellan) {
    let mut browser = Browser::default();
    let begun = browser.get(&Asking::spa().at(castellan)).await;
    let answer = browser.sign_in(castellan, &begun, (ANN.0, "wrong")).await;
    assert!(answer.body.contains("Incorrect username or password"), "{answer:?}");
}

/// What was read: the samples by name and labels, and the types by name.
struct Scrape {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(said) = line.strip_prefix("# TYPE ") {
                let (name, kind) = said.split_once(' ').unwrap();
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
            }
        }
        Self { samples, types }
    }

    /// The value of `series`, which is there.
    fn value(&self, series: &str) -> f64 {
        let found = self.samples.get(&format!("castellan_{series}"));
        *found.unwrap_or_else(|| panic!("no {series} in {:#?}", self.samples.keys()))
    }

    fn series(&self) -> BTreeSet<&str> {
        self.samples.keys().map(String::as_str).collect()
    }
}

/// The rows of a table of the document, as their cells without marks.
fn rows(part: &str) -> Vec<Vec<String>> {
    let (_, rest) = DOCUMENT.split_once(&format!("<!-- {part} -->\n")).unwrap();
    let (table, _) = rest.split_once("<!-- /").unwrap();
    let cells = |row: &str| {
        row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    table.lines().skip(2).map(cells).collect()
}

fn is_close(value: f64, wanted: u32) -> bool {
    (value - f64::from(wanted)).abs() < f64::EPSILON
}

/// Needs the package `prometheus` of Debian, which `cargo xtask test` installs.
#[tokio::test]
async fn promtool_reads_metrics_after_every_kind_of_request() {
    let stage = Stage::start().await;
    stage.run().await;
    let answer = Ask::get(&stage.metrics).send().await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let mut promtool = Command::new("/usr/bin/promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs promtool");
    promtool.stdin.take().unwrap().write_all(answer.body.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let said = (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned());
    assert_eq!(said, (true, String::new()), "{}", answer.body);
}

#[tokio::test]
async fn promtool_reads_the_files_of_the_document() {
    for (kind, file) in [("rules", "alerts.yml"), ("config", "prometheus.yml")] {
        let file = Path::new(DOCS).join(file);
        let mut promtool = Command::new("/usr/bin/promtool");
        let said = promtool.args(["check", kind]).arg(file).output();
        let said = said.expect("this test needs promtool");
        assert!(said.status.success(), "{said:?}");
    }
    let alerts = std::fs::read_to_string(Path::new(DOCS).join("alerts.yml")).unwrap();
    let known: Vec<String> = rows("metrics").into_iter().map(|row| row[0].clone()).collect();
    for word in alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let is_metric = word.starts_with("castellan_");
        assert!(!is_metric || known.iter().any(|name| name == word), "no metric {word}");
    }
}

#[tokio::test]
async fn what_happened_is_what_is_counted() {
    let stage = Stage::start().await;
    stage.run().await;
    let scrape = stage.scrape().await;
    let site = "site=\"default\"";
    for (series, wanted) in [
        // Of each document in turn: without a token, with one, with a wrong one.
        ("requests_total{SITE,guard=\"songs\",verdict=\"allowed\"}", 5),
        ("requests_total{SITE,guard=\"songs\",verdict=\"partial\"}", 2),
        ("requests_total{SITE,guard=\"songs\",verdict=\"denied\"}", 2),
        ("requests_total{SITE,guard=\"songs\",verdict=\"refused\"}", 6),
        ("requests_total{SITE,guard=\"songs\",verdict=\"unanswered\"}", 0),
        ("requests_total{SITE,guard=\"shop\",verdict=\"allowed\"}", 2),
        ("requests_total{SITE,guard=\"shop\",verdict=\"denied\"}", 2),
        ("requests_total{SITE,guard=\"shop\",verdict=\"refused\"}", 4),
        ("denials_total{SITE,guard=\"shop\",reason=\"no_credential\"}", 1),
        ("denials_total{SITE,guard=\"shop\",reason=\"token_scope\"}", 1),
        ("upstream_seconds_count{SITE,guard=\"shop\",outcome=\"answered\"}", 2),
        ("upstream_seconds_count{SITE,guard=\"gone\",outcome=\"answered\"}", 0),
        ("tokens_total{SITE,grant=\"authorization_code\",outcome=\"issued\"}", 2),
        ("tokens_total{SITE,grant=\"authorization_code\",outcome=\"refused\"}", 1),
        ("tokens_total{SITE,grant=\"refresh_token\",outcome=\"issued\"}", 1),
        ("tokens_total{SITE,grant=\"client_credentials\",outcome=\"issued\"}", 1),
        ("tokens_total{SITE,grant=\"client_credentials\",outcome=\"refused\"}", 1),
        ("tokens_total{SITE,grant=\"password\",outcome=\"refused\"}", 1),
        ("tokens_total{SITE,grant=\"other\",outcome=\"refused\"}", 2),
        ("tokens_total{SITE,grant=\"api_key\",outcome=\"refused\"}", 1),
        ("sign_ins_total{SITE,outcome=\"success\"}", 2),
        ("sign_ins_total{SITE,outcome=\"failure\"}", 1),
        ("audit_events_total{SITE,kind=\"sign_in\",outcome=\"failure\"}", 1),
        ("audit_events_dropped_total{SITE}", 0),
        ("guard_ready{SITE,guard=\"songs\"}", 1),
        ("ready{check=\"store\"}", 1),
        ("ready{check=\"writes\"}", 1),
        ("ready{check=\"clock\"}", 1),
        ("queue_limit{SITE,queue=\"audit\"}", 8_192),
        ("passwords_waiting", 0),
        ("store_errors_total{verb=\"insert\"}", 0),
    ] {
        let value = scrape.value(&series.replace("SITE", site));
        assert!(is_close(value, wanted), "{series} is {value}, not {wanted}");
    }
    let failed = format!("upstream_seconds_count{{{site},guard=\"gone\",outcome=\"failed\"}}");
    assert!(scrape.value(&failed) >= 1.0);
    for verb in ["get_many", "insert", "feed", "take"] {
        assert!(scrape.value(&format!("store_seconds_count{{verb=\"{verb}\"}}")) >= 1.0, "{verb}");
    }
    assert!(scrape.value(&format!("feed_lag_seconds{{{site}}}")) < 5.0);
    let age = format!("signing_key_age_seconds{{{site},use=\"access\",alg=\"ES256\"}}");
    assert!((0.0..86_400.0).contains(&scrape.value(&age)));
    let origin = stage.api.url.trim_end_matches('/');
    assert!(is_close(scrape.value(&format!("upstream_up{{upstream=\"{origin}\"}}")), 1));
    assert!(is_close(scrape.value(&format!("upstream_requests{{upstream=\"{origin}\"}}")), 0));
}

#[tokio::test]
async fn the_document_has_every_metric_and_every_value() {
    let stage = Stage::start().await;
    stage.run().await;
    let scrape = stage.scrape().await;
    let documented: BTreeMap<String, String> =
        rows("metrics").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let types = scrape.types.iter().map(|(name, kind)| (name.clone(), kind.clone()));
    let as_shown = |(name, kind): (String, String)| {
        let kind = if name == "castellan_build_info" { "info".to_owned() } else { kind };
        (name, kind)
    };
    assert_eq!(types.map(as_shown).collect::<BTreeMap<_, _>>(), documented);
    let values = rows("values");
    for series in scrape.series() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        for label in labels.trim_end_matches('}').split(',').filter(|one| !one.is_empty()) {
            let (label, value) = label.split_once('=').unwrap();
            let mut rows = values.iter().filter(|row| row[0] == label && name.starts_with(&row[1]));
            let is_known =
                |row: &Vec<String>| row[2].split(", ").any(|one| one == value.trim_matches('"'));
            let by_name = ["site", "guard", "upstream", "version", "use", "alg", "le"]
                .contains(&label)
                || name == "castellan_queue_limit"
                || name == "castellan_store_errors_total";
            assert!(by_name || rows.any(is_known), "{series}");
        }
    }
}

#[tokio::test]
async fn ten_thousand_hostile_requests_add_no_series() {
    const REQUESTS: usize = 10_000;
    const AT_A_TIME: usize = 16;
    let stage = Stage::start().await;
    stage.run().await;
    let before = stage.scrape().await;
    let began = Instant::now();
    let url = stage.castellan.url.replace("localhost", "127.0.0.1");
    let mut senders = JoinSet::new();
    for sender in 0..AT_A_TIME {
        let url = url.clone();
        senders.spawn(async move {
            for at in (sender..REQUESTS).step_by(AT_A_TIME) {
                hostile(&url, at).await;
            }
        });
    }
    while senders.join_next().await.is_some() {}
    assert!(began.elapsed() < Duration::from_mins(4), "{:?}", began.elapsed());
    let after = stage.scrape().await;
    assert_eq!(after.series(), before.series());
    assert!(after.series().len() < MOST_SERIES, "{}", after.series().len());
    let refused = "tokens_total{site=\"default\",grant=\"other\",outcome=\"refused\"}";
    assert!(after.value(refused) >= before.value(refused) + 1_000.0);
}

/// A request with something of the caller's own in every place that a label could come from.
async fn hostile(url: &str, at: usize) -> Option<Answer> {
    let odd = format!("x{at}%22%7D%0A");
    let ask = match at % 8 {
        0 => Ask::post(&format!("{url}/auth/token"))
            .form(&[("grant_type", &*odd), ("client_id", &*odd)]),
        1 => Ask::post(&format!("{url}/auth/token")).form(&[
            ("grant_type", "password"),
            ("client_id", &*odd),
            ("username", &*odd),
            ("password", &*odd),
        ]),
        2 => Ask::post(&format!("{url}/songs"))
            .bearer(&format!("csl_{at}"))
            .json(&json!({"query": format!("{{ a{at}: person f{at} }}"), "operationName": odd})),
        3 => Ask::new(Method::DELETE, &format!("{url}/shop/orders/{odd}")),
        4 => Ask::new(
            Method::from_bytes(format!("M{at}").as_bytes()).unwrap(),
            &format!("{url}/shop/{odd}"),
        ),
        5 => Ask::get(&format!("{url}/{odd}?{odd}")).header("host", &format!("h{at}.test")),
        6 => Ask::post(&format!("{url}/jwt"))
            .json(&json!({"id": odd, "apiKey": odd, "scopes": [odd]})),
        _ => Ask::post(&format!("{url}/songs"))
            .header("x-site", &odd)
            .json(&json!({"query": format!("mutation M{at} {{ createPerson }}")})),
    };
    ask.try_send().await
}

#[tokio::test]
async fn openmetrics_is_for_those_who_ask_for_it() {
    let stage = Stage::start().await;
    let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let answer = Ask::get(&stage.metrics).header("accept", prometheus).send().await;
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(open));
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
    assert!(answer.body.contains("# TYPE castellan_requests counter\n"), "{}", answer.body);
    assert!(answer.body.contains("# TYPE castellan_build info\n"), "{}", answer.body);
    for (method, url, status) in [
        (Method::POST, stage.metrics.clone(), 405),
        (Method::HEAD, stage.metrics.clone(), 200),
        (Method::GET, stage.metrics.replace("/metrics", "/"), 404),
        (Method::GET, stage.metrics.replace("/metrics", "/readyz"), 404),
        // Nor are metrics where everything else is.
        (Method::GET, stage.castellan.at("/metrics"), 404),
    ] {
        let answer = Ask::new(method.clone(), &url).send().await;
        assert_eq!(answer.status, status, "{method} {url}: {answer:?}");
    }
}

#[tokio::test]
async fn open_connections_are_shown() {
    let stage = Stage::start().await;
    let address = stage.castellan.url.replace("http://localhost", "127.0.0.1");
    let _open = [TcpStream::connect(&address), TcpStream::connect(&address)];
    let mut seen = 0.0;
    for _ in 0..100 {
        seen = stage.scrape().await.value("connections");
        // That by which the test saw that the server is ready may be open for a while.
        if is_close(seen, 2) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(is_close(seen, 2), "{seen}");
}

#[tokio::test]
async fn guards_go_on_counting_through_a_reload() {
    let stage = Stage::start().await;
    let castellan = &stage.castellan;
    castellan.graphql("/songs", None, "{ songs }").await;
    let file = castellan.path("castellan.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let more = "[[guard]]\nname = \"new\"\npath = \"/new\"\nupstream = \"http://127.0.0.1:1/\"\n\
                schema = \"songs.graphql\"\n";
    let config = config.replace("[\"Query:songs:*\"]", "[\"Query:*\"]") + more;
    std::fs::write(&file, &config).unwrap();
    castellan.said(&["reload"]);
    castellan.graphql("/songs", None, "{ songs person }").await;
    let scrape = stage.scrape().await;
    let site = "site=\"default\"";
    let allowed = format!("requests_total{{{site},guard=\"songs\",verdict=\"allowed\"}}");
    assert!(is_close(scrape.value(&allowed), 2));
    assert!(is_close(scrape.value(&format!("guard_ready{{{site},guard=\"new\"}}")), 1));
    let moved = config.replace(&format!("127.0.0.1:{}", stage.port), "127.0.0.1:0");
    std::fs::write(&file, moved).unwrap();
    let said = castellan.said(&["reload"]);
    assert!(said.contains("metrics"), "{said}");
    stage.scrape().await;
}

#[tokio::test]
async fn without_the_setting_nobody_listens() {
    let castellan = Castellan::start(Plan::default()).await;
    let sockets = Command::new("ls").arg("-l").arg(format!("/proc/{}/fd", castellan.id())).output();
    let sockets = String::from_utf8(sockets.unwrap().stdout).unwrap();
    let open = listening().into_iter().filter(|inode| sockets.contains(&format!("[{inode}]")));
    assert_eq!(open.count(), 1, "{sockets}");
}

/// The inodes of all sockets of this machine that listen.
fn listening() -> Vec<String> {
    let table = ["tcp", "tcp6"]
        .map(|kind| std::fs::read_to_string(format!("/proc/net/{kind}")).unwrap_or_default());
    let lines = table.iter().flat_map(|text| text.lines().skip(1));
    let cells = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    cells.filter(|cells| cells[3] == "0A").map(|cells| cells[9].to_owned()).collect()
}

#[tokio::test]
async fn a_server_that_cannot_show_metrics_does_not_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let plan = |listen: &str| Plan {
        config: format!("[metrics]\nlisten = \"{listen}\"\n"),
        ..Plan::default()
    };
    let said = Castellan::refuses(plan(&address.to_string())).await;
    assert!(said.contains(&format!("metrics.listen: cannot listen on {address}: ")), "{said}");
    let said = Castellan::refuses(plan("0.0.0.0:9464")).await;
    assert!(said.contains("loopback addresses only, but metrics.listen is 0.0.0.0:9464"), "{said}");
    let said = Castellan::refuses(plan("everywhere")).await;
    assert!(said.contains("castellan.toml") && said.contains("listen"), "{said}");
}

#[tokio::test]
async fn what_is_refused_before_a_guard_has_it_is_counted_by_site_and_reason() {
    let (api, port) = (Recorder::start().await, free_port());
    let config = format!(
        "[metrics]\nlisten = \"127.0.0.1:{port}\"\n\
         [[site]]\nname = \"main\"\nhosts = [\"gate.test\", \"files.test\"]\n\
         [[guard]]\nname = \"songs\"\npath = \"/songs\"\nupstream = \"{url}\"\n\
         schema = \"songs.graphql\"\npublic = [\"Query:*\"]\n\
         [[guard]]\nname = \"shop\"\npath = \"/shop\"\nprotocol = \"http\"\nupstream = \"{url}\"\n\
         [guard.operations]\n\"GET /orders\" = \"Query:Order:List\"\n\
         [[guard]]\nname = \"files\"\npath = \"/files\"\nprotocol = \"http\"\nupstream = \"{url}\"\n\
         host = '^files\\.test$'\nown_host = true\n\
         [guard.operations]\n\"GET /page\" = \"Query:Page:Get\"\n",
        url = api.url
    );
    let castellan = Castellan::start(Plan {
        config,
        server: "trusted_proxies = [\"127.0.0.1\"]\n",
        issuer: Some("https://gate.test".to_owned()),
        files: vec![("songs.graphql", SCHEMA.to_owned())],
        ..Plan::default()
    })
    .await;
    let ask = |method: Method, host: &str, path: &str| {
        Ask::new(method, &castellan.at(path)).header("host", host)
    };
    for (method, host, path, scheme, status) in [
        (Method::GET, "gate.test", "/%2e%2e/x", "https", 400),
        (Method::GET, "gate.test", "/shop/%2e%2e/x", "https", 400),
        (Method::GET, "nobody.test", "/%2e%2e/x", "https", 400),
        (Method::GET, "nobody.test", "/x", "https", 404),
        (Method::GET, "x4711.test", "/shop/x4711", "https", 404),
        (Method::POST, "gate.test", "/songs", "http", 403),
        (Method::GET, "gate.test", "/User", "http", 403),
        (Method::GET, "files.test", "/User", "https", 404),
        // An endpoint has this one, if only to say that there is nothing.
        (Method::GET, "gate.test", "/nowhere", "https", 404),
    ] {
        let ask = ask(method.clone(), host, path).header("x-forwarded-proto", scheme);
        let ask = if scheme == "http" { ask.bearer("csl_guess-4711") } else { ask };
        let answer = ask.send().await;
        assert_eq!(answer.status, status, "{method} {host} {path}: {answer:?}");
    }
    let metrics = format!("http://127.0.0.1:{port}/metrics");
    let answer = Ask::get(&metrics).send().await;
    let scrape = Scrape::read(&answer.body);
    for (series, wanted) in [
        ("refusals_total{site=\"main\",reason=\"ambiguous_request\"}", 2),
        ("refusals_total{site=\"\",reason=\"ambiguous_request\"}", 1),
        ("refusals_total{site=\"\",reason=\"no_site\"}", 2),
        ("refusals_total{site=\"main\",reason=\"plain_http\"}", 2),
        ("refusals_total{site=\"main\",reason=\"not_found\"}", 1),
        ("requests_total{site=\"main\",guard=\"songs\",verdict=\"refused\"}", 1),
        ("requests_total{site=\"main\",guard=\"shop\",verdict=\"refused\"}", 1),
        ("requests_total{site=\"main\",guard=\"files\",verdict=\"refused\"}", 0),
    ] {
        let value = scrape.value(series);
        assert!(is_close(value, wanted), "{series} is {value}, not {wanted}");
    }
    assert!(!answer.body.contains("4711"), "{}", answer.body);
}
