//! The X-ray function: an event names a picture in a bucket; its verdict, a processed picture, an anonymised copy for research
//! and the archived original come out, and a result event without personal data.
//!
//! Demonstration, not for clinical use. Processing twice gives the same keys, bytes and event: at-least-once delivery needs
//! nothing more.

#[cfg(target_family = "wasm")]
mod component;
pub mod flow;
pub mod notification;
pub mod result;
pub mod settings;
pub mod store;

use notification::{Notice, Notification};
use settings::Settings;
use store::Store;
use xray_guest::{Request, Response};

/// Answers one event.
///
/// 200 with a result event; 204 where there is nothing to do; 400 for what is no event; 500 for settings that cannot be meant;
/// 503 when the store fails, so that the event comes again.
pub fn handle(request: &Request, setting: impl Fn(&str) -> Option<String>, store: &impl Store) -> Response {
    let notification = match notification::read(request) {
        Ok(Notice::Created(notification)) => notification,
        Ok(Notice::Ignored) => return Response::empty(204),
        Err(malformed) => return Response::text(400, malformed),
    };
    match Settings::read(setting) {
        Ok(settings) => process(store, &settings, &notification),
        Err(wrong) => {
            eprintln!("xray: {wrong}");
            Response::text(500, wrong)
        }
    }
}

fn process(store: &impl Store, settings: &Settings, notification: &Notification) -> Response {
    let digest = notification.object.digest(&settings.copies.key);
    match flow::process(store, settings, &notification.object) {
        Ok(outcome) => {
            eprintln!("xray: {digest} {outcome}");
            result::event(settings, notification, &outcome)
        }
        Err(failure) => {
            // The store may repeat the key in its words, and a key may hold a name.
            let words = failure.to_string().replace(&notification.object.key, "(key)");
            eprintln!("xray: {digest} {words}");
            let mut response = Response::text(503, words);
            response.headers.push(("retry-after", "1".into()));
            response
        }
    }
}

#[cfg(test)]
mod tests;
