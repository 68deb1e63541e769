//! How the pages of a site look (`docs/contracts/aidbox.md` §2.6): what its `AuthConfig` says.

use std::sync::Arc;

use castellan_issuer::{
    cache::auth_configs::AuthConfigs,
    language::Language,
    palette::{Colour, Palette},
    records::AuthConfig,
    resources::theme::image,
};
use castellan_proto::Digest;

use crate::pages::{FootLink, Look};

/// The path of the stylesheet with the colours of a site.
pub(crate) const STYLESHEET_PATH: &str = "/assets/theme.css";
/// The path of the logo of a site.
pub(crate) const LOGO_PATH: &str = "/assets/logo";

/// How pages look.
#[derive(Default)]
pub(crate) struct Theme {
    source: Option<Arc<AuthConfigs>>,
    /// What pages call the site.
    pub(crate) brand: Option<Arc<str>>,
    /// What is around every page.
    pub(crate) look: Arc<Look>,
    /// The stylesheet with the colours of the site.
    pub(crate) stylesheet: Option<Asset>,
    /// The logo.
    pub(crate) logo: Option<Asset>,
}

/// What browsers load: its media type, and its bytes.
pub(crate) type Asset = (&'static str, Vec<u8>);

impl Theme {
    /// How `source` says that pages look.
    pub(crate) fn of(source: Arc<AuthConfigs>) -> Self {
        let Some(config) = source.get() else {
            return Self { source: Some(source), ..Self::default() };
        };
        let accent = config.accent_color.as_deref().and_then(|text| text.parse().ok());
        let stylesheet =
            accent.map(|accent| ("text/css; charset=utf-8", stylesheet(accent).into()));
        let logo = config.logo.as_deref().and_then(image);
        let links = config.links.iter().map(|link| FootLink {
            label: link.title.clone(),
            languages: link.languages.clone(),
            address: link.url.clone(),
        });
        let look = Look {
            stylesheet: stylesheet.as_ref().map(|asset| address(STYLESHEET_PATH, asset)),
            logo: logo.as_ref().map(|asset| address(LOGO_PATH, asset)),
            links: links.collect(),
        };
        Self {
            brand: config.brand.as_deref().map(Into::into),
            look: Arc::new(look),
            stylesheet,
            logo,
            source: Some(source),
        }
    }

    /// Whether it is what `source` says.
    pub(crate) fn is_made_of(&self, source: &Arc<AuthConfigs>) -> bool {
        self.source.as_ref().is_some_and(|own| Arc::ptr_eq(own, source))
    }

    fn config(&self) -> Option<&AuthConfig> {
        self.source.as_ref()?.get()
    }

    /// The heading of the sign-in page, in `language` if there is one.
    pub(crate) fn title(&self, language: Language) -> Option<&str> {
        let config = self.config()?;
        let words = config.languages.get(language.tag()).and_then(|words| words.title.as_deref());
        words.or(config.title.as_deref())
    }

    /// What stands below it.
    pub(crate) fn text(&self, language: Language) -> Option<&str> {
        let config = self.config()?;
        let words = config.languages.get(language.tag()).and_then(|words| words.text.as_deref());
        words.or(config.text.as_deref())
    }

    /// Where the sign-in page leads people who forgot their password.
    pub(crate) fn forgot_password_url(&self) -> Option<&str> {
        self.config()?.forgot_password_url.as_deref()
    }

    /// Seconds that browsers keep the session cookie at most.
    pub(crate) fn cookie_max_age(&self) -> Option<u64> {
        self.config()?.cookie_max_age
    }
}

/// `path` in a version of its own, so that what browsers keep is never an older one.
fn address(path: &str, (_, bytes): &Asset) -> String {
    let digest = Digest::of(bytes).text();
    format!("{path}?v={}", digest.get(..12).unwrap_or(&digest))
}

/// The colours of a site, in place of those of the common stylesheet.
fn stylesheet(accent: Colour) -> String {
    let block = |palette: Palette| {
        format!(
            ":root {{\n  --accent: {};\n  --accent-strong: {};\n  --accent-tint: {};\n  \
             --on-accent: {};\n}}\n",
            palette.accent, palette.strong, palette.tint, palette.on_accent
        )
    };
    let (light, dark) = (block(Palette::light(accent)), block(Palette::dark(accent)));
    format!("{light}\n@media (prefers-color-scheme: dark) {{\n{dark}}}\n")
}

#[cfg(test)]
mod tests {
    use castellan_issuer::palette::{DARK, LIGHT};

    use crate::pages;

    /// What a colour is checked against is what the pages have.
    #[test]
    fn the_grounds_of_the_palette_are_those_of_the_stylesheet() {
        let mut blocks = pages::STYLESHEET.split(":root {").skip(1);
        for scheme in [LIGHT, DARK] {
            let block = blocks.next().and_then(|rest| rest.split('}').next()).unwrap();
            for (name, colour) in [("ground", scheme.ground), ("sheet", scheme.sheet)] {
                let line = format!("--{name}: {colour};");
                assert!(block.contains(&line), "{line} in {block}");
            }
        }
    }
}
