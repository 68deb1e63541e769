//! HAProxy from Debian's packages: one thread; every request shows an ES256 token whose signature
//! and lifetime are checked each time.

use std::{fs, net::SocketAddr, process::Command};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use super::{Ground, castellan::GATE};
use crate::{
    fault::Fault,
    packages,
    process::{Server, free_address, said, tied},
    wire::{Request, Wire},
};

/// What comes before the point of a P-256 key in a `SubjectPublicKeyInfo` (RFC 5480).
const P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// Starts one that lets the bearer of `token`, signed by `issuer`, through to `upstream`.
///
/// # Errors
/// [`Fault::Missing`] if there is no HAProxy; [`Fault::Failed`] if it does not start.
pub async fn start(
    ground: &Ground,
    upstream: SocketAddr,
    (issuer, token): (SocketAddr, &str),
) -> Result<Server, Fault> {
    packages::debian(("haproxy", "-v"), "haproxy")?;
    let (address, folder) = (free_address()?, ground.folder()?);
    let key = folder.join("key.pem");
    fs::write(&key, public_key(issuer, token).await?)?;
    let config = format!(
        "global\n  nbthread 1\n  maxconn 8192\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         \x20 http-reuse always\n\
         frontend gate\n  bind {address}\n\
         \x20 http-request set-var(txn.bearer) http_auth_bearer\n\
         \x20 http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')\n\
         \x20 http-request deny deny_status 401 unless {{ var(txn.alg) -m str ES256 }}\n\
         \x20 http-request deny deny_status 401 unless \
         {{ var(txn.bearer),jwt_verify(txn.alg,\"{key}\") 1 }}\n\
         \x20 http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')\n\
         \x20 http-request set-var(txn.now) date()\n\
         \x20 http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}\n\
         \x20 http-request set-path /\n  default_backend api\n\
         backend api\n  server api {upstream}\n",
        key = key.display()
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config)?;
    let mut command = tied("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    let mut server = Server::start("haproxy", &mut command, (address, &folder))?;
    let ask = |token: &str| {
        let request = Request::new("POST", GATE, address);
        request.header("authorization", &format!("Bearer {token}")).body("application/json", "{}")
    };
    server.until(&ask(token), |answer| answer.status == 200).await?;
    // A check that lets everything through would be fast, and worth nothing.
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    Wire::to(address).ask(&ask(&forged)).await?.expect("a forged token", 401, b"")?;
    Ok(server)
}

/// The version of HAProxy.
#[must_use]
pub fn version() -> Option<String> {
    let text = said(Command::new("haproxy").arg("-v")).ok()?;
    text.split(' ').nth(2).map(|version| format!("haproxy/{version}"))
}

/// The key that signed `token`, as PEM.
async fn public_key(issuer: SocketAddr, token: &str) -> Result<String, Fault> {
    let wrong = || Fault::failed("the key of the token is not among the published ones");
    let mut wire = Wire::to(issuer);
    let request = Request::new("GET", "/.well-known/jwks.json", issuer).empty();
    let answer = wire.ask(&request).await?.expect("the published keys", 200, b"keys")?;
    let set: Value = serde_json::from_slice(answer.body).map_err(|_| wrong())?;
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Value = serde_json::from_slice(&header.unwrap_or_default()).map_err(|_| wrong())?;
    let keys = set["keys"].as_array().ok_or_else(wrong)?;
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).ok_or_else(wrong)?;
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
    let (x, y) = part("x").zip(part("y")).ok_or_else(wrong)?;
    let text = STANDARD.encode([&P256[..], &x, &y].concat());
    let (first, rest) = text.split_at(64);
    Ok(format!("-----BEGIN PUBLIC KEY-----\n{first}\n{rest}\n-----END PUBLIC KEY-----\n"))
}
