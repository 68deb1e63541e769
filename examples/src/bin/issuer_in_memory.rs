//! The issuer without a server: one app, one token, checked again. `cargo run -p castellan-examples
//! --bin issuer_in_memory`

use std::{
    error::Error,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use castellan_issuer::{
    Issuer, Parts, Settings,
    keys::MasterKey,
    request::params::Params,
    resources::{Mode, Roster},
    secrets::hashing::Passwords,
    settings::SiteAddress,
    store::Memory,
    tokens::verified::Holder,
};
use castellan_proto::{Clock, Timestamp};
use serde_json::json;

/// The machine's clock.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(since.as_secs())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::open(Parts {
        store: Arc::new(Memory::default()),
        site: "main".into(),
        address: SiteAddress {
            issuer: "https://id.example.org".to_owned(),
            name: "Example".to_owned(),
            alias_digests: std::iter::empty().collect(),
            resources: Vec::new(),
            guards: Vec::new(),
            site_accesses: Vec::new(),
        },
        settings: Settings::default(),
        clock: Arc::new(SystemClock),
        master: MasterKey::generate(),
        passwords: Passwords::start(),
        readiness: Arc::default(),
        resources: Roster::default(),
    })
    .await?;

    // The same document that `castellan apply` takes.
    let app = json!({
        "resourceType": "Client",
        "id": "robot",
        "secret": "not-a-secret-any-more",
        "grant_types": ["client_credentials"],
        "scope": ["Mutation:Person:Create"],
    });
    issuer.apply(app, Mode::Write).await?;

    let request = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "not-a-secret-any-more"),
    ];
    let request = request.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = issuer.token(&Params::from_pairs(request)?, None, None).await?;
    let token = &answer.access_token;
    println!("access token: {token}");

    let live = issuer.verify_access(token, Holder::Bearer).await?;
    println!("its scope: {}", live.scope);
    Ok(())
}
