//! Who gets which token, and why: the rules of the protocol, without HTTP and without SQL.
//!
//! [`Issuer`] is the list of methods that a server may call. From top to bottom: what the endpoints
//! do ([`endpoint`], [`resources`]), ways to a token ([`grant`], [`authorization`]), what is issued
//! and whether it is still valid ([`tokens`], [`session`]), and what all of that depends on
//! ([`keys`], [`records`], [`store`]).

pub mod audit;
pub mod authorization;
pub mod cache;
pub mod caller_policies;
pub mod client_auth;
pub mod endpoint;
pub mod error;
pub mod foreign;
pub mod grant;
pub mod keys;
pub mod language;
pub mod machine;
pub mod management;
pub mod managers;
pub mod messages;
pub mod palette;
pub mod person_token;
pub mod policy;
mod queue;
pub mod readiness;
pub mod records;
pub mod request;
pub mod resources;
pub mod rights;
pub mod secrets;
pub mod session;
pub mod settings;
pub mod sign_in;
pub mod store;
pub mod throttle;
pub mod tokens;
pub mod transfer;

use std::sync::Arc;

use castellan_proto::{Clock, Timestamp};

pub use queue::QueueLength;
pub use records::repository::{Repository, Stored, Versioned};
pub use settings::Settings;

use crate::{
    cache::{liveness::Liveness, verdicts::Verdicts},
    keys::{Keyring, MasterKey},
    readiness::Readiness,
    secrets::hashing::Passwords,
    settings::SiteAddress,
    store::Store,
    tokens::verified::Live,
};

/// One site's issuer. Cheap to clone: all of it is shared.
#[derive(Clone)]
pub struct Issuer {
    shared: Arc<Shared>,
    address: Arc<SiteAddress>,
    grants: grant::Roster,
    sign_in_methods: sign_in::Roster,
    messenger: Option<Arc<dyn messages::Messenger>>,
    /// It checks documents and writes none, so that no secret has to be hashed.
    is_checking: bool,
}

struct Shared {
    repository: Repository,
    settings: Settings,
    clock: Arc<dyn Clock>,
    master: MasterKey,
    keyring: Keyring,
    passwords: Passwords,
    checking_passwords: Passwords,
    readiness: Arc<Readiness>,
    resources: resources::Roster,
    liveness: Arc<Liveness>,
    verdicts: Verdicts<Live>,
    verified_secrets: client_auth::VerifiedSecrets,
    right_passwords: sign_in::per_request::RightPasswords,
    certificate_people: sign_in::certificate::CertificatePeople,
    accounts_ordered: resources::search::Ordered,
    person_tokens: Verdicts<sign_in::per_request::ProvenPerson>,
    record_cache: cache::records::RecordCache,
    policies: cache::whole::Whole<cache::policies::Policies>,
    roles: cache::whole::Whole<cache::roles::Roles>,
    texts_of_scopes: cache::whole::Whole<cache::scope_texts::ScopeTexts>,
    auth_configs: cache::whole::Whole<cache::auth_configs::AuthConfigs>,
    seen_proofs: tokens::dpop::SeenProofs,
    user_code_throttle: authorization::device::UserCodeThrottle,
    poll_intervals: authorization::device::PollIntervals,
    logout_queue: session::logout_notice::Queue,
    audit_queue: audit::Queue,
    guessers: throttle::per_source::Sources,
    beginners: throttle::per_source::Sources,
    registrants: throttle::per_source::Sources,
    known_places: throttle::per_secret::KnownPlaces,
    member_index: resources::members::KnownMemberIndex,
}

/// What an issuer is made of.
pub struct Parts {
    /// The data source.
    pub store: Arc<dyn Store>,
    /// Whose records: the site's name.
    pub site: Arc<str>,
    /// Where the site is reached.
    pub address: SiteAddress,
    /// Lifetimes and other settings of tokens.
    pub settings: Settings,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What seals keys and makes secrets unreadable in the store.
    pub master: MasterKey,
    /// What hashes passwords; one for all sites, as its bounds are the machine's.
    pub passwords: Passwords,
    /// Whether this node can write and its clock is right; one for all sites, as they share a data
    /// source.
    pub readiness: Arc<Readiness>,
    /// What kinds of resources there are.
    pub resources: resources::Roster,
}

