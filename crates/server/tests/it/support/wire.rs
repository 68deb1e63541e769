//! HTTP as it goes over the wire: no redirect is followed, nothing is hidden.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::logs;

/// One answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// A request on its way.
pub struct Ask {
    request: http::request::Builder,
    body: Bytes,
}

impl Ask {
    pub fn new(method: Method, url: &str) -> Self {
        Self { request: Request::builder().method(method).uri(url), body: Bytes::new() }
    }

    pub fn get(url: &str) -> Self {
        Self::new(Method::GET, url)
    }

    pub fn post(url: &str) -> Self {
        Self::new(Method::POST, url)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        logs::note(token);
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }

    pub fn json(self, body: &Value) -> Self {
        logs::note_members(body);
        self.body("application/json", body.to_string())
    }

    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        logs::note_pairs(pairs.iter().copied());
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub async fn send(self) -> Answer {
        self.try_send().await.expect("the server answers")
    }

    /// The answer, unless the server is away, or goes away in the middle of it.
    pub async fn try_send(self) -> Option<Answer> {
        let client: Client<HttpConnector, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build_http();
        let request = self.request.body(Full::from(self.body)).unwrap();
        let (parts, body) = client.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        logs::note_answer(&parts.headers, &body);
        Some(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// Sends `bytes` as they are to the server at `url`, and returns all that it says until it hangs up.
pub async fn raw(url: &str, bytes: &[u8]) -> String {
    let address = url.replace("http://localhost", "127.0.0.1");
    let mut socket = TcpStream::connect(&address).await.unwrap();
    // It may hang up before it has read everything.
    let _ = socket.write_all(bytes).await;
    let mut said = Vec::new();
    let reading = socket.read_to_end(&mut said);
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("it hangs up");
    String::from_utf8_lossy(&said).into_owned()
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location: {self:?}"))
    }

    /// The value of the parameter `name` in the query of `Location`, decoded.
    pub fn location_param(&self, name: &str) -> Option<String> {
        let url = url::Url::parse("http://base.test/").unwrap().join(self.location()).unwrap();
        url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    }

    /// The value of the hidden field `name` of a form in the body.
    pub fn hidden(&self, name: &str) -> Option<String> {
        let field = self.body.split(&format!("name=\"{name}\"")).nth(1)?;
        let value = field.split("value=\"").nth(1)?;
        Some(value.split('"').next()?.to_owned())
    }

    /// Status, the headers that a snapshot is about, and the body.
    pub fn photograph(&self) -> String {
        let mut out = format!("{}\n", self.status);
        let left_out = [
            header::DATE.as_str(),
            header::CONTENT_LENGTH.as_str(),
            "castellan-decision",
            "connection",
        ];
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| !left_out.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
            .collect();
        headers.sort();
        out.push_str(&headers.concat());
        out.push('\n');
        out.push_str(&self.body);
        out
    }
}
