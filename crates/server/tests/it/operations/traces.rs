//! Traces of requests, as a collector takes them (`docs/traces.md`).

use crate::support::castellan::{Castellan, Plan};

#[cfg(not(feature = "otel"))]
#[tokio::test]
async fn a_program_without_traces_refuses_to_start_with_them() {
    let config = "[traces]\nendpoint = \"http://127.0.0.1:4318\"\n".to_owned();
    let said = Castellan::refuses(Plan { config, ..Plan::default() }).await;
    assert!(said.contains("built without traces") && said.contains("castellan.toml:"), "{said}");
}

#[cfg(feature = "otel")]
mod recorded {
    use std::{
        collections::BTreeMap,
        net::SocketAddr,
        time::{Duration, Instant},
    };

    use castellan_proto::jose::Algorithm;
    use http::{Method, StatusCode};
    use serde_json::json;

    use super::{Castellan, Plan};
    use crate::{
        guards::foreign_tokens,
        support::{
            browser::Browser,
            castellan::free_port,
            collector::{CLIENT, Collector, INTERNAL, Recorded, SERVER},
            fixtures::{ANN, Asking, DOCUMENTS, RESOURCE_SERVER, SPA, text},
            upstream::Recorder,
            wire::{Answer, Ask},
        },
    };

    const SCHEMA: &str = "type Query { songs(by: String): [String] person: String }\n";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const UNSAMPLED: &str = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    /// A server whose traces go to `collector`, with two guards and an API behind them.
    struct Stage {
        castellan: Castellan,
        api: Recorder,
    }

    impl Stage {
        async fn start(collector: &str, more: &str) -> Self {
            let api = Recorder::start().await;
            api.answer(r#"{"data":{"songs":[]}}"#);
            let config = format!(
                "[traces]\nendpoint = \"{collector}\"\n{more}\n\
                 [[guard]]\nname = \"songs\"\npath = \"/songs\"\nupstream = \"{url}?key=of-the-api\"\n\
                 schema = \"songs.graphql\"\n\
                 [[guard]]\nname = \"shop\"\npath = \"/shop\"\nprotocol = \"http\"\nupstream = \"{url}\"\n\
                 public = [\"Query:Order:List\"]\n[guard.operations]\n\
                 \"GET /orders\" = \"Query:Order:List\"\n",
                url = api.url
            );
            let castellan = Castellan::start(Plan {
                config,
                documents: DOCUMENTS.to_owned(),
                environment: vec![
                    ("COLLECTOR_SECRET", "Bearer of-the-collector-4711".to_owned()),
                    ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".to_owned()),
                ],
                files: vec![("songs.graphql", SCHEMA.to_owned())],
                ..Plan::default()
            })
            .await;
            Self { castellan, api }
        }

        async fn machine(&self) -> String {
            let mut pairs = vec![("grant_type", "client_credentials")];
            pairs.extend(RESOURCE_SERVER);
            let answer = self.castellan.token(&pairs).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            text(&answer.json(), "access_token").to_owned()
        }

        async fn songs(&self, token: &str, parent: Option<&str>) -> Answer {
            let body = json!({"query": "{ songs }"});
            let ask = Ask::post(&self.castellan.at("/songs")).bearer(token).json(&body);
            match parent {
                Some(parent) => ask.header("traceparent", parent).send().await,
                None => ask.send().await,
            }
        }

        fn log(&self) -> String {
            std::fs::read_to_string(self.castellan.path("stderr")).unwrap()
        }
    }

    fn is_server(span: &Recorded) -> bool {
        span.kind == SERVER
    }

    /// The one span that `is_it`.
    fn only(spans: &[Recorded], is_it: impl Fn(&Recorded) -> bool) -> &Recorded {
        let found: Vec<_> = spans.iter().filter(|span| is_it(span)).collect();
        assert_eq!(found.len(), 1, "{spans:#?}");
        found[0]
    }

    fn assert_says(span: &Recorded, wanted: &[(&str, &str)]) {
        for (name, value) in wanted {
            assert_eq!(span.attributes.get(*name).map(|one| &**one), Some(*value), "{span:#?}");
        }
    }

