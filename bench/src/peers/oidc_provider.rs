//! node-oidc-provider: what it needs, and how it is started. Its code is in
//! `oidc-provider/server.mjs`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Endpoints, Format, Ground, Login, Provider, new_secret};
use crate::{
    fault::Fault,
    packages,
    process::{Server, free_address, said, tied},
};

const ENDPOINTS: Endpoints =
    Endpoints { authorize: "/auth", token: "/token", introspect: "/token/introspection" };

/// One with its keys, whether it runs or not.
pub struct Setup {
    /// As its clients see it.
    pub provider: Provider,
    folder: PathBuf,
}

impl Setup {
    /// Has what it needs.
    ///
    /// # Errors
    /// [`Fault::Missing`] if Node.js or its packages cannot be had.
    pub fn new(ground: &Ground) -> Result<Self, Fault> {
        packages::node(&sources())?;
        let provider = Provider {
            address: free_address()?,
            endpoints: ENDPOINTS,
            login: Login::Interaction,
            secret: new_secret(),
        };
        Ok(Self { provider, folder: ground.folder()? })
    }

    /// Starts it, and waits until it issues a token. It keeps everything in memory.
    ///
    /// # Errors
    /// [`Fault::Failed`] if it does not start.
    pub async fn open(&self) -> Result<Server, Fault> {
        let address = self.provider.address;
        let mut command = tied("node");
        command
            .arg(sources().join("server.mjs"))
            .env("NODE_ENV", "production")
            .env("BENCH_KEYS", self.folder.join("keys.json"))
            .env("BENCH_PORT", address.port().to_string())
            .env("BENCH_SECRET", &self.provider.secret);
        let mut server = Server::start("oidc-provider", &mut command, (address, &self.folder))?;
        let (request, _) = self.provider.issue(Format::Opaque);
        server.until(&request, |answer| answer.status == 200).await?;
        Ok(server)
    }
}

/// Its version, and that of what it runs on.
#[must_use]
pub fn version() -> Option<String> {
    let node = said(Command::new("node").arg("--version")).ok()?;
    let manifest = fs::read_to_string(sources().join("package.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest).ok()?;
    let version = manifest["dependencies"]["oidc-provider"].as_str()?;
    Some(format!("oidc-provider/{version} on Node.js {node}"))
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("oidc-provider")
}
