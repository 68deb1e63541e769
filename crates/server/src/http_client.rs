//! The one client for what Castellan fetches on its own account (`docs/rules.md` rule 47).
//!
//! It reaches only origins that the configuration names, or an administrator in a document, follows
//! no redirect, and stops at a size and a time. Nothing in a request or in an answer can point it
//! anywhere else.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use castellan_issuer::foreign::{Fetch, FetchError};
use castellan_proto::{FetchedUrl, Secret, is_public_address};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::TokioExecutor,
};
use tower::Service;
use url::Url;

use crate::roots::TrustedRoots;

/// A client with a list of origins.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<hyper_rustls::HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    origins: Vec<String>,
    patience: Duration,
    most: usize,
}

/// Why nothing was fetched.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpClientError {
    /// The origin is not in the configuration.
    #[error("{0} is not an origin from the configuration")]
    Origin(String),
    /// Nobody answered.
    #[error("no response: {0}")]
    Unreachable(String),
    /// The answer is not 200.
    #[error("the response has status {0}, not 200 (redirects are not followed)")]
    Status(StatusCode),
    /// The answer is too large or broke off.
    #[error("the response was cut off, or is larger than {0} bytes")]
    Size(usize),
    /// The answer is coded, and nobody asked for that.
    #[error("the response has the content coding {0:?}, although it was asked for without one")]
    Coded(String),
    /// The token is no text that a header can carry.
    #[error("the token contains a character that is not allowed in a header")]
    Token,
    /// It took too long.
    #[error("no complete response within {0:?}")]
    Slow(Duration),
}

/// An https and http client that checks certificates against `roots` and the public ones.
pub(crate) fn connector(roots: &TrustedRoots) -> hyper_rustls::HttpsConnector<HttpConnector> {
    connector_by(GaiResolver::new(), roots)
}

/// The same, which looks names up by `resolver` and connects to what that finds.
fn connector_by<R>(
    resolver: R,
    roots: &TrustedRoots,
) -> hyper_rustls::HttpsConnector<HttpConnector<R>> {
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_secs(5)));
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(roots.client_config())
        .https_or_http()
        .enable_http1()
        .wrap_connector(http)
}

impl HttpClient {
    /// A client that reaches the origins of `urls` and no other.
    pub(crate) fn to<'a>(roots: &TrustedRoots, urls: impl IntoIterator<Item = &'a Url>) -> Self {
        Self::by(false, roots, urls)
    }

    /// A client that reaches public addresses alone, and no origin yet.
    pub(crate) fn to_public(roots: &TrustedRoots) -> Self {
        Self::by(true, roots, [])
    }

    fn by<'a>(
        only_public: bool,
        roots: &TrustedRoots,
        urls: impl IntoIterator<Item = &'a Url>,
    ) -> Self {
        let resolver = Resolver { system: GaiResolver::new(), only_public };
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector_by(resolver, roots)),
            origins: urls.into_iter().map(|url| url.origin().ascii_serialization()).collect(),
            patience: Duration::from_secs(15),
            most: 32 * 1024 * 1024,
        }
    }

    /// The same client and its connections, for the origin of `url` and no other.
    pub(crate) fn only(&self, url: &Url) -> Self {
        Self { origins: vec![url.origin().ascii_serialization()], ..self.clone() }
    }

    /// The same client, which waits for an answer for `patience` at most.
    pub(crate) fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same client, which reads `most` bytes of an answer at most.
    pub(crate) fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Posts a JSON body and returns the answer's, which must be 200.
    pub(crate) async fn post_json(
        &self,
        url: &Url,
        body: String,
    ) -> Result<Bytes, HttpClientError> {
        match self.send(Method::POST, url, None, body).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(HttpClientError::Status(status)),
        }
    }

    /// Posts a form. Of the answer only its status is read.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        body: String,
    ) -> Result<StatusCode, HttpClientError> {
        let mut request = self.request(Method::POST, url, body)?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        self.in_time(async { Ok(self.answer(request).await?.status()) }).await
    }

    /// Sends a JSON body, with a bearer token if there is one.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        token: Option<&Secret>,
        body: String,
    ) -> Result<(StatusCode, Bytes), HttpClientError> {
        let mut request = self.request(method, url, body)?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json.clone());
        request.headers_mut().insert(header::ACCEPT, json);
        if let Some(token) = token {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut bearer = bearer.map_err(|_| HttpClientError::Token)?;
            bearer.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        self.whole(request).await
    }

    /// What is answered to `request`, with its status.
    pub(crate) async fn whole(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), HttpClientError> {
        let fetch = async {
            let response = self.answer(request).await?;
            let status = response.status();
            if let Some(coding) = response.headers().get(header::CONTENT_ENCODING)
                && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
            {
                let coding = String::from_utf8_lossy(coding.as_bytes());
                return Err(HttpClientError::Coded(coding.chars().take(32).collect()));
            }
            let body = Limited::new(response.into_body(), self.most).collect().await;
            Ok((status, body.map_err(|_| HttpClientError::Size(self.most))?.to_bytes()))
        };
        self.in_time(fetch).await
    }

    /// A request to `url`, if that is where this client may go.
    pub(crate) fn request(
        &self,
        method: Method,
        url: &Url,
        body: impl Into<Bytes>,
    ) -> Result<Request<Full<Bytes>>, HttpClientError> {
        let origin = url.origin().ascii_serialization();
        if !self.origins.contains(&origin) {
            return Err(HttpClientError::Origin(origin));
        }
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = method;
        let identity = HeaderValue::from_static("identity");
        request.headers_mut().insert(header::ACCEPT_ENCODING, identity);
        *request.uri_mut() = url.as_str().parse().map_err(|_| HttpClientError::Origin(origin))?;
        Ok(request)
    }

    async fn answer(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, HttpClientError> {
        let answer = self.client.request(request).await;
        answer.map_err(|error| HttpClientError::Unreachable(cause(&error)))
    }

    async fn in_time<T>(
        &self,
        fetch: impl Future<Output = Result<T, HttpClientError>>,
    ) -> Result<T, HttpClientError> {
        let fetched = tokio::time::timeout(self.patience, fetch).await;
        fetched.map_err(|_| HttpClientError::Slow(self.patience))?
    }
}

