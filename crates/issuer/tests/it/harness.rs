//! An issuer with people and apps, and the way through it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use castellan_issuer::{
    Issuer, Parts, Settings,
    authorization::next::{Answer, FlowError, Next, SignInOutcome},
    error::OAuthError,
    keys::MasterKey,
    records::{Account, Family},
    request::{params::Params, source::Source},
    resources::Mode,
    session::browser::Browser,
    settings::SiteAddress,
    store::{Draft, Kind, Notice, PageQuery, Record, Store},
    tokens::{
        mint::TokenAnswer,
        verified::{Holder, VerifyError},
    },
};
use castellan_proto::{Clock, Opaque, OpaqueKind, Timestamp};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::faulty_store::Shaky;

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const HUMAN_SECRET: &str = "s3cr3t-portal";
pub(crate) const ISSUER: &str = "https://id.castellan.test";
pub(crate) const START: u64 = 1_800_000_000;

/// A clock that moves when it is told to.
pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// What differs from one harness to another.
#[derive(Clone, Default)]
pub(crate) struct Plot {
    pub(crate) settings: Settings,
    pub(crate) aliases: Vec<(&'static str, &'static str)>,
}

/// One issuer over one store.
pub(crate) struct Harness {
    pub(crate) issuer: Issuer,
    pub(crate) store: Arc<Shaky>,
    pub(crate) clock: Arc<TestClock>,
    plot: Plot,
}

/// One browser.
pub(crate) struct Tab {
    pub(crate) session: Option<String>,
    pub(crate) mark: String,
    pub(crate) source: Option<Source>,
}

impl Tab {
    pub(crate) fn new() -> Self {
        let mark = Opaque::generate(OpaqueKind::Browser).text();
        Self { session: None, mark, source: None }
    }

    /// The same browser with this session.
    pub(crate) fn with(&self, session: &str) -> Self {
        Self { session: Some(session.to_owned()), mark: self.mark.clone(), source: None }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser {
            session: self.session.as_deref().and_then(|s| Opaque::read(OpaqueKind::Session, s)),
            mark: Opaque::read(OpaqueKind::Browser, &self.mark),
            source: self.source,
        }
    }
}

/// A client secret as Castellan makes them.
pub(crate) fn generated(seed: u8) -> String {
    Opaque::carrying(OpaqueKind::ClientSecret, vec![seed; 32]).text()
}

/// What `client` shows besides its id.
pub(crate) fn secret_of(client: &str) -> Option<String> {
    match client {
        "own" | "phone" | "tv" => None,
        "portal" => Some(HUMAN_SECRET.to_owned()),
        "shop" => Some(generated(1)),
        "other" => Some(generated(2)),
        "robot" => Some(generated(3)),
        _ => Some(generated(4)),
    }
}

pub(crate) fn params(pairs: &[(&str, &str)]) -> Params {
    Params::from_pairs(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))).unwrap()
}

