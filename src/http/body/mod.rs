//! Request bodies: bounded in bytes and time, JSON, and faults that name their field.
//!
//! The happy path is the fast one: `serde_json` below 512 bytes, simd-json with reused buffers above (86 bytes: 147 ns
//! against 164; 236: 196 against 205; 956: 1400 against 1078; 7.5 KB: 12.8 µs against 9.2). Neither names the
//! field of a wrong body, so on failure it is parsed again by `path`.

mod path;

use std::cell::RefCell;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::context::Context;
use super::problem::{Code, Problem};
use super::request::Request;

/// From this size on simd-json is faster.
const SIMD_BYTES_MIN: usize = 512;
/// So much of a body that is too large is read to answer 413; after it the connection breaks.
const DROPPED_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static BUFFERS: RefCell<simd_json::Buffers> = RefCell::new(simd_json::Buffers::default());
}

/// Reads a body that must be there.
pub(crate) async fn read<T: DeserializeOwned>(ctx: &Context, request: &mut Request) -> Result<T, Problem> {
    let bytes = receive(ctx, request).await?;
    check_type(request)?;
    parse(&bytes)
}

/// Reads a body that must be there and may be larger than others, in bytes, and makes of it what is wanted: both on a
/// thread where that may take long. This core has buyers to serve.
pub(crate) async fn read_large<T: DeserializeOwned + 'static, U: Send + 'static>(
    ctx: &Context,
    request: &mut Request,
    limit: usize,
    make: fn(T) -> Result<U, Problem>,
) -> Result<U, Problem> {
    let bytes = receive_up_to(ctx, request, limit).await?;
    check_type(request)?;
    let making = spawn_blocking(move || parse(&bytes).and_then(make));
    making.await.map_err(|panic| Problem::caused(Code::Internal, panic))?
}

/// Reads the body of a call whose fields are all optional: it may be absent.
pub(crate) async fn read_optional<T: DeserializeOwned + Default>(
    ctx: &Context,
    request: &mut Request,
) -> Result<T, Problem> {
    let bytes = receive(ctx, request).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    check_type(request)?;
    parse(&bytes)
}

/// The bytes of a body, whatever they are; none if it is absent.
pub(crate) async fn receive(ctx: &Context, request: &mut Request) -> Result<Bytes, Problem> {
    receive_up_to(ctx, request, ctx.settings.max_body_bytes).await
}

async fn receive_up_to(ctx: &Context, request: &mut Request, limit: usize) -> Result<Bytes, Problem> {
    let Some(body) = request.body.take() else {
        return Ok(Bytes::new());
    };
    let mut collecting = pin!(collect(body, limit));
    // Most bodies came with their heads: they need no timer.
    let received = match collecting.as_mut().now_or_never() {
        Some(received) => Ok(received),
        None => timeout(ctx.settings.body_read_timeout, collecting).await,
    };
    let Ok(received) = received else {
        return Err(Problem::new(Code::InvalidRequest).detail("The body took too long to arrive."));
    };
    match received {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(too_large(limit)),
        // The client broke off or sent wrong chunks; it may still read the answer.
        Err(error) => {
            Err(Problem::new(Code::InvalidRequest).detail(format!("The body did not arrive whole: {error}.")))
        }
    }
}

/// The body, or `None` if it is longer than `limit`. What is too long is read on and dropped, up to a bound: a
/// connection closed on unread bytes is reset, and the client would never see the answer.
async fn collect(mut body: Incoming, limit: usize) -> Result<Option<Bytes>, hyper::Error> {
    let mut received = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if length == 0 && data.len() <= limit && body.is_end_stream() {
            return Ok(Some(data));
        }
        length += data.len();
        if length <= limit {
            received.extend_from_slice(&data);
        } else if length > DROPPED_BYTES_MAX {
            break;
        }
    }
    Ok((length <= limit).then(|| received.freeze()))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge).detail(format!("A body has at most {limit} bytes."))
}

fn check_type(request: &Request) -> Result<(), Problem> {
    let value = request.headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType))
    }
}

/// Reads a form from its JSON.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    fast(bytes).map_or_else(|| named(bytes), Ok)
}

fn fast<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    // A derived form also takes an array of its fields in order, which the contract does not know.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return None;
    }
    if bytes.len() < SIMD_BYTES_MIN {
        return serde_json::from_slice(bytes).ok();
    }
    // simd-json unescapes in place.
    let mut copy = bytes.to_vec();
    BUFFERS.with_borrow_mut(|buffers| simd_json::serde::from_slice_with_buffers(&mut copy, buffers).ok())
}

