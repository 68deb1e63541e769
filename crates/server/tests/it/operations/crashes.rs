//! `kill -9` under load, twenty times: of a node, and of the database. Nothing that was acknowledged
//! is lost, nothing is issued twice, and what was revoked stays so (`docs/rules.md` rules 31, 32,
//! 44).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{
    operations::nodes::{address, config},
    support::{
        browser::Browser,
        castellan::{Castellan, Plan, free_port},
        fixtures::{Asking, DOCUMENTS, RESOURCE_SERVER, SPA, text},
        postgres::OwnPostgres,
        wire::{Answer, Ask},
    },
};

pub const ROUNDS: usize = 20;
/// How many refresh, each a family of their own.
const WORKERS: usize = 4;
/// Codes of a round, each shown by two.
const CODES: usize = 3;
/// How long a round runs before somebody is killed.
const LOAD: Duration = Duration::from_millis(120);
/// How often somebody asks again who is told nothing definite.
const TRIES: usize = 2_400;
const PAUSE: Duration = Duration::from_millis(25);

/// Two addresses of one server.
#[derive(Clone)]
struct Doors(Arc<[String; 2]>);

impl Doors {
    /// Asks at one door and at the other until an answer says yes or no.
    async fn ask(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let mut last = None;
        for turn in 0..TRIES {
            let url = format!("{}{path}", self.0[turn % 2]);
            match Ask::post(&url).form(pairs).try_send().await {
                Some(answer) if !answer.status.is_server_error() => return answer,
                answer => last = answer,
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("no answer at {path}: {last:?}");
    }
}

/// One who refreshes, takes tokens and revokes them as long as there is load, and knows what was
/// acknowledged.
struct Worker {
    doors: Doors,
    refresh: String,
    refreshes: usize,
    kept: Vec<String>,
    revoked: Vec<String>,
}

impl Worker {
    async fn work(mut self, is_over: Arc<AtomicBool>) -> Self {
        while !is_over.load(Ordering::SeqCst) {
            self.advance().await;
            let service = [
                ("grant_type", "client_credentials"),
                ("client_id", "svc"),
                ("client_secret", "s3cr3t-svc"),
            ];
            let issued = self.doors.ask("/auth/token", &service).await;
            assert_eq!(issued.status, 200, "{issued:?}");
            self.kept.push(text(&issued.json(), "access_token").to_owned());
            if self.kept.len() > 3 {
                let token = self.kept.swap_remove(0);
                let client = [("client_id", "svc"), ("client_secret", "s3cr3t-svc")];
                let revoke = [&client[..], &[("token", &token)]].concat();
                let revoked = self.doors.ask("/auth/revoke", &revoke).await;
                assert_eq!(revoked.status, 200, "{revoked:?}");
                self.revoked.push(token);
            }
        }
        self
    }

    /// What was acknowledged last is good for one more.
    async fn advance(&mut self) {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &*self.refresh),
            ("client_id", "spa"),
        ];
        let answer = self.doors.ask("/auth/token", &pairs).await;
        assert_eq!(answer.status, 200, "an acknowledged refresh token is lost: {answer:?}");
        text(&answer.json(), "refresh_token").clone_into(&mut self.refresh);
        self.refreshes += 1;
    }
}

/// The load, and those who can be killed under it.
pub struct Siege {
    nodes: [Castellan; 2],
    doors: Doors,
    workers: Vec<Worker>,
    browser: Browser,
}

impl Siege {
    pub async fn lay(url: &str) -> Self {
        // Whoever was told nothing asks again, however long a busy machine takes to come back.
        let config = format!("{}[tokens]\nrefresh_grace = \"10m\"\n", config(url));
        let issuer = format!("http://localhost:{}", free_port());
        let plan = |documents: &str| Plan {
            config: config.clone(),
            documents: documents.to_owned(),
            environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
            issuer: Some(issuer.clone()),
            ..Plan::default()
        };
        let nodes = [Castellan::start(plan(DOCUMENTS)).await, Castellan::start(plan("")).await];
        let doors = Doors(Arc::new(nodes.each_ref().map(|node| node.url.clone())));
        let (mut browser, mut workers) = (Browser::default(), Vec::new());
        for _ in 0..WORKERS {
            let tokens = nodes[0].tokens(&mut browser, &Asking::spa(), &SPA).await;
            workers.push(Worker {
                doors: doors.clone(),
                refresh: text(&tokens, "refresh_token").to_owned(),
                refreshes: 0,
                kept: Vec::new(),
                revoked: Vec::new(),
            });
        }
        Self { nodes, doors, workers, browser }
    }