impl Issuer {
    /// Opens the keyring, or makes one in an empty store.
    ///
    /// # Errors
    /// [`keys::KeyringError`] if the store fails, or the ring there does not open with this master
    /// key; nothing is generated beside it.
    pub async fn open(parts: Parts) -> Result<Self, keys::KeyringError> {
        let repository = Repository::new(Arc::clone(&parts.store), Arc::clone(&parts.site));
        let keyring = Keyring::open(&repository, &parts.master, parts.clock.now()).await?;
        Ok(Self::with(parts, repository, keyring))
    }

    /// The same for whoever only reads: opens the keyring that there is, and goes without keys where
    /// there is none.
    ///
    /// # Errors
    /// [`keys::KeyringError`] if the store fails, or the ring there does not open with this master
    /// key.
    pub async fn look(parts: Parts) -> Result<Self, keys::KeyringError> {
        let repository = Repository::new(Arc::clone(&parts.store), Arc::clone(&parts.site));
        let keyring = Keyring::look(&repository, &parts.master, parts.clock.now()).await?;
        Ok(Self::with(parts, repository, keyring))
    }

    fn with(parts: Parts, repository: Repository, keyring: Keyring) -> Self {
        let Parts { address, settings, clock, master, passwords, readiness, resources, .. } = parts;
        let shared = Shared {
            repository,
            settings,
            clock,
            master,
            keyring,
            checking_passwords: passwords.without_making(),
            passwords,
            readiness,
            resources,
            liveness: Arc::new(Liveness::new()),
            verdicts: Verdicts::default(),
            verified_secrets: client_auth::VerifiedSecrets::default(),
            right_passwords: sign_in::per_request::RightPasswords::default(),
            certificate_people: sign_in::certificate::CertificatePeople::default(),
            accounts_ordered: resources::search::Ordered::default(),
            person_tokens: Verdicts::default(),
            record_cache: cache::records::RecordCache::default(),
            policies: cache::whole::Whole::default(),
            roles: cache::whole::Whole::default(),
            texts_of_scopes: cache::whole::Whole::default(),
            auth_configs: cache::whole::Whole::default(),
            seen_proofs: tokens::dpop::SeenProofs::default(),
            user_code_throttle: authorization::device::UserCodeThrottle::default(),
            poll_intervals: authorization::device::PollIntervals::default(),
            logout_queue: session::logout_notice::Queue::default(),
            audit_queue: audit::Queue::default(),
            guessers: throttle::per_source::Sources::new(&throttle::per_source::GUESSES),
            beginners: throttle::per_source::Sources::new(&throttle::per_source::BEGUN),
            registrants: throttle::per_source::Sources::new(&throttle::per_source::REGISTERED),
            known_places: throttle::per_secret::KnownPlaces::default(),
            member_index: resources::members::KnownMemberIndex::default(),
        };
        Self {
            shared: Arc::new(shared),
            address: Arc::new(address),
            grants: grant::ROSTER,
            sign_in_methods: sign_in::ROSTER,
            messenger: None,
            is_checking: false,
        }
    }

    /// The same issuer, all else of it shared, where its scopes mean something else.
    #[must_use]
    pub fn at(&self, address: SiteAddress) -> Self {
        Self { address: Arc::new(address), ..self.clone() }
    }

    /// The same issuer, all else of it shared, which serves other grants.
    #[must_use]
    pub fn serving(&self, grants: grant::Roster) -> Self {
        Self { grants, ..self.clone() }
    }

    /// The same issuer, all else of it shared, where people sign in in other ways.
    #[must_use]
    pub fn signing_in_by(&self, sign_in_methods: sign_in::Roster) -> Self {
        Self { sign_in_methods, ..self.clone() }
    }

    /// Every way in which people sign in, whether or not a site offers it.
    pub(crate) const fn sign_in_roster(&self) -> sign_in::Roster {
        self.sign_in_methods
    }