/// Looks names up as the system does. Connections are made to what was found and to nothing else, so
/// that no second look-up gives another address.
#[derive(Clone)]
struct Resolver {
    system: GaiResolver,
    /// Whether addresses that are not of the public internet are left out.
    only_public: bool,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, only_public) = (self.system.call(name), self.only_public);
        Box::pin(async move {
            let admitted = |address: &SocketAddr| !only_public || is_public_address(address.ip());
            let addresses: Vec<_> = found.await?.filter(admitted).collect();
            if addresses.is_empty() {
                let text = "the name has no address that is public; security.private_origins names \
                            origins of private networks";
                return Err(io::Error::other(text));
            }
            Ok(addresses.into_iter())
        })
    }
}

impl From<HttpClientError> for FetchError {
    fn from(error: HttpClientError) -> Self {
        use HttpClientError::{Coded, Origin, Size, Slow, Status, Token, Unreachable};
        match error {
            Origin(_) | Token | Unreachable(_) | Slow(_) => Self::Unreachable(error.to_string()),
            Status(_) | Size(_) | Coded(_) => Self::Answered(error.to_string()),
        }
    }
}

/// Fetches what documents of administrators name (`docs/rules.md` rule 47): by https and from public
/// addresses, apart from the origins that the configuration names.
pub(crate) struct DocumentClient {
    public: HttpClient,
    private: HttpClient,
    private_origins: Vec<String>,
}

/// How long a response may take.
const DOCUMENT_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a response at most.
const MOST_OF_DOCUMENT: usize = 256 * 1024;

impl DocumentClient {
    /// A client that also reaches `private_origins`.
    pub(crate) fn new(roots: &TrustedRoots, private_origins: Vec<String>) -> Self {
        let client = |only_public| {
            let client = HttpClient::by(only_public, roots, []).within(DOCUMENT_PATIENCE);
            HttpClient { most: MOST_OF_DOCUMENT, ..client }
        };
        Self { public: client(true), private: client(false), private_origins }
    }

    /// The client for `url`, if that may be fetched.
    fn at(&self, url: &str) -> Result<(HttpClient, Url), FetchError> {
        let refused = |why: &str| Err(FetchError::Unreachable(why.to_owned()));
        let (Some(read), Ok(parsed)) = (FetchedUrl::read(url), url.parse::<Url>()) else {
            return refused("not an http or https URL");
        };
        if self.private_origins.contains(&read.origin) {
            return Ok((self.private.only(&parsed), parsed));
        }
        if !read.is_https || read.is_private {
            return refused("neither https to a public address nor in security.private_origins");
        }
        Ok((self.public.only(&parsed), parsed))
    }

