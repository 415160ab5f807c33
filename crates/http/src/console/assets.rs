//! Style, scripts and icon, inside the binary. Their addresses hold a digest of what is in them, so browsers keep them for good.

use std::{io::Write as _, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, AcceptEncoding, Encoding, Header as _, Preference, Quality},
    web::{Bytes, Path},
};
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;

use crate::{endpoints::Answer, problem::Problem};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Folder;

struct File {
    name: String,
    address: String,
    plain: Bytes,
    gzip: Bytes,
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| Folder::iter().filter_map(|name| File::load(&name)).collect());

impl File {
    fn load(name: &str) -> Option<Self> {
        let file = Folder::get(name)?;
        let digest: String = file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&file.data).ok()?;
        let gzip = encoder.finish().ok()?.into();
        let plain = Bytes::copy_from_slice(&file.data);
        Some(Self { name: name.to_owned(), address: format!("/assets/{digest}/{name}"), plain, gzip })
    }

    fn media_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        }
    }
}

/// Where a file is to be had; empty for one that there isn't.
pub(super) fn address(name: &str) -> &'static str {
    FILES.iter().find(|file| file.name == name).map_or("", |file| &file.address)
}

/// A file.
pub(super) async fn file(request: HttpRequest, path: Path<(String, String)>) -> Answer {
    let wanted = format!("/assets/{}/{}", path.0, path.1);
    let file = FILES.iter().find(|file| file.address == wanted).ok_or_else(Problem::not_found)?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.media_type())
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::VARY, "accept-encoding"));
    if takes_gzip(&request) {
        return Ok(response.insert_header((header::CONTENT_ENCODING, "gzip")).body(file.gzip.clone()));
    }
    Ok(response.body(file.plain.clone()))
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let Ok(accepted) = AcceptEncoding::parse(request) else { return false };
    accepted.iter().any(|offer| offer.quality > Quality::ZERO && offer.item == Preference::Specific(Encoding::gzip()))
}