fn named<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let not_json = |detail: String| Problem::new(Code::InvalidRequest).detail(detail);
    let text = std::str::from_utf8(bytes).map_err(|_| not_json("The body is not UTF-8.".into()))?;
    let raw: &serde_json::value::RawValue =
        serde_json::from_str(text).map_err(|error| not_json(format!("The body is not JSON: {error}")))?;
    if !raw.get().starts_with('{') {
        return Err(not_json("The body is not a JSON object.".into()));
    }
    T::deserialize(path::At(raw)).map_err(path::Fault::into_problem)
}

/// A field of a change: absent (`#[serde(default)]`) it stays, `null` takes its value away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Field<T> {
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl<T: Copy> Field<T> {
    /// The value after the change of one that stands.
    pub(crate) fn over(self, stands: Option<T>) -> Option<T> {
        match self {
            Self::Absent => stands,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::deserialize(deserializer)?;
        Ok(value.map_or(Self::Null, Self::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::Section;
    use crate::http::request::RequestId;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Form {
        show_id: u32,
        seats: Option<Vec<String>>,
        amount: Option<i64>,
        #[serde(default)]
        sections: Vec<Section>,
        rate: Option<f64>,
    }

    async fn fault(body: impl AsRef<[u8]>) -> (Option<String>, String) {
        let problem = parse::<Form>(body.as_ref()).unwrap_err();
        assert_eq!(problem.code, Code::InvalidRequest);
        let response = problem.into_response(&RequestId::new(0));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        (text("field"), text("detail").unwrap())
    }

    #[tokio::test]
    async fn every_kind_of_wrong_field_is_named() {
        for (body, field) in [
            (r"{}", "showId"),
            (r#"{"showId": 1, "x": 2}"#, "x"),
            (r#"{"showId": 1, "showId": 1}"#, "showId"),
            (r#"{"showId": 1, "seats": null, "seats": null}"#, "seats"),
            (r#"{"showId": "1"}"#, "showId"),
            (r#"{"showId": -1}"#, "showId"),
            (r#"{"showId": null}"#, "showId"),
            (r#"{"showId": 1, "amount": 1e5}"#, "amount"),
            (r#"{"showId": 1, "amount": 100.0}"#, "amount"),
            (r#"{"showId": 1, "amount": 9223372036854775808}"#, "amount"),
            (r#"{"showId": 1, "amount": true}"#, "amount"),
            (r#"{"showId": 1, "seats": "A-1"}"#, "seats"),
            (r#"{"showId": 1, "seats": ["A-1", 2]}"#, "seats"),
            (r#"{"showId": 1, "sections": [{"name": "A"}]}"#, "sections.price"),
            (r#"{"showId": 1, "sections": [{"name": "A", "price": 1, "row": 1}]}"#, "sections.row"),
        ] {
            assert_eq!(fault(body).await.0.as_deref(), Some(field), "{body}");
        }
    }

    #[tokio::test]
    async fn a_long_body_is_judged_like_a_short_one() {
        let seats = vec![r#""A-1""#; 200].join(",");
        let good = format!(r#"{{"showId": 1, "seats": [{seats}]}}"#);
        assert_eq!(parse::<Form>(good.as_bytes()).unwrap().seats.unwrap().len(), 200);
        for (extra, field) in [
            (r#""amount": 1e5"#, "amount"),
            (r#""amount": 100.0"#, "amount"),
            (r#""x": 1"#, "x"),
            (r#""showId": 1"#, "showId"),
        ] {
            let body = format!(r#"{{"showId": 1, "seats": [{seats}], {extra}}}"#);
            assert_eq!(fault(body).await.0.as_deref(), Some(field), "{extra}");
        }
    }

    #[tokio::test]
    async fn what_is_no_json_object_names_no_field() {
        for body in [
            &b""[..],
            b" \n",
            b"\xff",
            b"{\"showId\": 1, \"seats\": [\"\xff\"]}",
            b"[1]",
            b"1",
            b"null",
            b"{\"showId\": 1",
            b"{\"showId\": 1} x",
        ] {
            let (field, detail) = fault(body).await;
            assert!(field.is_none() && detail.starts_with("The body is not"), "{body:?}: {detail}");
        }
    }

    #[test]
    fn integers_are_fine_where_a_fraction_may_stand() {
        let form: Form = parse(br#"{"showId": 1, "rate": 100, "amount": -5}"#).unwrap();
        assert_eq!((form.rate, form.amount), (Some(100.0), Some(-5)));
    }

    #[derive(Debug, Default, Deserialize)]
    struct Times {
        #[serde(default)]
        at: Field<u32>,
    }

    #[test]
    fn null_and_absent_are_told_apart() {
        assert_eq!(parse::<Times>(b"{}").unwrap().at, Field::Absent);
        assert_eq!(parse::<Times>(br#"{"at": null}"#).unwrap().at, Field::Null);
        assert_eq!(parse::<Times>(br#"{"at": 7}"#).unwrap().at, Field::Value(7));
    }
}
