//! The servers that are measured.

pub mod bare;
pub mod castellan;
pub mod haproxy;
pub mod nginx;
pub mod oidc_provider;
pub mod postgres;
pub mod source;

use std::{
    cell::RefCell,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use castellan_proto::{Opaque, OpaqueKind};
use tempfile::TempDir;

use crate::{
    fault::Fault,
    process::Server,
    wire::{Request, Wire},
};

/// A server that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Peer {
    /// The server that is measured.
    Castellan,
    /// node-oidc-provider, on Node.js.
    OidcProvider,
    /// nginx, which passes everything on unread.
    Nginx,
    /// HAProxy, which checks ES256 tokens.
    Haproxy,
    /// A bare axum server that does only what the case needs.
    Axum,
}

impl Peer {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Castellan => "castellan",
            Self::OidcProvider => "oidc-provider",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Axum => "axum",
        }
    }
}

/// Where servers are put up for this run.
pub struct Ground {
    /// The binary of Castellan.
    pub castellan: PathBuf,
    /// Worker threads that Castellan gets; as many as it likes without it.
    pub threads: Option<usize>,
    /// Whether the servers that are measured run under callgrind.
    pub counted: bool,
    /// Whether Castellan shows metrics, and so counts what it does.
    pub metrics: bool,
    /// The folder of the runs' data, deleted when this is dropped.
    folder: TempDir,
    folders: RefCell<usize>,
}

impl Ground {
    /// A ground with a new folder below `place`.
    ///
    /// # Errors
    /// [`Fault::Failed`] if the folder cannot be made.
    pub fn new(castellan: &Path, threads: Option<usize>, place: &Path) -> Result<Self, Fault> {
        let no_place = |error| Fault::failed(format!("{}: {error}", place.display()));
        std::fs::create_dir_all(place).map_err(no_place)?;
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(place).map_err(no_place)?;
        let castellan = std::fs::canonicalize(castellan)
            .map_err(|error| Fault::failed(format!("{}: {error}", castellan.display())))?;
        let folders = RefCell::default();
        Ok(Self { castellan, threads, counted: false, metrics: false, folder, folders })
    }

    /// A ground below this one, on which the servers that are measured run under callgrind, Castellan
    /// with or without `metrics`.
    ///
    /// # Errors
    /// [`Fault::Failed`] if its folder cannot be made.
    pub fn counting(&self, metrics: bool) -> Result<Self, Fault> {
        let ground = Self::new(&self.castellan, self.threads, self.place())?;
        Ok(Self { counted: true, metrics, ..ground })
    }

    /// A new folder for one server.
    ///
    /// # Errors
    /// [`Fault::Io`] if it cannot be made.
    pub fn folder(&self) -> Result<PathBuf, Fault> {
        let number = self.folders.replace_with(|number| *number + 1);
        let folder = self.folder.path().join(number.to_string());
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Where all of it is.
    #[must_use]
    pub fn place(&self) -> &Path {
        self.folder.path()
    }
}

/// What an access token looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A text that only its issuer can read.
    Opaque,
    /// A JWT signed with ES256.
    Es256,
    /// A JWT signed with RS256 and a key of 2048 bits.
    Rs256,
}

impl Format {
    /// The client that gets such tokens.
    #[must_use]
    pub const fn client(self) -> &'static str {
        match self {
            Self::Opaque => "machine-opaque",
            Self::Es256 => "machine-es256",
            Self::Rs256 => "machine-rs256",
        }
    }

    /// What a response contains before a token of this kind.
    const fn begins(self) -> &'static [u8] {
        match self {
            Self::Opaque => b"\"access_token\":\"",
            Self::Es256 | Self::Rs256 => b"\"access_token\":\"ey",
        }
    }
}

/// Where an OAuth server has what.
#[derive(Clone, Copy)]
pub struct Endpoints {
    /// The authorization endpoint.
    pub authorize: &'static str,
    /// The token endpoint.
    pub token: &'static str,
    /// The introspection endpoint.
    pub introspect: &'static str,
}

/// How the pages of an OAuth server are filled in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Castellan's own pages.
    Castellan,
    /// The pages in `oidc-provider/server.mjs`.
    Interaction,
}

/// An OAuth server, as its clients see it. All of them know the same clients and people.
#[derive(Clone)]
pub struct Provider {
    /// The address it listens on.
    pub address: SocketAddr,
    /// Where it has what.
    pub endpoints: Endpoints,
    /// How its pages are filled in.
    pub login: Login,
    /// The secret of every client.
    pub secret: String,
}

impl Provider {
    /// A request of `client` to the token endpoint.
    #[must_use]
    pub fn token_request(&self, client: &str, form: &[(&str, &str)]) -> Vec<u8> {
        self.client_request((self.endpoints.token, client), form)
    }

    /// A request of `client`, with its secret, to `target`.
    #[must_use]
    pub fn client_request(&self, (target, client): (&str, &str), form: &[(&str, &str)]) -> Vec<u8> {
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{}", self.secret)));
        let request = Request::new("POST", target, self.address);
        request.header("authorization", &basic).header("accept", "application/json").form(form)
    }

    /// The request for one token by the client credentials grant, and what its response contains.
    #[must_use]
    pub fn issue(&self, format: Format) -> (Vec<u8>, &'static [u8]) {
        let form = [("grant_type", "client_credentials"), ("scope", SCOPE)];
        (self.token_request(format.client(), &form), format.begins())
    }

    /// One token by the client credentials grant.
    ///
    /// # Errors
    /// [`Fault`] if none is issued.
    pub async fn one_token(&self, format: Format) -> Result<String, Fault> {
        let (request, begins) = self.issue(format);
        let mut wire = Wire::to(self.address);
        let answer = wire.ask(&request).await?.expect("a token request", 200, begins)?;
        let token = answer.member("access_token").map(ToOwned::to_owned);
        token.ok_or_else(|| answer.wrong("a token request"))
    }
}

/// What machine clients ask for: enough for every document that the gate is shown.
pub const SCOPE: &str = "Mutation:Person:Create Query:*";

/// A secret such as Castellan makes, so that it is kept as a keyed hash.
#[must_use]
pub fn new_secret() -> String {
    Opaque::generate(OpaqueKind::ClientSecret).text()
}

/// A running server, with whatever has to run beside it.
pub struct Standing {
    /// The one that is measured. It ends first.
    pub server: Server,
    /// Kept as long as the server runs.
    _beside: Option<Server>,
}

impl Standing {
    /// A server, and the API behind it.
    #[must_use]
    pub const fn before(server: Server, api: Server) -> Self {
        Self { server, _beside: Some(api) }
    }
}

impl From<Server> for Standing {
    fn from(server: Server) -> Self {
        Self { server, _beside: None }
    }
}
