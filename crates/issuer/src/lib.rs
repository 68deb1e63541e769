//! Who gets which token, and why: the rules of the protocol, without HTTP and without SQL.
//!
//! [`Issuer`] is the list of verbs that the roof may call. Each room below it is one idea:
//! a request for authorization ([`authorize`]), the browser's way through it ([`flow`]), the token
//! endpoint ([`token`]) with one room per grant ([`grant`]), what a token says ([`mint`]) and
//! whether it still holds ([`verify`], [`liveness`]).

pub mod authorization;
pub mod cache;
pub mod client_auth;
pub mod endpoint;
pub mod error;
pub mod grant;
pub mod keys;
pub mod machine;
pub mod records;
pub mod request;
pub mod resources;
pub mod session;
pub mod settings;
pub mod sign_in;
pub mod store;
pub mod throttle;
pub mod tokens;
pub mod transfer;

use std::sync::Arc;

use castellan_proto::{Clock, Timestamp};

pub use records::repository::Desk;
pub use settings::Settings;

use crate::{
    cache::{liveness::Liveness, verdicts::Verdicts},
    keys::{Keyring, MasterKey},
    settings::Place,
    sign_in::password::Passwords,
    store::Store,
    tokens::verify::Live,
};

/// One site's issuer. Cheap to clone: all of it is shared.
#[derive(Clone)]
pub struct Issuer {
    shared: Arc<Shared>,
}

struct Shared {
    desk: Desk,
    settings: Settings,
    place: Place,
    clock: Arc<dyn Clock>,
    master: MasterKey,
    keyring: Keyring,
    passwords: Passwords,
    liveness: Arc<Liveness>,
    verdicts: Verdicts<Live>,
    memo: client_auth::Memo,
    shelf: cache::records::Shelf,
    seen_proofs: tokens::dpop::SeenProofs,
    wrong_codes: authorization::device::WrongCodes,
    looks: authorization::device::Looks,
    outbox: session::logout_notice::Outbox,
    sources: throttle::per_source::Sources,
}

/// What an issuer is made of.
pub struct Parts {
    /// Where records are kept.
    pub store: Arc<dyn Store>,
    /// Whose records: the site's name.
    pub site: Arc<str>,
    /// Where the site is reached.
    pub place: Place,
    /// How tokens are issued.
    pub settings: Settings,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What seals keys and makes secrets unreadable in the store.
    pub master: MasterKey,
    /// What hashes passwords; one for all sites, as its bounds are the machine's.
    pub passwords: Passwords,
}

impl Issuer {
    /// Opens the keyring, or makes one in an empty store.
    ///
    /// # Errors
    /// [`keys::KeyringError`] if the store fails, or the ring there does not open with this master
    /// key; nothing is generated beside it.
    pub async fn open(parts: Parts) -> Result<Self, keys::KeyringError> {
        let Parts { store, site, place, settings, clock, master, passwords } = parts;
        let desk = Desk::new(store, site);
        let keyring = Keyring::open(&desk, &master, &settings, clock.now()).await?;
        let shared = Shared {
            desk,
            settings,
            place,
            clock,
            master,
            keyring,
            passwords,
            liveness: Arc::new(Liveness::new()),
            verdicts: Verdicts::default(),
            memo: client_auth::Memo::default(),
            shelf: cache::records::Shelf::default(),
            seen_proofs: tokens::dpop::SeenProofs::default(),
            wrong_codes: authorization::device::WrongCodes::default(),
            looks: authorization::device::Looks::default(),
            outbox: session::logout_notice::Outbox::default(),
            sources: throttle::per_source::Sources::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The present.
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
    pub fn desk(&self) -> &Desk {
        &self.shared.desk
    }

    /// Where the site is reached.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.shared.place
    }

    /// How tokens are issued.
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
        &self.shared.passwords
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

    pub(crate) fn memo(&self) -> &client_auth::Memo {
        &self.shared.memo
    }

    pub(crate) fn seen_proofs(&self) -> &tokens::dpop::SeenProofs {
        &self.shared.seen_proofs
    }

    pub(crate) fn wrong_codes(&self) -> &authorization::device::WrongCodes {
        &self.shared.wrong_codes
    }

    pub(crate) fn looks(&self) -> &authorization::device::Looks {
        &self.shared.looks
    }

    pub(crate) fn outbox(&self) -> &session::logout_notice::Outbox {
        &self.shared.outbox
    }

    pub(crate) fn sources(&self) -> &throttle::per_source::Sources {
        &self.shared.sources
    }

    pub(crate) fn shelf(&self) -> &cache::records::Shelf {
        &self.shared.shelf
    }
}
