//! Documents sent through the gates, all in front of the same API.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use async_trait::async_trait;
use tokio_rustls::TlsConnector;

use super::{
    Contestant, Freshness, Same, Stage,
    documents::{Document, number_in, renumber},
};
use crate::{
    fault::Fault,
    load::{self, Done, Slice, Work},
    peers::{
        Format, Ground, Peer, Provider, Standing, bare,
        castellan::{AREA, GATE, Instance, Wants},
        haproxy, nginx,
    },
    process::free_address,
    tls::Tls,
    wire::{Request, Wire},
};

/// What a correct response contains.
pub const NEEDLE: &[u8] = b"{\"data\":{\"CreatePerson\"";
/// New tokens that are made for one slice at most, so that their making is bounded, too.
const MOST_TOKENS: usize = 200_000;
/// New tokens per second of a slice: more than the gate can check.
const TOKENS_PER_SECOND: usize = 20_000;

/// Puts up a gate, and beside it what it needs.
///
/// # Errors
/// [`Fault`] if one of them does not start.
pub async fn enter(
    peer: Peer,
    (document, freshness): (Document, Freshness),
    ground: &Ground,
) -> Result<Contestant, Fault> {
    let PutUp { standing, provider, token, .. } = put_up(peer, Wants::default(), ground).await?;
    let ask = Ask { address: standing.server.address, body: document.body().into() };
    let stage: Box<dyn Stage> = match (freshness, peer) {
        (Freshness::NewToken, Peer::Castellan) => {
            Box::new(Issuing { provider, ask, tokens: Rc::default() })
        }
        (Freshness::NewDocument, _) => {
            let request = ask.with(&token);
            let at =
                number_in(&request).ok_or_else(|| Fault::failed("a document without a number"))?;
            Box::new(Numbered { request, at, next: Rc::default() })
        }
        (Freshness::Seen | Freshness::NewToken, _) => {
            Box::new(same("a document", ask.with(&token)))
        }
    };
    Ok(Contestant { peer, standing, stage })
}

/// The same for a request to a REST API.
///
/// # Errors
/// [`Fault`] if one of them does not start.
pub async fn enter_http(peer: Peer, ground: &Ground) -> Result<Contestant, Fault> {
    let wants = Wants { rest: true, ..Wants::default() };
    let PutUp { standing, token, .. } = put_up(peer, wants, ground).await?;
    let request = Request::new("GET", &format!("{AREA}/7"), standing.server.address)
        .header("authorization", &format!("Bearer {token}"))
        .header("accept", "application/json")
        .empty();
    let stage = Box::new(same("an item", request));
    Ok(Contestant { peer, standing, stage })
}

/// A document over TLS, both seen before: over connections that are kept, or each over a `fresh` one.
///
/// # Errors
/// [`Fault`] if one of them does not start.
pub async fn enter_tls(peer: Peer, fresh: bool, ground: &Ground) -> Result<Contestant, Fault> {
    let wants = Wants { tls: true, ..Wants::default() };
    let PutUp { standing, tls, token, .. } = put_up(peer, wants, ground).await?;
    let tls = tls.ok_or_else(|| Fault::failed(format!("{} speaks no TLS here", peer.name())))?;
    let ask = Ask { address: standing.server.address, body: Document::Mutation.body().into() };
    let request = ask.with(&token).into();
    let stage =
        Box::new(Secure { address: tls.address, connector: tls.connector()?, request, fresh });
    Ok(Contestant { peer, standing, stage })
}

/// A gate that stands, whoever issues its tokens, and one of those.
struct PutUp {
    standing: Standing,
    provider: Provider,
    tls: Option<Tls>,
    token: String,
}

async fn put_up(peer: Peer, wants: Wants, ground: &Ground) -> Result<PutUp, Fault> {
    let api = bare::start("upstream", ground).await?;
    // All servers that validate tokens validate Castellan's.
    let wants = Wants { upstream: Some(api.address), ..wants };
    let instance = Instance::furnish(ground, wants)?;
    let issuer = instance.open().await?;
    let token = instance.provider.one_token(Format::Es256).await?;
    let mut tls = instance.tls.clone();
    let standing = match peer {
        Peer::Castellan => Standing::before(issuer, api),
        Peer::Nginx => {
            // The token is never validated, so its issuer is not needed any longer.
            drop(issuer);
            if let Some(tls) = &mut tls {
                *tls = tls.at(free_address()?);
            }
            let server = nginx::start_with((ground, api.address), tls.as_ref()).await?;
            Standing::before(server, api)
        }
        Peer::Haproxy => {
            let signed = (instance.provider.address, &*token);
            let server = haproxy::start(ground, api.address, signed).await?;
            drop(issuer);
            Standing::before(server, api)
        }
        Peer::OidcProvider | Peer::Axum => {
            return Err(Fault::failed(format!("{} is no gate", peer.name())));
        }
    };
    Ok(PutUp { standing, provider: instance.provider, tls, token })
}

