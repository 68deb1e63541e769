//! What a `Client` document says of the grants that the client may use (`docs/contracts/aidbox.md`
//! §2.1).

use castellan_proto::RedirectUri;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::resources::Problem;
use crate::{
    grant::DEVICE_CODE,
    records::{
        Client, CodeGrant, DeviceGrant, MachineGrant, Refresh, Rotation, TokenFormat, TokenProfile,
    },
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    pub(crate) authorization_code: Option<CodeSettings>,
    client_credentials: Option<MachineSettings>,
    device_code: Option<DeviceSettings>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CodeSettings {
    pub(crate) redirect_uri: Option<RedirectUri>,
    pub(crate) secret_required: Option<bool>,
    pkce: Option<bool>,
    pub(crate) token_format: Option<TokenFormat>,
    access_token_expiration: Option<u64>,
    refresh_token: Option<bool>,
    refresh_token_expiration: Option<u64>,
    pub(crate) refresh_token_rotation: Option<Rotation>,
    audience: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MachineSettings {
    pub(crate) token_format: Option<TokenFormat>,
    access_token_expiration: Option<u64>,
    audience: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DeviceSettings {
    token_format: Option<TokenFormat>,
    access_token_expiration: Option<u64>,
    refresh_token: Option<bool>,
    refresh_token_expiration: Option<u64>,
    audience: Vec<String>,
}

/// A year: longer is a mistake of units (`docs/contracts/aidbox.md` §11, item 16).
const LONGEST: u64 = 31_536_000;

/// The grants that a document asks for.
#[derive(Default)]
pub(crate) struct Grants {
    pub(crate) code: Option<Spelling>,
    pub(crate) machine: bool,
    pub(crate) device: bool,
    refresh: bool,
}

/// How the authorization code grant is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `authorization_code`.
    Rfc,
    /// `code`, as in `docs/contracts/aidbox.md`.
    Aidbox,
}

impl Grants {
    pub(crate) fn read(names: &[String]) -> Result<Self, Problem> {
        let mut grants = Self::default();
        for name in names {
            match &**name {
                "code" => grants.code = Some(Spelling::Aidbox),
                "authorization_code" => grants.code = grants.code.or(Some(Spelling::Rfc)),
                "client_credentials" => grants.machine = true,
                "device_code" | DEVICE_CODE => grants.device = true,
                "refresh_token" => grants.refresh = true,
                other => {
                    return Err(Problem::Text(format!(
                        "grant_types: {other:?} is not supported; supported are \
                         authorization_code (or code), refresh_token, client_credentials and \
                         {DEVICE_CODE}"
                    )));
                }
            }
        }
        Ok(grants)
    }

    pub(crate) fn is_aidbox(&self) -> bool {
        self.code == Some(Spelling::Aidbox)
    }
}

impl Auth {
    /// Refuses what no grant of the document would act upon: whoever wrote it believes that it holds.
    pub(crate) fn check(&self, grants: &Grants, rotation: Option<Rotation>) -> Result<(), Problem> {
        let code = self.authorization_code.as_ref();
        let device = self.device_code.as_ref();
        let refreshes =
            |said: Option<bool>, granted: bool| granted && said.unwrap_or(grants.refresh);
        let by_code = refreshes(code.and_then(|code| code.refresh_token), grants.code.is_some());
        let by_device = refreshes(device.and_then(|device| device.refresh_token), grants.device);
        let code_lives = code.is_some_and(|code| code.refresh_token_expiration.is_some());
        let device_lives = device.is_some_and(|device| device.refresh_token_expiration.is_some());
        let rotates = code.is_some_and(|code| code.refresh_token_rotation.is_some());
        let problem = if code.is_some() && grants.code.is_none() {
            "auth.authorization_code: grant_types does not name authorization_code; add or remove it"
        } else if self.client_credentials.is_some() && !grants.machine {
            "auth.client_credentials: grant_types does not name client_credentials; add or remove it"
        } else if device.is_some() && !grants.device {
            "auth.device_code: grant_types does not name the device grant; add or remove it"
        } else if grants.refresh && grants.code.is_none() && !grants.device {
            "grant_types: refresh_token needs authorization_code or the device grant, as no other \
             grant issues refresh tokens"
        } else if (code_lives && !by_code) || (device_lives && !by_device) {
            "refresh_token_expiration: this grant issues no refresh tokens; set refresh_token: \
             true, or remove it"
        } else if (rotates || rotation.is_some()) && !by_code {
            "refresh_token_rotation: authorization_code issues no refresh tokens; set \
             refresh_token: true, or remove it"
        } else {
            return Ok(());
        };
        Err(Problem::Text(problem.to_owned()))
    }

    /// The authorization code grant; `rotation` is what the document says at its top.
    pub(crate) fn code(
        &self,
        has_secret: bool,
        grants: &Grants,
        rotation: Option<Rotation>,
    ) -> Result<CodeGrant, Problem> {
        let default = CodeSettings::default();
        let written = self.authorization_code.as_ref().unwrap_or(&default);
        let secret_required = written.secret_required.unwrap_or(has_secret);
        let pkce = written.pkce.unwrap_or(!has_secret);
        if secret_required && !has_secret {
            return Err(Problem::Text("secret_required needs a secret".to_owned()));
        }
        if !secret_required && !pkce {
            return Err(Problem::Text(
                "without secret_required and pkce, anyone could redeem the codes of this client: \
                 set one of them"
                    .to_owned(),
            ));
        }
        let refresh = written.refresh_token.unwrap_or(grants.refresh).then(|| Refresh {
            idle_seconds: written.refresh_token_expiration,
            rotation: written.refresh_token_rotation.or(rotation).unwrap_or_default(),
        });
        Ok(CodeGrant {
            secret_required,
            pkce,
            format: written
                .token_format
                .unwrap_or_else(|| TokenProfile::of(None, grants.is_aidbox()).default_format()),
            access_seconds: seconds("access_token_expiration", written.access_token_expiration)?,
            audience: written.audience.clone(),
            refresh: match refresh {
                Some(refresh) => {
                    seconds("refresh_token_expiration", refresh.idle_seconds)?;
                    Some(refresh)
                }
                None => None,
            },
        })
    }

    /// The client credentials grant.
    pub(crate) fn machine(&self, has_secret: bool) -> Result<MachineGrant, Problem> {
        if !has_secret {
            return Err(Problem::Text("client_credentials needs a secret".to_owned()));
        }
        let default = MachineSettings::default();
        let written = self.client_credentials.as_ref().unwrap_or(&default);
        Ok(MachineGrant {
            format: written.token_format.unwrap_or(TokenFormat::Jwt),
            access_seconds: seconds("access_token_expiration", written.access_token_expiration)?,
            audience: written.audience.clone(),
        })
    }

    /// The device grant (RFC 8628).
    pub(crate) fn device(&self, grants: &Grants) -> Result<DeviceGrant, Problem> {
        let default = DeviceSettings::default();
        let written = self.device_code.as_ref().unwrap_or(&default);
        let idle = seconds("refresh_token_expiration", written.refresh_token_expiration)?;
        let refreshes = written.refresh_token.unwrap_or(grants.refresh);
        Ok(DeviceGrant {
            format: written.token_format.unwrap_or(TokenFormat::Jwt),
            access_seconds: seconds("access_token_expiration", written.access_token_expiration)?,
            audience: written.audience.clone(),
            refresh: refreshes
                .then_some(Refresh { idle_seconds: idle, rotation: Rotation::Rotate }),
        })
    }
}

/// Writes the grants of `client` into its document.
pub(crate) fn show(client: &Client, shown: &mut Value) {
    if let Some(code) = &client.code {
        shown["auth"]["authorization_code"] = show_code(code);
    }
    if let Some(machine) = &client.machine {
        shown["auth"]["client_credentials"] = drop_null(json!({
            "token_format": machine.format,
            "access_token_expiration": machine.access_seconds,
            "audience": (!machine.audience.is_empty()).then_some(&machine.audience),
        }));
    }
    if let Some(device) = &client.device {
        shown["auth"]["device_code"] = drop_null(json!({
            "token_format": device.format,
            "access_token_expiration": device.access_seconds,
            "audience": (!device.audience.is_empty()).then_some(&device.audience),
            "refresh_token": device.refresh.is_some(),
            "refresh_token_expiration": device.refresh.and_then(|refresh| refresh.idle_seconds),
        }));
    }
}

fn seconds(name: &str, value: Option<u64>) -> Result<Option<u64>, Problem> {
    match value {
        Some(seconds) if !(1..=LONGEST).contains(&seconds) => Err(Problem::Text(format!(
            "{name} must be a number of seconds from 1 to {LONGEST} (a year), not {seconds}"
        ))),
        other => Ok(other),
    }
}

/// The grants of `client` by name.
pub(crate) fn grant_names(client: &Client) -> Vec<&'static str> {
    let mut names = Vec::new();
    if client.code.is_some() {
        names.push(client.profile.code_grant_name());
    }
    let refreshes = client.code.as_ref().is_some_and(|code| code.refresh.is_some())
        || client.device.as_ref().is_some_and(|device| device.refresh.is_some());
    if refreshes {
        names.push("refresh_token");
    }
    if client.device.is_some() {
        names.push(DEVICE_CODE);
    }
    if client.machine.is_some() {
        names.push("client_credentials");
    }
    names
}

fn show_code(code: &CodeGrant) -> Value {
    drop_null(json!({
        "secret_required": code.secret_required,
        "pkce": code.pkce,
        "token_format": code.format,
        "access_token_expiration": code.access_seconds,
        "audience": (!code.audience.is_empty()).then_some(&code.audience),
        "refresh_token": code.refresh.is_some(),
        "refresh_token_expiration": code.refresh.and_then(|refresh| refresh.idle_seconds),
        "refresh_token_rotation": code.refresh.map(|refresh| refresh.rotation),
    }))
}

fn drop_null(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}
