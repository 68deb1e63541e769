//! What a token costs in round trips: on the wire to each engine, and in verbs on SQLite, where
//! there is no wire (`docs/rules.md` rules 27 and 38). The node has been at work: what every token
//! rests on is at hand.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use castellan_issuer::{
    Issuer, Parts, Settings,
    authorization::next::Next,
    keys::MasterKey,
    records::Account,
    request::params::Params,
    resources::Mode,
    secrets::hashing::Passwords,
    session::browser::Browser,
    settings::SiteAddress,
    store::{
        Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameQuery, Named, Notice,
        PageQuery, Record, Replaced, Store, StoreError, Taken,
    },
    tokens::{mint::TokenAnswer, verified::Holder},
};
use castellan_proto::{FixedClock, Opaque, OpaqueKind, Timestamp};
use castellan_stores::Migrate;
use serde_json::json;

use crate::{line::Line, on_each_server};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// How often each is measured. An engine's driver asks now and then on its own account, so that the
/// one in the middle counts.
const TIMES: usize = 9;

/// A store that counts its verbs.
struct Counted {
    inner: Arc<dyn Store>,
    verbs: Arc<AtomicUsize>,
}

impl Counted {
    fn store(&self) -> &dyn Store {
        self.verbs.fetch_add(1, Ordering::Relaxed);
        &*self.inner
    }
}

#[async_trait]
impl Store for Counted {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.store().get_many(keys, now).await
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        self.store().find(site, kind, unique, now).await
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        self.store().insert(draft, notice, now).await
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.store().replace(draft, version, notice, now).await
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        self.store().take(key, now).await
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store().delete(key, version, notice, now).await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.store().page(query, now).await
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        self.store().page_by_name(query, now).await
    }

    // Known without asking the store, so it is no round trip.
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        self.store().count(site, kind, now).await
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        self.store().feed(after).await
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        self.store().notify(subject).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.store().sweep(now, limit).await
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        self.store().admits_older().await
    }
}

/// An issuer at work, and how many round trips it has made.
struct Work {
    issuer: Issuer,
    trips: Box<dyn Fn() -> usize + Send + Sync>,
    heard: Mutex<Option<FeedCursor>>,
    secret: String,
}

impl Work {
    async fn on(store: Arc<dyn Store>, trips: Box<dyn Fn() -> usize + Send + Sync>) -> Self {
        let issuer = Issuer::open(Parts {
            store,
            site: "main".into(),
            address: SiteAddress {
                issuer: "https://id.castellan.test".to_owned(),
                name: "Castellan".to_owned(),
                alias_digests: std::iter::empty().collect(),
                resources: Vec::new(),
                guards: Vec::new(),
                site_accesses: Vec::new(),
            },
            settings: Settings::default(),
            clock: Arc::new(FixedClock(Timestamp(1_800_000_000))),
            master: MasterKey::read(&"A".repeat(43)).unwrap(),
            passwords: Passwords::start(),
            readiness: Arc::default(),
            resources: castellan_issuer::resources::Roster::default(),
        })
        .await
        .unwrap();
        let secret = Opaque::generate(OpaqueKind::ClientSecret).text();
        let app = json!({
            "resourceType": "Client", "id": "app", "secret": secret, "first_party": true,
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "redirect_uris": ["https://app.test/cb"], "scope": ["openid", "Mutation:Order:*"],
        });
        let person = json!({
            "resourceType": "User", "id": "ada", "userName": "ada", "password": "pw-ada-at-home",
        });
        for document in [app, person] {
            issuer.apply(document, Mode::Write).await.unwrap();
        }
        Self { issuer, trips, heard: Mutex::default(), secret }
    }

    /// Reads the feed, as a running node does four times a second.
    async fn hear(&self) {
        let heard = self.heard.lock().unwrap().clone();
        let (liveness, store) = (self.issuer.liveness(), self.issuer.repository().store());
        let cursor = liveness.poll(store, heard.as_ref(), |_| {}).await.unwrap();
        *self.heard.lock().unwrap() = Some(cursor.cursor);
    }

