//! The colours of pages, made from the one that a site chooses.
//!
//! Text reaches 4.5:1 on its ground (WCAG 2.2 §1.4.3), or the colour is refused.

use std::{fmt, str::FromStr};

/// A colour of the sRGB space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

const WHITE: Colour = Colour([0xff; 3]);
const BLACK: Colour = Colour([0; 3]);

/// The least contrast of text with its ground (WCAG 2.2 §1.4.3).
const LEAST: f64 = 4.5;

impl Colour {
    /// The contrast with `other`, from 1 to 21 (WCAG 2.2, contrast ratio).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Relative luminance as in WCAG 2.2.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let value = f64::from(part) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// `percent` of `other`, and the rest of this one.
    fn mixed(self, other: Self, percent: u16) -> Self {
        let mut parts = self.0;
        for (part, other) in parts.iter_mut().zip(other.0) {
            let sum = u16::from(*part) * (100 - percent) + u16::from(other) * percent;
            *part = u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX);
        }
        Self(parts)
    }
}

impl FromStr for Colour {
    type Err = ();

    /// Reads `#rrggbb`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(())?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(());
        }
        let number = u32::from_str_radix(digits, 16).map_err(drop)?;
        let [_, parts @ ..] = number.to_be_bytes();
        Ok(Self(parts))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// What pages have in one colour scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What is around the sheet.
    pub ground: Colour,
    /// What text stands on.
    pub sheet: Colour,
}

/// In a light colour scheme.
pub const LIGHT: Scheme =
    Scheme { ground: Colour([0xee, 0xf1, 0xf0]), sheet: Colour([0xff, 0xff, 0xff]) };
/// In a dark colour scheme.
pub const DARK: Scheme =
    Scheme { ground: Colour([0x0d, 0x12, 0x11]), sheet: Colour([0x16, 0x1d, 0x1b]) };

/// The colours of buttons, links and what is set apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Buttons and links.
    pub accent: Colour,
    /// The same under the pointer.
    pub strong: Colour,
    /// The ground of what is set apart.
    pub tint: Colour,
    /// Text on buttons.
    pub on_accent: Colour,
}

impl Palette {
    /// For a light colour scheme.
    #[must_use]
    pub fn light(accent: Colour) -> Self {
        Self {
            accent,
            strong: accent.mixed(BLACK, 25),
            tint: LIGHT.sheet.mixed(accent, 8),
            on_accent: WHITE,
        }
    }

    /// For a dark colour scheme: as much lighter as it has to be.
    #[must_use]
    pub fn dark(accent: Colour) -> Self {
        let lighter = |percent| {
            let accent = accent.mixed(WHITE, percent);
            Self {
                accent,
                strong: accent.mixed(WHITE, 35),
                tint: DARK.sheet.mixed(accent, 12),
                on_accent: accent.mixed(BLACK, 88),
            }
        };
        let readable = (0..=100).step_by(5).map(lighter).find(|palette| palette.is_readable(DARK));
        readable.unwrap_or_else(|| lighter(100))
    }

    /// Whether all text in these colours can be read in `scheme`.
    #[must_use]
    pub fn is_readable(&self, scheme: Scheme) -> bool {
        [
            (self.accent, scheme.sheet),
            (self.accent, scheme.ground),
            (self.accent, self.tint),
            (self.strong, scheme.sheet),
            (self.on_accent, self.accent),
            (self.on_accent, self.strong),
        ]
        .into_iter()
        .all(|(text, ground)| text.contrast(ground) >= LEAST)
    }
}

/// The colour that is nearest to `accent` and can be read on a light page, if `accent` cannot.
#[must_use]
pub fn darker(accent: Colour) -> Option<Colour> {
    if Palette::light(accent).is_readable(LIGHT) {
        return None;
    }
    let mut darker = (5..=100).step_by(5).map(|percent| accent.mixed(BLACK, percent));
    darker.find(|colour| Palette::light(*colour).is_readable(LIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        text.parse().unwrap()
    }

    #[test]
    fn a_colour_has_six_digits() {
        assert_eq!(colour("#0aF19e").to_string(), "#0af19e");
        for bad in
            ["", "#fff", "0af19e", "#0af19", "#0af19e0", "#+af19e", "#0af19g", "red", "#é0000"]
        {
            assert!(bad.parse::<Colour>().is_err(), "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 0.001);
        // The known example: the lightest grey that passes on white.
        assert!((colour("#767676").contrast(WHITE) - 4.54).abs() < 0.005);
    }

    /// Whatever a site chooses: it can be read, or another colour is proposed that can.
    #[test]
    fn every_colour_can_be_read_or_is_refused_with_one_that_can() {
        let parts = [0x00, 0x33, 0x66, 0x99, 0xcc, 0xff];
        for red in parts {
            for green in parts {
                for blue in parts {
                    let given = Colour([red, green, blue]);
                    let chosen = darker(given).unwrap_or(given);
                    assert!(Palette::light(chosen).is_readable(LIGHT), "{given} {chosen}");
                    assert!(Palette::dark(chosen).is_readable(DARK), "{given} {chosen}");
                    assert_eq!(darker(chosen), None, "{given} {chosen}");
                }
            }
        }
    }
}
