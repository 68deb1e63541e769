//! The one client for what Castellan fetches on its own account (`docs/rules.md` rule 47).
//!
//! It reaches only origins that the configuration names, or an administrator in an app's document,
//! follows no redirect, and stops at a size and a time. Nothing in a request or in an answer can
//! point it anywhere else.

use std::time::Duration;

use bytes::Bytes;
use castellan_proto::Secret;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use url::Url;

/// A client with a list of origins.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>,
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

/// An https and http client that checks certificates against the public roots.
pub(crate) fn connector() -> hyper_rustls::HttpsConnector<HttpConnector> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_secs(5)));
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(http)
}

impl HttpClient {
    /// A client that reaches the origins of `urls` and no other.
    pub(crate) fn to<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector()),
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
    fn request(
        &self,
        method: Method,
        url: &Url,
        body: String,
    ) -> Result<Request<Full<Bytes>>, HttpClientError> {
        let origin = url.origin().ascii_serialization();
        if !self.origins.contains(&origin) {
            return Err(HttpClientError::Origin(origin));
        }
        let mut request = Request::new(Full::from(body));
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
        let mut egress = HttpClient::to([&good, &away, &large, &silent]);
        egress.most = 4;
        egress.patience = Duration::from_millis(300);
        let post = |url: Url| {
            let egress = &egress;
            async move { egress.post_json(&url, "{}".to_owned()).await }
        };
        assert_eq!(post(good.clone()).await.unwrap(), "{}");
        let (to_good, to_away) = (egress.only(&good), egress.only(&away));
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