    /// The grants that it serves.
    #[must_use]
    pub fn grants(&self) -> grant::Roster {
        self.grants
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Where the present comes from.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// The records of this site.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.shared.repository
    }

    /// Where the site is reached.
    #[must_use]
    pub fn address(&self) -> &SiteAddress {
        &self.address
    }

    /// Lifetimes and other settings of tokens.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The signing keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.shared.keyring
    }

    /// The pool that hashes passwords.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        if self.is_checking { &self.shared.checking_passwords } else { &self.shared.passwords }
    }

    /// The same issuer for documents that are checked and not written: it hashes nothing.
    pub(crate) fn checking(&self) -> Self {
        Self { is_checking: true, ..self.clone() }
    }

    /// Whether this node can write and its clock is right.
    #[must_use]
    pub fn readiness(&self) -> &Arc<Readiness> {
        &self.shared.readiness
    }

    /// The kinds of resources that there are.
    #[must_use]
    pub fn resources(&self) -> &resources::Roster {
        &self.shared.resources
    }

    /// What decides whether a verdict of earlier still counts.
    #[must_use]
    pub fn liveness(&self) -> &Arc<Liveness> {
        &self.shared.liveness
    }

    /// What symmetric keys branch off.
    pub(crate) fn root(&self) -> keys::RootKey {
        self.shared.keyring.root()
    }

    pub(crate) fn master(&self) -> &MasterKey {
        &self.shared.master
    }

    pub(crate) fn verdicts(&self) -> &Verdicts<Live> {
        &self.shared.verdicts
    }

    pub(crate) fn verified_secrets(&self) -> &client_auth::VerifiedSecrets {
        &self.shared.verified_secrets
    }

    pub(crate) fn certificate_people(&self) -> &sign_in::certificate::CertificatePeople {
        &self.shared.certificate_people
    }

    pub(crate) fn right_passwords(&self) -> &sign_in::per_request::RightPasswords {
        &self.shared.right_passwords
    }

    pub(crate) fn person_tokens(&self) -> &Verdicts<sign_in::per_request::ProvenPerson> {
        &self.shared.person_tokens
    }

    pub(crate) fn seen_proofs(&self) -> &tokens::dpop::SeenProofs {
        &self.shared.seen_proofs
    }

    pub(crate) fn user_code_throttle(&self) -> &authorization::device::UserCodeThrottle {
        &self.shared.user_code_throttle
    }

    pub(crate) fn poll_intervals(&self) -> &authorization::device::PollIntervals {
        &self.shared.poll_intervals
    }

    pub(crate) fn logout_queue(&self) -> &session::logout_notice::Queue {
        &self.shared.logout_queue
    }

    pub(crate) fn audit_queue(&self) -> &audit::Queue {
        &self.shared.audit_queue
    }

    /// Who guesses at secrets.
    pub(crate) fn guessers(&self) -> &throttle::per_source::Sources {
        &self.shared.guessers
    }

    /// Who begins what is kept.
    pub(crate) fn beginners(&self) -> &throttle::per_source::Sources {
        &self.shared.beginners
    }

    pub(crate) fn member_index(&self) -> &resources::members::KnownMemberIndex {
        &self.shared.member_index
    }

    /// Who registers clients without being known.
    pub(crate) fn registrants(&self) -> &throttle::per_source::Sources {
        &self.shared.registrants
    }

    pub(crate) fn known_places(&self) -> &throttle::per_secret::KnownPlaces {
        &self.shared.known_places
    }

    pub(crate) fn record_cache(&self) -> &cache::records::RecordCache {
        &self.shared.record_cache
    }

    pub(crate) fn policy_cache(&self) -> &cache::whole::Whole<cache::policies::Policies> {
        &self.shared.policies
    }

    pub(crate) fn roles(&self) -> &cache::whole::Whole<cache::roles::Roles> {
        &self.shared.roles
    }

    pub(crate) fn texts_of_scopes(&self) -> &cache::whole::Whole<cache::scope_texts::ScopeTexts> {
        &self.shared.texts_of_scopes
    }

    pub(crate) fn auth_configs(&self) -> &cache::whole::Whole<cache::auth_configs::AuthConfigs> {
        &self.shared.auth_configs
    }
}
