//! How a connection begins: by the PROXY protocol, and by a handshake of TLS, where its listener has
//! these.

use std::{io, net::IpAddr};

use tokio::net::TcpStream;

use super::{Manner, proxy_protocol, socket::Socket};
use crate::wire::client_certificate::{Arrival, ClientCertificate};

/// A connection that can be asked.
pub(super) struct Opened {
    pub(super) socket: Socket,
    /// Whose it is, if a load balancer says so.
    pub(super) source: Option<IpAddr>,
    pub(super) arrival: Arrival,
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
    let arrival = Arrival { redirects: manner.redirects, ..Arrival::default() };
    let Some(tls) = &manner.tls else {
        return Ok(Opened { socket: Socket::Plain(socket), source, arrival });
    };
    let stream = tls.acceptor().accept(socket).await?;
    // The first one is the leaf, which the handshake verified; those behind it may be anybody's
    // (`docs/security-cases.md` row 39).
    let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let certificate = leaf.map(|leaf| ClientCertificate::of_handshake(leaf));
    let arrival = Arrival { tls: true, certificate, ..arrival };
    Ok(Opened { socket: Socket::Tls(Box::new(stream)), source, arrival })
}