    /// One round of load, in the middle of which `kill` kills and brings back.
    pub async fn round(&mut self, kill: impl AsyncFnOnce(&mut [Castellan; 2])) {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut work = JoinSet::new();
        for worker in self.workers.drain(..) {
            work.spawn(worker.work(Arc::clone(&is_over)));
        }
        let mut codes = JoinSet::new();
        for _ in 0..CODES {
            let code = self.browser.code(&self.nodes[0], &Asking::spa()).await;
            codes.spawn(redeem_twice(self.doors.clone(), code));
        }
        tokio::time::sleep(LOAD).await;
        kill(&mut self.nodes).await;
        tokio::time::sleep(LOAD).await;
        is_over.store(true, Ordering::SeqCst);
        codes.join_all().await;
        self.workers = work.join_all().await;
    }

    /// What was acknowledged is there, on both nodes.
    pub async fn raise(mut self) {
        let mut seen = (0, 0, 0);
        for mut worker in std::mem::take(&mut self.workers) {
            worker.advance().await;
            seen.0 += worker.refreshes;
            for token in &worker.kept {
                assert!(self.is_active(token).await, "an acknowledged token is lost");
                seen.1 += 1;
            }
            for token in &worker.revoked {
                assert!(!self.is_active(token).await, "a revoked token holds");
                seen.2 += 1;
            }
        }
        assert!(seen.0 > ROUNDS && seen.1 > 0 && seen.2 > ROUNDS, "there was no load: {seen:?}");
    }

    /// The same on both nodes.
    async fn is_active(&self, token: &str) -> bool {
        let mut answers = Vec::new();
        for node in &self.nodes {
            let pairs = [&RESOURCE_SERVER[..], &[("token", token)]].concat();
            let answer = Ask::post(&node.at("/auth/introspect")).form(&pairs).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answers.push(answer.json()["active"] == true);
        }
        assert_eq!(answers[0], answers[1], "the nodes disagree");
        answers[0]
    }
}

/// Two show one code, each until it is told yes or no. At most one is told yes.
async fn redeem_twice(doors: Doors, code: String) {
    let yes = Arc::new(AtomicUsize::new(0));
    let mut both = JoinSet::new();
    for _ in 0..2 {
        let (doors, code, yes) = (doors.clone(), code.clone(), Arc::clone(&yes));
        both.spawn(async move {
            let pairs = [("grant_type", "authorization_code"), ("code", &*code)];
            let answer = doors.ask("/auth/token", &[&pairs[..], &SPA].concat()).await;
            match answer.status.as_u16() {
                200 => drop(yes.fetch_add(1, Ordering::SeqCst)),
                status => assert_eq!(
                    (status, answer.json()["error"].as_str()),
                    (400, Some("invalid_grant"))
                ),
            }
        });
    }
    both.join_all().await;
    assert!(yes.load(Ordering::SeqCst) <= 1, "one code was redeemed twice");
}

async fn a_node_dies_under_load(url: &str) {
    let mut siege = Siege::lay(url).await;
    for round in 0..ROUNDS {
        siege.round(async |nodes| nodes[round % 2].restart().await).await;
    }
    siege.raise().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_a_node_dies_under_load_and_nothing_is_lost() {
    a_node_dies_under_load(&address("CASTELLAN_TEST_POSTGRES")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_node_dies_under_load_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    a_node_dies_under_load(&format!("sqlite://{}", folder.path().join("shared.db").display()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_dies_under_load_and_nothing_is_lost() {
    let mut postgres = OwnPostgres::start();
    let mut siege = Siege::lay(&postgres.url()).await;
    for _ in 0..ROUNDS {
        siege
            .round(async |nodes| {
                postgres.kill();
                for node in nodes {
                    node.until_ready().await;
                }
            })
            .await;
    }
    siege.raise().await;
}
