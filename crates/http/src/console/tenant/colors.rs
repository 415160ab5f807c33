//! A tenant's colour, as custom properties that stand in for the portal's own: made readable on what pages are made of, in both schemes.

use actix_web::{HttpResponse, http::header, web::Path};
use tenantry_domain::HexColor;

use crate::{endpoints::Answer, problem::Problem};

/// What text stands on, in the light scheme and in the dark one, as `console.css` has it.
const GROUNDS: [[&str; 3]; 2] = [["#f7f7f5", "#ffffff", "#efeeea"], ["#16181b", "#1e2125", "#121416"]];

/// What stands on the colour: as bright as the brightest ground, and as dark as the darkest.
const ON_BRAND: [&str; 2] = ["#ffffff", "#121416"];

/// A colour as each scheme shows it.
#[derive(Debug)]
pub(super) struct Shown {
    pub light: HexColor,
    pub dark: HexColor,
}

impl Shown {
    pub fn new(color: &HexColor) -> Self {
        let [light, dark] = GROUNDS.map(|grounds| color.readable_on(&grounds.map(|hex| HexColor::from_stored(hex.to_owned()))));
        Self { light, dark }
    }

    pub fn on_light() -> &'static str {
        ON_BRAND[0]
    }

    pub fn on_dark() -> &'static str {
        ON_BRAND[1]
    }

    fn style(&self) -> String {
        let ([on_light, on_dark], Self { light, dark }) = (ON_BRAND, self);
        format!(":root {{\n  --brand: light-dark({light}, {dark});\n  --on-brand: light-dark({on_light}, {on_dark});\n}}\n")
    }
}

/// The style sheet of a colour.
pub(super) async fn style(digits: Path<String>) -> Answer {
    let color = HexColor::parse(&format!("#{digits}")).map_err(|_| Problem::not_found())?;
    Ok(HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
        .body(Shown::new(&color).style()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn color(hex: &str) -> HexColor {
        HexColor::parse(hex).unwrap()
    }

    /// The least contrast that a colour comes to, of all pairs that pages have.
    fn least(hex: &str) -> f64 {
        let Shown { light, dark } = Shown::new(&color(hex));
        let pairs = [light, dark].into_iter().zip(GROUNDS.into_iter().zip(ON_BRAND));
        let contrasts = pairs.flat_map(|(shown, (grounds, on))| {
            grounds.into_iter().chain([on]).map(|other| shown.contrast(&color(other))).collect::<Vec<_>>()
        });
        contrasts.fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_grounds_are_those_of_the_style_sheet() {
        let style = include_str!("../../../assets/console.css");
        for (place, name) in ["paper", "sheet", "sunk"].into_iter().enumerate() {
            let line = format!("--{name}: light-dark({}, {});", GROUNDS[0][place], GROUNDS[1][place]);
            assert!(style.contains(&line), "{line}");
        }
    }

    #[test]
    fn known_colours_and_extremes_are_readable() {
        let known = [
            "#000000", "#ffffff", "#010101", "#fefefe", "#808080", "#777777", "#ff0000", "#00ff00", "#0000ff", "#ffff00",
            "#00ffff", "#ff00ff", "#1f5f8b", "#ffcc00", "#000033", "#330000", "#f7f7f5", "#16181b", "#e4002b", "#1db954",
            "#ff6600", "#5c2d91",
        ];
        for hex in known {
            assert!(least(hex) >= 4.5, "{hex}: {}", least(hex));
        }
    }

    #[test]
    fn a_style_is_two_properties() {
        let style = Shown::new(&color("#1f5f8b")).style();
        assert!(
            style.contains("--brand: light-dark(#1f5f8b, #") && style.contains("--on-brand: light-dark(#ffffff, #121416)"),
            "{style}"
        );
    }

    proptest! {
        #[test]
        fn every_colour_is_readable(rgb in 0u32..0x100_0000) {
            let hex = format!("#{rgb:06x}");
            prop_assert!(least(&hex) >= 4.5, "{}: {}", hex, least(&hex));
        }
    }
}
