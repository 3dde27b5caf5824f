//! Schemas of types whose JSON is not what their fields are.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::time::Millis;
use crate::domain::wallet::currencies;

fn id(description: &str) -> RefOr<Schema> {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(1)).maximum(Some(u32::MAX)).description(Some(description)).into()
}

/// A currency as a body names it.
pub(crate) fn currency() -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.enum_values(Some(currencies())).description(Some("ISO 4217."))
}

impl PartialSchema for ConcertId {
    fn schema() -> RefOr<Schema> {
        id("A concert.")
    }
}

impl ToSchema for ConcertId {}

impl PartialSchema for ShowId {
    fn schema() -> RefOr<Schema> {
        id("A show, unique over all concerts.")
    }
}

impl ToSchema for ShowId {}

impl PartialSchema for Millis {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339; answers have it in UTC with milliseconds."))
            .into()
    }
}

impl ToSchema for Millis {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}