fn same(asked: &'static str, request: Vec<u8>) -> Same {
    Same { asked, request: request.into(), needle: NEEDLE }
}

/// The same document over TLS over and over.
struct Secure {
    address: SocketAddr,
    connector: TlsConnector,
    request: Rc<[u8]>,
    fresh: bool,
}

impl Stage for Secure {
    fn work(&mut self, _: usize) -> Box<dyn Work> {
        let wire = Wire::over_tls(self.address, self.connector.clone());
        Box::new(Secured { wire, request: Rc::clone(&self.request), fresh: self.fresh })
    }
}

/// A connection over TLS, in place of the one that the driver opens to the plain listener.
struct Secured {
    wire: Wire,
    request: Rc<[u8]>,
    fresh: bool,
}

#[async_trait(?Send)]
impl Work for Secured {
    async fn once(&mut self, _: &mut Wire) -> Result<Done, Fault> {
        if self.fresh {
            self.wire.close();
        }
        self.wire.ask(&self.request).await?.expect("a document over TLS", 200, NEEDLE)?;
        Ok(Done::Once)
    }
}

/// A document for a gate, without a token yet.
#[derive(Clone)]
pub struct Ask {
    /// Where the gate is.
    pub address: SocketAddr,
    /// The document, in its envelope.
    pub body: Rc<str>,
}

impl Ask {
    /// The request with `token`.
    #[must_use]
    pub fn with(&self, token: &str) -> Vec<u8> {
        Request::new("POST", GATE, self.address)
            .header("authorization", &format!("Bearer {token}"))
            .header("accept", "application/json")
            .body("application/json", &self.body)
    }
}

/// Each document is another one, whichever connection sends it.
#[derive(Clone)]
struct Numbered {
    request: Vec<u8>,
    at: usize,
    next: Rc<RefCell<u64>>,
}

impl Stage for Numbered {
    fn work(&mut self, _: usize) -> Box<dyn Work> {
        Box::new(self.clone())
    }
}

#[async_trait(?Send)]
impl Work for Numbered {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        let number = self.next.replace_with(|number| *number + 1);
        renumber(&mut self.request, self.at, number + 1);
        wire.ask(&self.request).await?.expect("a new document", 200, NEEDLE)?;
        Ok(Done::Once)
    }
}

/// Each token is a new one: they are issued before each slice, and none is used twice.
struct Issuing {
    provider: Provider,
    ask: Ask,
    tokens: Tokens,
}

/// Tokens that no server has seen yet.
type Tokens = Rc<RefCell<Vec<String>>>;

#[async_trait(?Send)]
impl Stage for Issuing {
    async fn prepare(&mut self, slice: &Slice) -> Result<(), Fault> {
        self.tokens.borrow_mut().clear();
        let time = slice.time + slice.warm_up;
        let wanted = usize::try_from(time.as_secs() + 1).unwrap_or(1) * TOKENS_PER_SECOND;
        let (request, needle) = self.provider.issue(Format::Es256);
        let issue = Issue {
            request: request.into(),
            needle,
            wanted: slice.units.unwrap_or(wanted).min(MOST_TOKENS),
            tokens: Rc::clone(&self.tokens),
        };
        let from = (self.provider.address, slice.connections);
        load::until_dry(from, time * 4, |_| Box::new(issue.clone())).await
    }

    fn work(&mut self, _: usize) -> Box<dyn Work> {
        let ask = self.ask.clone();
        Box::new(Fresh { ask, tokens: Rc::clone(&self.tokens) })
    }
}

/// Has tokens issued until there are enough.
#[derive(Clone)]
struct Issue {
    request: Rc<[u8]>,
    needle: &'static [u8],
    wanted: usize,
    tokens: Tokens,
}

#[async_trait(?Send)]
impl Work for Issue {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        if self.tokens.borrow().len() >= self.wanted {
            return Ok(Done::Dry);
        }
        let answer = wire.ask(&self.request).await?.expect("a token request", 200, self.needle)?;
        let token = answer.member("access_token").ok_or_else(|| answer.wrong("a token request"))?;
        self.tokens.borrow_mut().push(token.to_owned());
        Ok(Done::Once)
    }
}

/// Sends a token that the server has not seen.
struct Fresh {
    ask: Ask,
    tokens: Tokens,
}

#[async_trait(?Send)]
impl Work for Fresh {
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault> {
        let Some(token) = self.tokens.borrow_mut().pop() else { return Ok(Done::Dry) };
        let request = self.ask.with(&token);
        wire.ask(&request).await?.expect("a new token", 200, NEEDLE)?;
        Ok(Done::Once)
    }
}