/// What an app asks for on behalf of a person.
pub(crate) fn request(client: &str) -> [(&str, &str); 6] {
    [
        ("response_type", "code"),
        ("client_id", client),
        ("state", "st"),
        ("nonce", "n-0"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// The people and apps of every harness. `own` is first party and public; `shop` and `other` are
/// third party and confidential; `phone` is third party and public; `portal` is written as in the
/// Aidbox contract; `lens` gets opaque tokens; `robot` acts for itself and may
/// introspect every token; `tv` is a device.
pub(crate) fn documents() -> Vec<Value> {
    let app = |id: &str, more: Value| {
        let mut app = json!({
            "resourceType": "Client",
            "id": id,
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [format!("https://{id}.test/cb")],
            "scope": ["openid", "profile", "email", "api:read", "Mutation:Order:*"],
        });
        for (name, value) in more.as_object().unwrap() {
            app[name] = value.clone();
        }
        if let Some(secret) = secret_of(id) {
            app["secret"] = json!(secret);
        }
        app
    };
    let person = |id: &str, name: &str| {
        json!({
            "resourceType": "User", "id": id, "userName": name, "password": PASSWORD,
            "email": format!("{name}@Example.org"),
        })
    };
    vec![
        person("ada-1", "Ada"),
        person("bob-1", "Bob"),
        app("own", json!({"first_party": true})),
        app("phone", json!({})),
        app("shop", json!({})),
        app("other", json!({})),
        app(
            "portal",
            json!({
                "first_party": true,
                "grant_types": ["code"],
                "auth": {"authorization_code": {
                    "pkce": true, "refresh_token": true, "refresh_token_rotation": "keep",
                }},
            }),
        ),
        app(
            "lens",
            json!({
                "first_party": true,
                "auth": {"authorization_code": {"token_format": "opaque"}},
            }),
        ),
        app(
            "robot",
            json!({
                "grant_types": ["client_credentials"], "redirect_uris": [], "introspect": "any",
            }),
        ),
        app("tv", json!({"grant_types": ["device_code", "refresh_token"]})),
    ]
}

/// Hashing passwords and making RSA keys takes long, so it is done once.
static TEMPLATE: OnceCell<Vec<Record>> = OnceCell::const_new();

async fn template() -> Vec<Record> {
    let store = Arc::new(Shaky::default());
    let clock = Arc::new(TestClock(AtomicU64::new(START)));
    let issuer = open(&store, &clock, &Plot::default()).await;
    for document in documents() {
        issuer.apply(document, Mode::Write).await.unwrap();
    }
    let mut records = Vec::new();
    for kind in [Kind::Account, Kind::Client, Kind::Keyring] {
        records.extend(all(&issuer, kind).await);
    }
    records
}

async fn open(store: &Arc<Shaky>, clock: &Arc<TestClock>, plot: &Plot) -> Issuer {
    Issuer::open(parts(store, clock, plot)).await.unwrap()
}

fn parts(store: &Arc<Shaky>, clock: &Arc<TestClock>, plot: &Plot) -> Parts {
    let aliases = plot.aliases.iter().map(|(n, d)| ((*n).to_owned(), (*d).to_owned()));
    Parts {
        store: Arc::clone(store) as Arc<dyn Store>,
        site: Arc::from("main"),
        address: SiteAddress {
            issuer: ISSUER.to_owned(),
            name: "Castellan".to_owned(),
            alias_digests: aliases.collect(),
            resources: vec![format!("{ISSUER}/api")],
            guards: Vec::new(),
            site_accesses: Vec::new(),
        },
        settings: plot.settings.clone(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        master: MasterKey::read(&"A".repeat(43)).unwrap(),
        passwords: castellan_issuer::secrets::hashing::Passwords::start(),
        readiness: Arc::default(),
        resources: castellan_issuer::resources::Roster::default(),
    }
}

/// Every record of `kind`.
pub(crate) async fn all(issuer: &Issuer, kind: Kind) -> Vec<Record> {
    let site = Arc::clone(issuer.repository().site());
    let query = PageQuery { site, kind, prefix: String::new(), after: None, limit: 10_000 };
    issuer.repository().store().page(&query, issuer.now()).await.unwrap()
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with(Plot::default()).await
    }

    pub(crate) async fn with(plot: Plot) -> Self {
        Self::built(plot, |_| true).await
    }

    /// Keys, and nobody and nothing else.
    pub(crate) async fn empty() -> Self {
        Self::built(Plot::default(), |kind| kind == Kind::Keyring).await
    }

    async fn built(plot: Plot, wanted: impl Fn(Kind) -> bool) -> Self {
        let store = Arc::new(Shaky::default());
        for record in TEMPLATE.get_or_init(template).await {
            if wanted(record.key.kind) {
                let Record { key, body, unique, expires_at, .. } = record.clone();
                let draft = Draft { key, body, unique, expires_at };
                store.insert(draft, Notice::Silent, Timestamp(START)).await.unwrap();
            }
        }
        let clock = Arc::new(TestClock(AtomicU64::new(START + 100)));
        let issuer = open(&store, &clock, &plot).await;
        Self { issuer, store, clock, plot }
    }

    /// Another node, or the same one after a restart: the same records and the same time.
    pub(crate) async fn again(&self) -> Self {
        let store = Arc::new(self.store.reconnect());
        let (clock, plot) = (Arc::clone(&self.clock), self.plot.clone());
        let issuer = open(&store, &clock, &plot).await;
        Self { issuer, store, clock, plot }
    }

    /// The same records, and aliases that mean something else by now.
    pub(crate) async fn replotted(&self, aliases: Vec<(&'static str, &'static str)>) -> Self {
        let plot = Plot { aliases, ..self.plot.clone() };
        let (store, clock) = (Arc::new(self.store.reconnect()), Arc::clone(&self.clock));
        let issuer = open(&store, &clock, &plot).await;
        Self { issuer, store, clock, plot }
    }

    /// What an issuer over this store is made of.
    pub(crate) fn parts(&self) -> Parts {
        parts(&self.store, &self.clock, &self.plot)
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn apply(&self, document: Value) {
        self.issuer.apply(document, Mode::Write).await.unwrap();
    }

    /// Changes one resource by its document.
    pub(crate) async fn edit(&self, id: &str, edit: impl FnOnce(&mut Value)) {
        let mut document = documents().into_iter().find(|document| document["id"] == id).unwrap();
        edit(&mut document);
        self.apply(document).await;
    }

    /// A browser in which `account` is signed in.
    pub(crate) async fn tab_of(&self, account: &str) -> Tab {
        let now = self.issuer.now();
        let held = self.issuer.repository().get::<Account>(account, now).await.unwrap().unwrap();
        let tab = Tab::new();
        let account = (held.id, held.body);
        let (cookie, _) = self.issuer.open_session(account, &tab.browser()).await.unwrap();
        Tab { session: Some(cookie.text()), ..tab }
    }

    /// An app sends the browser here, with `more` in its request.
    pub(crate) async fn begin(
        &self,
        client: &str,
        tab: &Tab,
        more: &[(&str, &str)],
    ) -> Result<Next, FlowError> {
        let pairs = [&request(client)[..], more].concat();
        self.issuer.begin(&params(&pairs), &tab.browser()).await
    }

    pub(crate) async fn sign_in(&self, flow: &str, name: &str, tab: &Tab) -> Logged {
        let form = params(&[("username", name), ("password", PASSWORD)]);
        self.issuer.sign_in(flow, &form, &tab.browser()).await
    }

    /// A code for `client`, agreed to by whoever is signed in.
    pub(crate) async fn code(&self, client: &str, tab: &Tab, more: &[(&str, &str)]) -> String {
        match self.begin(client, tab, more).await.unwrap() {
            Next::Go(url) => code_in(&url),
            Next::Consent(flow) => {
                let next = self.issuer.consent(&flow, Answer::Allow, &tab.browser()).await;
                code_in(&gone(next.unwrap()))
            }
            next => panic!("{next:?}"),
        }
    }

    /// A token request by `client`, which proves itself.
    pub(crate) async fn ask(
        &self,
        client: &str,
        pairs: &[(&str, &str)],
    ) -> Result<TokenAnswer, OAuthError> {
        let secret = secret_of(client);
        let mut all = vec![("client_id", client)];
        all.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
        all.extend(pairs);
        self.issuer.token(&params(&all), None, None).await
    }

    pub(crate) async fn redeem(&self, client: &str, code: &str) -> Result<TokenAnswer, OAuthError> {
        let grant = ("grant_type", "authorization_code");
        self.ask(client, &[grant, ("code", code), ("code_verifier", VERIFIER)]).await
    }

    pub(crate) async fn refresh(
        &self,
        client: &str,
        token: &str,
        more: &[(&str, &str)],
    ) -> Result<TokenAnswer, OAuthError> {
        let mut pairs = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        pairs.extend(more);
        self.ask(client, &pairs).await
    }

    /// The tokens of Ada's at `client`.
    pub(crate) async fn tokens(&self, client: &str) -> TokenAnswer {
        let tab = self.tab_of("ada-1").await;
        let code = self.code(client, &tab, &[]).await;
        self.redeem(client, &code).await.unwrap()
    }

    pub(crate) async fn revoke(&self, client: &str, token: &str) -> Result<(), OAuthError> {
        let secret = secret_of(client);
        let mut pairs = vec![("client_id", client), ("token", token)];
        pairs.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
        self.issuer.revoke(&params(&pairs), None).await.map(drop)
    }

    pub(crate) async fn introspect(&self, client: &str, token: &str) -> Result<Value, OAuthError> {
        let secret = secret_of(client);
        let mut pairs = vec![("client_id", client), ("token", token)];
        pairs.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
        let answer = self.issuer.introspect(&params(&pairs), None).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// Whether an access token holds.
    pub(crate) async fn holds(&self, token: &str) -> bool {
        match self.issuer.verify_access(token, Holder::Bearer).await {
            Ok(_) => true,
            Err(VerifyError::Store(error)) => panic!("{error:?}"),
            Err(_) => false,
        }
    }

    /// Whether somebody is signed in in this browser.
    pub(crate) async fn knows(&self, tab: &Tab) -> bool {
        self.issuer.signed_in(&tab.browser()).await.unwrap().is_some()
    }

    /// Every family that is not over.
    pub(crate) async fn families(&self) -> Vec<Family> {
        let records = all(&self.issuer, Kind::Family).await;
        let read = |record: &Record| serde_json::from_slice::<Family>(&record.body).unwrap();
        records.iter().map(read).filter(|family| !family.ended).collect()
    }
}

pub(crate) type Logged = Result<SignInOutcome, FlowError>;

/// The address that the browser is sent to.
pub(crate) fn gone(next: Next) -> String {
    match next {
        Next::Go(url) => url,
        next => panic!("{next:?}"),
    }
}

/// The flow of a sign-in form.
pub(crate) fn login_flow(next: Next) -> String {
    match next {
        Next::Login(flow) => flow,
        next => panic!("{next:?}"),
    }
}

/// The flow of a consent form.
pub(crate) fn consent_flow(next: Next) -> String {
    match next {
        Next::Consent(flow) => flow,
        next => panic!("{next:?}"),
    }
}

/// The code in an answer.
pub(crate) fn code_in(url: &str) -> String {
    let (_, query) = url.split_once('?').unwrap();
    let code = query.split('&').find_map(|pair| pair.strip_prefix("code="));
    code.unwrap().to_owned()
}
