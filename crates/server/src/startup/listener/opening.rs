//! How a connection begins: by the PROXY protocol, and by a handshake of TLS, where its listener has
//! these.

use std::{io, net::IpAddr};

use tokio::net::TcpStream;

use super::{Manner, proxy_protocol, socket::Socket};
use crate::wire::client_certificate::{ClientCertificate, ConnectionInfo};

/// A connection that can be asked.
pub(super) struct Opened {
    pub(super) socket: Socket,
    /// Whose it is, if a load balancer says so.
    pub(super) source: Option<IpAddr>,
    pub(super) info: ConnectionInfo,
}

/// Opens the connection at `socket`.
///
/// # Errors
/// [`io::Error`] if it does not begin as it has to.
pub(super) async fn open(manner: &Manner, mut socket: TcpStream) -> io::Result<Opened> {
    let source = match &*manner.balancers {
        [] => None,
        _ => proxy_protocol::read(&mut socket).await?,
    };
    let info = ConnectionInfo { redirects: manner.redirects, ..ConnectionInfo::default() };
    let Some(tls) = &manner.tls else {
        return Ok(Opened { socket: Socket::Plain(socket), source, info });
    };
    let stream = tls.acceptor().accept(socket).await?;
    // The first one is the leaf, which the handshake verified; those behind it may be anybody's
    // (`docs/security-cases.md` row 39).
    let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let certificate = leaf.map(|leaf| ClientCertificate::of_handshake(leaf));
    let info = ConnectionInfo { tls: true, certificate, ..info };
    Ok(Opened { socket: Socket::Tls(Box::new(stream)), source, info })
}