    async fn fetch(
        client: &HttpClient,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Vec<u8>, FetchError> {
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::ACCEPT, json);
        match client.whole(request).await? {
            (StatusCode::OK, body) => Ok(body.into()),
            (status, _) => Err(HttpClientError::Status(status).into()),
        }
    }
}

#[async_trait]
impl Fetch for DocumentClient {
    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let (client, url) = self.at(url)?;
        let request = client.request(Method::GET, &url, String::new());
        Self::fetch(&client, request?).await
    }

    async fn post(
        &self,
        url: &str,
        authorization: Option<&Secret>,
        pairs: &[(&str, &str)],
    ) -> Result<Vec<u8>, FetchError> {
        let (client, url) = self.at(url)?;
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = client.request(Method::POST, &url, body);
        let mut request = request?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        if let Some(authorization) = authorization {
            let value = HeaderValue::from_str(authorization.expose());
            let mut value = value.map_err(|_| HttpClientError::Token)?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Self::fetch(&client, request).await
    }
}

/// The innermost cause, which is the one that names what to do.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A listener that answers every request with `answer`.
    async fn answering(answer: &'static str) -> Url {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.read(&mut [0; 4096]).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    /// `docs/security-cases.md` row 22: what a document names is public, by https, or listed.
    #[tokio::test]
    async fn case_22_documents_reach_no_private_network_that_is_not_listed() {
        let listed = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        let other = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        let away = answering(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        let origin = |url: &Url| url.origin().ascii_serialization();
        let client =
            DocumentClient::new(&TrustedRoots::default(), vec![origin(&listed), origin(&away)]);
        assert_eq!(client.get(listed.as_str()).await.unwrap(), b"{}");
        assert_eq!(client.post(listed.as_str(), None, &[("a", "b")]).await.unwrap(), b"{}");
        assert!(client.get(other.as_str()).await.is_err());
        assert!(client.get(away.as_str()).await.unwrap_err().to_string().contains("302"));
        // A name that leads to this machine is found out when it is looked up.
        let port = other.port().unwrap();
        let names = DocumentClient::new(&TrustedRoots::default(), Vec::new());
        let name: Url = format!("https://localhost:{port}/").parse().unwrap();
        let refused = names.public.only(&name);
        let request = refused.request(Method::GET, &name, String::new()).unwrap();
        let error = refused.whole(request).await.unwrap_err().to_string();
        assert!(error.contains("no address that is public"), "{error}");
        for url in
            ["http://localhost/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/"]
        {
            assert!(names.get(url).await.is_err(), "{url}");
        }
    }

    /// `docs/security-cases.md` row 22: only named origins, no redirects, caps on size and time.
    #[tokio::test]
    async fn case_22_the_egress_client_goes_where_it_is_told_and_no_further() {
        let good = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        let unlisted = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        let away = answering(
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        let large = answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{   }").await;
        let silent = answering("").await;
        let mut client = HttpClient::to(&TrustedRoots::default(), [&good, &away, &large, &silent]);
        client.most = 4;
        client.patience = Duration::from_millis(300);
        let post = |url: Url| {
            let client = &client;
            async move { client.post_json(&url, "{}".to_owned()).await }
        };
        assert_eq!(post(good.clone()).await.unwrap(), "{}");
        let (to_good, to_away) = (client.only(&good), client.only(&away));
        let form = "a=b".to_owned();
        assert_eq!(to_good.post_form(&good, form.clone()).await, Ok(StatusCode::OK));
        let there = Err(HttpClientError::Origin(away.origin().ascii_serialization()));
        assert_eq!(to_good.post_form(&away, form.clone()).await, there);
        assert_eq!(to_away.post_form(&away, form).await, Ok(StatusCode::FOUND));
        let origin = unlisted.origin().ascii_serialization();
        assert_eq!(post(unlisted).await, Err(HttpClientError::Origin(origin)));
        assert_eq!(post(away).await, Err(HttpClientError::Status(StatusCode::FOUND)));
        assert_eq!(post(large).await, Err(HttpClientError::Size(4)));
        assert!(post(silent).await.is_err());
    }
}
