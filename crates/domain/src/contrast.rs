//! How well colours are read on each other, by the measure of WCAG 2.2.

use crate::HexColor;

/// What text needs at the least.
const READABLE: f64 = 4.5;

impl HexColor {
    /// Where black and white have the same contrast.
    const MIDDLE: f64 = 0.179;

    fn channels(&self) -> [u8; 3] {
        let digits = |place: usize| self.as_str().get(place..place + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        [1, 3, 5].map(|place| digits(place).unwrap_or_default())
    }

    /// Relative luminance: 0 is black, 1 is white.
    #[must_use]
    pub fn luminance(&self) -> f64 {
        let [red, green, blue] = self.channels().map(|byte| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.0722f64.mul_add(blue, 0.2126f64.mul_add(red, 0.7152 * green))
    }

    /// Whether black reads better on it than white.
    #[must_use]
    pub fn is_bright(&self) -> bool {
        self.luminance() > Self::MIDDLE
    }

    /// The contrast of two colours: 1 of a colour with itself, 21 of black with white.
    #[must_use]
    pub fn contrast(&self, other: &Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The colour, or, where it can't be read on all of `grounds`, the nearest that can: darker where they are bright, else brighter.
    #[must_use]
    pub fn readable_on(&self, grounds: &[Self]) -> Self {
        let towards = if grounds.iter().all(Self::is_bright) { 0 } else { 255 };
        let readable = |color: &Self| grounds.iter().all(|ground| color.contrast(ground) >= READABLE);
        (0..255).map(|part| self.mixed(towards, part)).find(readable).unwrap_or_else(|| self.mixed(towards, 255))
    }

    /// So many of 255 parts of the way to a grey.
    fn mixed(&self, grey: u8, part: u16) -> Self {
        let [red, green, blue] = self.channels().map(|byte| {
            let sum = u16::from(byte) * (255 - part) + u16::from(grey) * part;
            (sum + 127) / 255
        });
        Self::from_stored(format!("#{red:02x}{green:02x}{blue:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn color(text: &str) -> HexColor {
        HexColor::parse(text).unwrap()
    }

    #[test]
    fn contrast_is_as_it_was_published() {
        let rounded = |one, other| (color(one).contrast(&color(other)) * 100.0).round() / 100.0;
        assert_eq!(rounded("#000000", "#ffffff"), 21.0);
        assert_eq!(rounded("#123456", "#123456"), 1.0);
        assert_eq!(rounded("#767676", "#ffffff"), 4.54);
        assert_eq!(rounded("#777777", "#ffffff"), 4.48);
        assert_eq!(rounded("#ff0000", "#ffffff"), 4.0);
        assert_eq!(rounded("#0000ff", "#ffffff"), 8.59);
    }

    #[test]
    fn a_colour_that_can_be_read_stays_as_it_is() {
        assert_eq!(color("#1f5f8b").readable_on(&[color("#ffffff")]), color("#1f5f8b"));
        assert_eq!(color("#7db8df").readable_on(&[color("#16181b")]), color("#7db8df"));
        assert_eq!(color("#777777").readable_on(&[color("#ffffff")]), color("#767676"));
    }

    #[test]
    fn a_colour_that_can_not_becomes_the_nearest_that_can() {
        let (white, black) = (color("#ffffff"), color("#000000"));
        for text in ["#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff", "#ff00ff", "#808080", "#fffffe"]
        {
            assert!(color(text).readable_on(std::slice::from_ref(&white)).contrast(&white) >= READABLE, "{text}");
            assert!(color(text).readable_on(std::slice::from_ref(&black)).contrast(&black) >= READABLE, "{text}");
        }
        assert_eq!(color("#ffffff").readable_on(&[white]), color("#767676"));
    }

    proptest! {
        #[test]
        fn every_colour_is_readable_on_every_sheet(rgb in 0u32..0x100_0000, bright in 0xe0u8..=255, dark in 0u8..=0x24) {
            let color = HexColor::from_stored(format!("#{rgb:06x}"));
            for grey in [bright, dark] {
                let ground = HexColor::from_stored(format!("#{grey:02x}{grey:02x}{grey:02x}"));
                let shown = color.readable_on(std::slice::from_ref(&ground));
                prop_assert!(shown.contrast(&ground) >= READABLE, "{color} on {ground}: {shown}");
            }
        }
    }
}