    /// A token, and the round trips that it took.
    async fn token(&self, pairs: &[(&str, &str)]) -> (TokenAnswer, usize) {
        let proof = [("client_id", "app"), ("client_secret", &*self.secret)];
        let ask = [pairs, &proof].concat();
        let pairs = ask.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let ask = Params::from_pairs(pairs).unwrap();
        self.hear().await;
        let before = (self.trips)();
        let answer = self.issuer.token(&ask, None, None).await.unwrap();
        (answer, (self.trips)() - before)
    }

    /// The round trips that a look at `token` took.
    async fn check(&self, token: &str) -> usize {
        self.hear().await;
        let before = (self.trips)();
        self.issuer.verify_access(token, Holder::Bearer).await.unwrap();
        (self.trips)() - before
    }

    async fn code(&self) -> String {
        let repository = self.issuer.repository();
        let ada = repository.get::<Account>("ada", self.issuer.now()).await.unwrap().unwrap();
        let mark = Some(Opaque::generate(OpaqueKind::Browser));
        let browser = Browser { mark, ..Browser::default() };
        let opened = self.issuer.open_session((ada.id, ada.body), &browser).await;
        let browser = Browser { session: Some(opened.unwrap().0), ..browser };
        let pairs = [
            ("response_type", "code"),
            ("client_id", "app"),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let ask = Params::from_pairs(pairs).unwrap();
        let Next::Go(url) = self.issuer.begin(&ask, &browser).await.unwrap() else { panic!() };
        let (_, rest) = url.split_once("code=").unwrap();
        rest.split('&').next().unwrap().to_owned()
    }
}

/// What each kind of request took, the median of [`TIMES`]: a machine's token, a code, a refresh, a
/// look at a token that is new here, and one at a token that is not.
async fn measure(work: &Work) -> [usize; 5] {
    let mut taken = [const { Vec::new() }; 5];
    // The first time around, what every token rests on is read.
    for round in 0..=TIMES {
        let (machine, of_machine) = work.token(&[("grant_type", "client_credentials")]).await;
        let code = work.code().await;
        let redeem = [("grant_type", "authorization_code"), ("code", &*code)];
        let (tokens, of_code) =
            work.token(&[&redeem[..], &[("code_verifier", VERIFIER)]].concat()).await;
        let refresh = tokens.refresh_token.unwrap();
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        let (_, of_refresh) = work.token(&refresh).await;
        let new = work.check(&machine.access_token).await;
        let seen = work.check(&machine.access_token).await;
        if round > 0 {
            let costs = [of_machine, of_code, of_refresh, new, seen];
            taken.iter_mut().zip(costs).for_each(|(taken, cost)| taken.push(cost));
        }
    }
    taken.map(|mut taken| {
        taken.sort_unstable();
        taken[TIMES / 2]
    })
}

async fn a_token_costs_two_round_trips_and_a_guarded_request_none(url: &str) {
    // Made beforehand, so that nothing but verbs goes over the line.
    drop(castellan_stores::open(url, Migrate::Widen).await.unwrap().store);
    let (line, url) = Line::through(url).await;
    let store = castellan_stores::open(&url, Migrate::No).await.unwrap().store;
    let work = Work::on(store, Box::new(move || line.trips())).await;
    let [machine, code, refresh, new, seen] = measure(&work).await;
    assert!(machine <= 2 && code <= 2 && refresh <= 2, "{machine} {code} {refresh}");
    assert_eq!((new, seen), (1, 0));
}

on_each_server!(a_token_costs_two_round_trips_and_a_guarded_request_none);

#[tokio::test(flavor = "multi_thread")]
async fn a_token_costs_two_verbs_and_a_guarded_request_none_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("castellan.db").display());
    let inner = castellan_stores::open(&url, Migrate::Widen).await.unwrap().store;
    let verbs = Arc::new(AtomicUsize::new(0));
    let store = Arc::new(Counted { inner, verbs: Arc::clone(&verbs) });
    let work = Work::on(store, Box::new(move || verbs.load(Ordering::Relaxed))).await;
    assert_eq!(measure(&work).await, [1, 2, 2, 1, 0]);
}
