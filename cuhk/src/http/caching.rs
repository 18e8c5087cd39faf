//! What caches may keep, for how long, and how they ask again (RFC 9110, section 13; RFC 9111).
//!
//! By the version alone: two revocation lists may be of the same second, and whoever had the first would be told by
//! the date that nothing has changed.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::time::later;

/// RFC 9110, section 5.6.7.
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// Bytes that others may keep for a while.
pub(super) struct Cacheable {
    pub(super) media_type: &'static str,
    /// What tells this version from all others; letters, digits and hyphens.
    pub(super) version: String,
    /// From when on it counts no more.
    pub(super) ends: UnixTime,
    /// How long it is kept at most.
    pub(super) max_age: Duration,
    /// Shared by all answers: one that is not read holds no bytes of its own.
    pub(super) content: Bytes,
}

impl Cacheable {
    /// The content, or `304 Not Modified` for whoever has it.
    pub(super) fn response(self, asked: &HeaderMap, now: UnixTime) -> Response<Body> {
        let etag = format!("\"{}\"", self.version);
        let (status, body) = match self.is_known(asked, &etag) {
            true => (StatusCode::NOT_MODIFIED, Body::empty()),
            false => (StatusCode::OK, Body::from(self.content)),
        };
        let left = self.ends.as_secs().saturating_sub(now.as_secs());
        let kept = Duration::from_secs(left).min(self.max_age);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let others = [
            (ETAG, etag),
            (EXPIRES, http_date(later(now, kept))),
            (
                CACHE_CONTROL,
                format!("public, max-age={}, must-revalidate", kept.as_secs()),
            ),
        ];
        for (name, value) in others {
            // All of them are visible ASCII.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }

    fn is_known(&self, asked: &HeaderMap, etag: &str) -> bool {
        // Several lines are one list (RFC 9110, section 5.3).
        let lines = asked.get_all(IF_NONE_MATCH).into_iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        let mut known = lines.flat_map(|line| line.split(',')).map(str::trim);
        known.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
    }
}

/// Times that no calendar has are not told.
fn http_date(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(HTTP_DATE).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::header::{IF_MODIFIED_SINCE, LAST_MODIFIED};

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    const LIST: &[u8] = b"list";
    const ENDS: u64 = 784_111_777 + 30;

    fn asked(name: axum::http::HeaderName, value: &'static str) -> Response<Body> {
        asked_at(ENDS - 20, name, value)
    }

    fn asked_at(now: u64, name: axum::http::HeaderName, value: &'static str) -> Response<Body> {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        answered(now, &headers)
    }

    fn answered(now: u64, asked: &HeaderMap) -> Response<Body> {
        let list = Cacheable {
            media_type: "application/pkix-crl",
            version: "students-7".into(),
            ends: at(ENDS),
            max_age: Duration::from_secs(60),
            content: Bytes::from_static(LIST),
        };
        list.response(asked, at(now))
    }

    #[test]
    fn says_which_version_it_is_and_how_long_it_counts() {
        let response = asked(IF_NONE_MATCH, "\"students-6\"");
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers[ETAG], "\"students-7\"");
        assert_eq!(headers[EXPIRES], "Sun, 06 Nov 1994 08:50:07 GMT");
        let expected = "public, max-age=20, must-revalidate";
        assert_eq!(headers[CACHE_CONTROL], expected);
    }

    /// Also by the header that caches of HTTP/1.0 look at.
    #[test]
    fn is_kept_no_longer_than_a_minute() {
        let response = asked_at(ENDS - 24 * 60 * 60, IF_NONE_MATCH, "*");
        let headers = response.headers();
        assert_eq!(headers[EXPIRES], "Sat, 05 Nov 1994 08:51:07 GMT");
        assert_eq!(
            headers[CACHE_CONTROL],
            "public, max-age=60, must-revalidate"
        );
    }

    #[tokio::test]
    async fn an_answer_holds_the_bytes_that_all_share_and_no_copy() {
        let answer = asked(IF_NONE_MATCH, "\"students-6\"");
        let held = axum::body::to_bytes(answer.into_body(), LIST.len()).await;
        assert_eq!(held.map(|held| held.as_ptr()).ok(), Some(LIST.as_ptr()));
    }

    #[test]
    fn of_several_lines_each_is_looked_at() {
        let line = |tag| (IF_NONE_MATCH, HeaderValue::from_static(tag));
        let mut headers = HeaderMap::new();
        for (name, value) in [line("\"x\""), line("\"students-7\"")] {
            headers.append(name, value);
        }
        let answer = answered(ENDS - 20, &headers);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn whoever_has_it_is_sent_nothing() {
        for (name, value) in [
            (IF_NONE_MATCH, "\"students-7\""),
            (IF_NONE_MATCH, "\"x\", W/\"students-7\""),
            (IF_NONE_MATCH, "*"),
        ] {
            let response = asked(name, value);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{value}");
        }
    }

    #[test]
    fn whoever_has_an_older_one_or_asks_in_riddles_or_by_a_date_is_sent_it() {
        for (name, value) in [
            (IF_NONE_MATCH, "students-7"),
            (IF_NONE_MATCH, "\"students-6\""),
            (IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:50:07 GMT"),
        ] {
            let sent = asked(name, value);
            assert_eq!(sent.status(), StatusCode::OK, "{value}");
            assert!(!sent.headers().contains_key(LAST_MODIFIED), "{value}");
        }
    }
}
