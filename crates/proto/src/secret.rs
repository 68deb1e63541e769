//! Bearer secrets: how they look, how they are kept, how they are compared.

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

/// A password or another secret.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes `text` out of sight.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that has to compare, hash or show it once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of something: safe to store and to index by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(out)
    }

    /// The digest of `parts`, one after the other.
    #[must_use]
    pub fn of_all(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Self(out)
    }

    /// As 43 base64url characters.
    #[must_use]
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// Whether `a` and `b` are the same bytes, in a time that depends on their lengths only.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// `N` bytes from the operating system's generator.
///
/// # Panics
/// If the operating system has no randomness to give; no secret can be made then.
#[must_use]
#[expect(clippy::expect_used, reason = "without randomness nothing here may go on")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system's random generator answers");
    bytes
}

/// What an opaque text is used for. Each kind has a prefix of its own, so that a scanner recognises
/// a leaked one and no kind is ever mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpaqueKind {
    /// An authorization code (RFC 6749 §1.3.1).
    Code,
    /// A refresh token (RFC 6749 §1.5).
    Refresh,
    /// An opaque access token (RFC 6749 §1.4).
    Access,
    /// A client secret that Castellan made.
    ClientSecret,
    /// An API key that Castellan made.
    ApiKey,
    /// A browser session's cookie.
    Session,
    /// A browser's own mark, which binds a sign-in in progress to it.
    Browser,
    /// A sign-in or consent in progress.
    Flow,
    /// A one-time set-up link.
    Setup,
    /// A one-time link to set a new password.
    Reset,
    /// A device code (RFC 8628 §3.2).
    Device,
    /// A reference to an authorization request that was pushed (RFC 9126).
    RequestUri,
    /// The state of a verification under way.
    Verification,
}

impl OpaqueKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "csl_code_",
            Self::Refresh => "csl_refresh_",
            Self::Access => "csl_access_",
            Self::ClientSecret => "csl_secret_",
            Self::ApiKey => "csl_key_",
            Self::Session => "csl_session_",
            Self::Browser => "csl_browser_",
            Self::Flow => "csl_flow_",
            Self::Setup => "csl_setup_",
            Self::Reset => "csl_reset_",
            Self::Device => "csl_device_",
            Self::RequestUri => "csl_request_",
            Self::Verification => "csl_verify_",
        }
    }
}

/// An opaque text of one kind: `prefix`, base64url payload, six characters of checksum.
///
/// With the checksum, malformed texts are refused before any store is asked; it proves nothing.
pub struct Opaque {
    kind: OpaqueKind,
    payload: Vec<u8>,
}

impl Opaque {
    /// What the text of every one begins with, whatever its kind.
    pub const PREFIX: &str = "csl_";
    const CHECK: usize = 6;
    const LONGEST: usize = 512;

    /// A fresh one of 256 random bits.
    #[must_use]
    pub fn generate(kind: OpaqueKind) -> Self {
        Self { kind, payload: random::<32>().to_vec() }
    }

    /// One that carries `payload`.
    #[must_use]
    pub const fn carrying(kind: OpaqueKind, payload: Vec<u8>) -> Self {
        Self { kind, payload }
    }

    /// Reads `text` if it is well formed and of kind `kind`.
    #[must_use]
    pub fn read(kind: OpaqueKind, text: &str) -> Option<Self> {
        if text.len() > Self::LONGEST {
            return None;
        }
        let rest = text.strip_prefix(kind.prefix())?;
        let (body, check) = rest.split_at_checked(rest.len().checked_sub(Self::CHECK)?)?;
        let payload = URL_SAFE_NO_PAD.decode(body).ok()?;
        (Self::checksum(kind, body) == check).then_some(Self { kind, payload })
    }

    /// Whether `text` begins as all of them do, well formed or not: it is, or was meant to be, a
    /// secret of Castellan's.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("csl_")
    }

    /// The payload that it carries.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// As it goes over the wire.
    #[must_use]
    pub fn text(&self) -> String {
        let body = URL_SAFE_NO_PAD.encode(&self.payload);
        let check = Self::checksum(self.kind, &body);
        format!("{}{body}{check}", self.kind.prefix())
    }

    /// What a store knows it by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    fn checksum(kind: OpaqueKind, body: &str) -> String {
        let digest = Digest::of(format!("{}{body}", kind.prefix()).as_bytes());
        let mut text = URL_SAFE_NO_PAD.encode(&digest.0[..5]);
        text.truncate(Self::CHECK);
        text
    }
}

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}…", self.kind.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opaque_text_reads_back_as_its_own_kind_only() {
        let made = Opaque::generate(OpaqueKind::Code);
        let text = made.text();
        assert_eq!(Opaque::read(OpaqueKind::Code, &text).unwrap().digest(), made.digest());
        assert!(Opaque::read(OpaqueKind::Refresh, &text).is_none());
    }

    #[test]
    fn a_changed_character_is_junk() {
        let text = Opaque::generate(OpaqueKind::Refresh).text();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(Opaque::read(OpaqueKind::Refresh, &changed).is_none(), "{at}");
        }
        for junk in ["", "csl_refresh_", "csl_refresh_é€€", "csl_refresh_AAAAA"] {
            assert!(Opaque::read(OpaqueKind::Refresh, junk).is_none(), "{junk}");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hush".into())), "Secret(…)");
    }
}