    #[tokio::test]
    async fn gate_store_and_api_have_spans_in_the_trace_of_the_caller() {
        let collector = Collector::start().await;
        let mut stage = Stage::start(&collector.url, "").await;
        let token = stage.machine().await;
        // Nothing of it is cached any more.
        stage.castellan.restart().await;
        let answer = stage.songs(&token, Some(PARENT)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let spans = collector.until(TRACE, is_server).await;
        let server = only(&spans, is_server);
        let gate = only(&spans, |span| span.name == "gate");
        let api = only(&spans, |span| span.attributes.contains_key("server.address"));
        assert_eq!((&*server.name, &*server.parent), ("POST /songs", "00f067aa0ba902b7"));
        let decision = answer.header("castellan-decision").unwrap();
        assert_says(
            server,
            &[
                ("http.request.method", "POST"),
                ("http.response.status_code", "200"),
                ("http.route", "/songs"),
                ("url.path", "/songs"),
                ("castellan.site", "default"),
                ("castellan.guard", "songs"),
                ("castellan.verdict", "allowed"),
                ("castellan.decision", decision),
            ],
        );
        assert_eq!((gate.kind, &gate.parent), (INTERNAL, &server.id));
        assert_says(gate, &[("castellan.guard", "songs"), ("castellan.verdict", "allowed")]);
        assert_eq!((api.kind, &api.parent, &*api.name), (CLIENT, &gate.id, "POST"));
        assert_says(api, &[("server.address", "127.0.0.1"), ("http.response.status_code", "200")]);
        // The API is told to continue from that very span.
        let seen = stage.api.seen();
        let told = seen.last().unwrap().headers["traceparent"].to_str().unwrap().to_owned();
        assert_eq!(told, format!("00-{TRACE}-{}-01", api.id));
        let stores: Vec<_> =
            spans.iter().filter(|span| span.attributes.contains_key("db.system.name")).collect();
        assert!(!stores.is_empty(), "{spans:#?}");
        for store in stores {
            assert_eq!((store.kind, &store.parent), (CLIENT, &gate.id), "{store:#?}");
            assert_says(store, &[("db.system.name", "sqlite"), ("db.operation.name", &store.name)]);
        }
        assert!(spans.iter().all(|span| span.nanoseconds <= server.nanoseconds && !span.is_error));
    }

    #[tokio::test]
    async fn a_token_request_has_the_spans_of_what_it_writes() {
        let collector = Collector::start().await;
        let stage = Stage::start(&collector.url, "service_name = \"gate-of-tests\"\n").await;
        let mut pairs = vec![("grant_type", "client_credentials")];
        pairs.extend(RESOURCE_SERVER);
        let ask = Ask::post(&stage.castellan.at("/auth/token")).form(&pairs);
        ask.header("traceparent", PARENT).send().await;
        let spans = collector.until(TRACE, is_server).await;
        let server = only(&spans, is_server);
        assert_eq!(server.name, "POST");
        assert_says(server, &[("url.path", "/auth/token"), ("http.response.status_code", "200")]);
        assert!(!server.attributes.contains_key("castellan.guard"));
        let insert = spans.iter().find(|span| span.name == "insert").unwrap();
        assert_eq!(insert.parent, server.id);
        let said: BTreeMap<_, _> = collector.resource();
        assert_eq!(said["service.name"], "gate-of-tests");
        assert_eq!(said["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(said["deployment.environment.name"], "test");
    }

    #[tokio::test]
    async fn fetching_keys_of_another_issuer_has_a_span_of_which_that_is_not_told() {
        let collector = Collector::start().await;
        let mut stage = foreign_tokens::Stage::begin(foreign_tokens::by_jwks).await;
        let signer = foreign_tokens::Signer::new(Algorithm::Es256);
        stage.other.answer(&signer.jwks());
        stage.castellan.set("CASTELLAN__TRACES__ENDPOINT", &collector.url);
        stage.castellan.restart().await;
        let ask = Ask::post(&stage.castellan.at("/both")).json(&json!({"query": "{ hello }"}));
        let ask = ask.bearer(&signer.sign(&foreign_tokens::claims()));
        let answer = ask.header("traceparent", PARENT).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let spans = collector.until(TRACE, is_server).await;
        let fetch = only(&spans, |span| span.name == "GET");
        let gate = only(&spans, |span| span.name == "gate");
        assert_eq!((fetch.kind, &fetch.parent), (CLIENT, &gate.id));
        let port = stage.other.url.trim_end_matches('/').rsplit_once(':').unwrap().1.to_owned();
        assert_says(fetch, &[("server.port", &port), ("http.response.status_code", "200")]);
        assert!(!stage.other.seen()[0].headers.contains_key("traceparent"));
    }

    #[tokio::test]
    async fn refusals_denials_and_failures_can_be_told_apart() {
        let collector = Collector::start().await;
        let stage = Stage::start(&collector.url, "").await;
        let mut at = 0;
        let mut parent = || {
            at += 1;
            let trace = format!("{at:032x}");
            (format!("00-{trace}-00f067aa0ba902b7-01"), trace)
        };
        let query = |query: &str| json!({"query": query});
        // Denied: nobody is known.
        let (denied, trace) = parent();
        let ask = Ask::post(&stage.castellan.at("/songs")).json(&query("{ person }"));
        ask.header("traceparent", &denied).send().await;
        let spans = collector.until(&trace, is_server).await;
        assert_says(only(&spans, is_server), &[("castellan.verdict", "denied")]);
        assert!(spans.iter().all(|span| !span.attributes.contains_key("server.address")));
        // Refused in the corridor.
        let (refused, trace) = parent();
        let ask = Ask::get(&stage.castellan.at("/songs/%2e%2e/x"));
        let answer = ask.header("traceparent", &refused).send().await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let spans = collector.until(&trace, is_server).await;
        let said =
            [("castellan.reason", "ambiguous_request"), ("http.response.status_code", "400")];
        assert_says(only(&spans, is_server), &said);
        assert_eq!(spans.len(), 1, "{spans:#?}");
        // The API fails.
        let (failed, trace) = parent();
        stage
            .api
            .answer_by(|_| http::Response::builder().status(500).body("no".to_owned()).unwrap());
        let token = stage.machine().await;
        stage.songs(&token, Some(&failed)).await;
        let spans = collector.until(&trace, is_server).await;
        let api = only(&spans, |span| span.attributes.contains_key("server.address"));
        assert!(api.is_error, "{api:#?}");
        assert_says(api, &[("error.type", "500"), ("http.response.status_code", "500")]);
        assert!(only(&spans, is_server).is_error);
        // A guard of REST, and a method that nobody knows.
        let (rest, trace) = parent();
        let ask = Ask::get(&stage.castellan.at("/shop/orders")).header("traceparent", &rest);
        ask.send().await;
        let spans = collector.until(&trace, is_server).await;
        assert_eq!(only(&spans, is_server).name, "GET /shop");
        only(&spans, |span| span.name == "gate");
        let (odd, trace) = parent();
        let method = Method::from_bytes(b"M4711").unwrap();
        let ask = Ask::new(method, &stage.castellan.at("/shop/orders"));
        ask.header("traceparent", &odd).send().await;
        let spans = collector.until(&trace, is_server).await;
        assert_eq!(only(&spans, is_server).name, "HTTP /shop");
        assert!(!collector.saw("M4711"));
    }

    #[tokio::test]
    async fn what_the_caller_does_not_record_is_not_recorded_here() {
        let collector = Collector::start().await;
        let stage = Stage::start(&collector.url, "").await;
        let token = stage.machine().await;
        stage.songs(&token, Some(UNSAMPLED)).await;
        // Its trace goes on as it came.
        let seen = stage.api.seen();
        assert_eq!(seen.last().unwrap().headers["traceparent"], UNSAMPLED);
        stage.songs(&token, Some(PARENT)).await;
        collector.until(TRACE, is_server).await;
        let trace = &UNSAMPLED[3..35];
        assert!(collector.spans().iter().all(|span| span.trace != trace));
        // Nor is whoever looks whether the server is well.
        assert!(!collector.saw("/readyz"));
    }

    #[tokio::test]
    async fn a_sample_of_nothing_records_what_callers_record_alone() {
        let collector = Collector::start().await;
        let stage = Stage::start(&collector.url, "sample = 0\n").await;
        let token = stage.machine().await;
        stage.songs(&token, None).await;
        let seen = stage.api.seen();
        let told = seen.last().unwrap().headers["traceparent"].to_str().unwrap().to_owned();
        assert!(told.ends_with("-00"), "{told}");
        stage.songs(&token, Some(PARENT)).await;
        let spans = collector.until(TRACE, is_server).await;
        assert_eq!(collector.spans().len(), spans.len());
    }

    #[tokio::test]
    async fn a_trace_that_begins_here_is_the_one_that_the_api_and_the_log_are_told() {
        let collector = Collector::start().await;
        let stage = Stage::start(&collector.url, "[log]\nlevel = \"info\"\n").await;
        let token = stage.machine().await;
        stage.songs(&token, None).await;
        let seen = stage.api.seen();
        let told = seen.last().unwrap().headers["traceparent"].to_str().unwrap().to_owned();
        let spans = collector.until(&told[3..35], is_server).await;
        assert!(only(&spans, is_server).parent.is_empty(), "{spans:#?}");
        let api = only(&spans, |span| span.attributes.contains_key("server.address"));
        assert_eq!(told[36..52], api.id);
    }

    #[tokio::test]
    async fn no_secret_is_in_what_the_collector_gets() {
        let collector = Collector::start().await;
        let more = "headers = { authorization = { env = \"COLLECTOR_SECRET\" } }\n";
        let stage = Stage::start(&collector.url, more).await;
        let castellan = &stage.castellan;
        let token = stage.machine().await;
        let body = json!({"query": "{ songs(by: \"argument-4711\") }"});
        let ask = Ask::post(&castellan.at("/songs?access_token=of-the-query-4711"));
        ask.bearer(&token).header("cookie", "a=of-the-cookie-4711").json(&body).send().await;
        Ask::get(&castellan.at("/user/sessions/csl_session_4711")).send().await;
        Ask::get(&castellan.at("/readyz?secret=of-the-query-4711")).send().await;
        let mut browser = Browser::default();
        let tokens = castellan.tokens(&mut browser, &Asking::spa(), &SPA).await;
        let refresh = text(&tokens, "refresh_token").to_owned();
        castellan.refresh(&refresh, &SPA).await;
        let ask = Ask::post(&castellan.at("/songs")).bearer("csl_guess-4711").json(&body);
        ask.header("traceparent", PARENT).send().await;
        collector.until(TRACE, is_server).await;
        for secret in
            [&token, &refresh, ANN.1, "-4711", "s3cr3t", "of-the", "csl_", "Bearer", "songs(by"]
        {
            assert!(!collector.saw(secret), "{secret}");
        }
        assert!(collector.saw("/user/sessions/…"));
        for (path, headers) in collector.requests() {
            assert_eq!(path, "/v1/traces");
            assert_eq!(headers["authorization"], "Bearer of-the-collector-4711");
        }
        // An id may have the digits in it.
        assert!(!stage.log().contains("-4711"), "{}", stage.log());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_ended_is_sent_before_the_server_stops() {
        let collector = Collector::start().await;
        let mut stage = Stage::start(&collector.url, "").await;
        let token = stage.machine().await;
        stage.songs(&token, Some(PARENT)).await;
        let began = Instant::now();
        stage.castellan.stop();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let spans = collector.spans();
        assert!(spans.iter().any(|span| span.trace == TRACE && is_server(span)), "{spans:#?}");
    }

    /// The value of the series `name` of metrics at `port`.
    async fn metric(port: u16, name: &str) -> f64 {
        let answer = Ask::get(&format!("http://127.0.0.1:{port}/metrics")).send().await;
        let line = answer.body.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit_once(' '));
        value.unwrap_or_else(|| panic!("no {name}: {}", answer.body)).1.parse().unwrap()
    }

    #[tokio::test]
    async fn a_collector_that_is_down_costs_no_request_and_is_logged_once() {
        let (port, metrics) = (free_port(), free_port());
        let more = format!("[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n");
        let stage = Stage::start(&format!("http://127.0.0.1:{port}"), &more).await;
        let token = stage.machine().await;
        for _ in 0..6 {
            let began = Instant::now();
            assert_eq!(stage.songs(&token, None).await.status, 200);
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let said = "traces cannot be sent";
        assert_eq!(stage.log().matches(said).count(), 1, "{}", stage.log());
        assert!(stage.log().contains(&format!("http://127.0.0.1:{port}")), "{}", stage.log());
        // Once it is there, it gets what is still waiting.
        let collector = Collector::at(SocketAddr::from(([127, 0, 0, 1], port))).await;
        stage.songs(&token, Some(PARENT)).await;
        let spans = collector.until(TRACE, is_server).await;
        assert!(collector.spans().len() > spans.len());
        assert_eq!(stage.log().matches(said).count(), 1, "{}", stage.log());
        assert!(metric(metrics, "castellan_trace_spans_total{outcome=\"sent\"}").await > 0.0);
    }

    #[tokio::test]
    async fn a_collector_that_refuses_is_not_asked_again_for_the_same_spans() {
        let (collector, metrics) = (Collector::start().await, free_port());
        collector.answer(StatusCode::UNAUTHORIZED, Duration::ZERO);
        let more = format!("[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n");
        let stage = Stage::start(&collector.url, &more).await;
        stage.machine().await;
        let failed = "castellan_trace_spans_total{outcome=\"failed\"}";
        for _ in 0..200 {
            if metric(metrics, failed).await > 0.0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert!(metric(metrics, failed).await > 0.0);
        assert!(stage.log().contains("401"), "{}", stage.log());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_slow_collector_costs_no_request_and_what_is_too_much_is_dropped_and_counted() {
        let (collector, metrics) = (Collector::start().await, free_port());
        collector.answer(StatusCode::OK, Duration::from_mins(1));
        let more = format!("[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n");
        let mut stage = Stage::start(&collector.url, &more).await;
        let url = stage.castellan.at("/nowhere");
        let dropped = "castellan_trace_spans_total{outcome=\"dropped\"}";
        let began = Instant::now();
        while metric(metrics, dropped).await < 1.0 {
            assert!(began.elapsed() < Duration::from_mins(1), "nothing is dropped");
            for _ in 0..200 {
                let asked = Instant::now();
                assert_eq!(Ask::get(&url).send().await.status, 404);
                assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
            }
        }
        let began = Instant::now();
        stage.castellan.stop();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(stage.log().contains("spans were not sent before the server stopped"));
    }

    #[tokio::test]
    async fn settings_that_cannot_be_meant_stop_the_start_and_the_check() {
        for (config, said) in [
            ("sample = 0.5", "no effect without endpoint"),
            ("endpoint = \"ftp://a.example\"", "http or https"),
            (
                "endpoint = \"http://a.example\"\nheaders = { authorization = \"hunter2\" }",
                "by https, or to this machine",
            ),
            (
                "endpoint = \"https://a.example\"\nheaders = { api-key = { env = \"NOT_SET\" } }",
                "NOT_SET contains a secret and is not set",
            ),
            (
                "endpoint = \"https://a.example\"\nheaders = { api-key = \"hunter2\\u0007\" }",
                "traces.headers.api-key: the value contains a character",
            ),
        ] {
            let config = format!("[traces]\n{config}\n");
            let castellan = Castellan::refused(Plan { config: config.clone(), ..Plan::default() });
            let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
            assert!(log.contains(said) && !log.contains("hunter2"), "{config}: {log}");
            let checked = castellan.cli(&["config", "check"]);
            let printed = [checked.stdout, checked.stderr].concat();
            let printed = String::from_utf8(printed).unwrap();
            assert!(!checked.status.success() && printed.contains(said), "{config}: {printed}");
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
}
