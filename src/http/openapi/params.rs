//! Parameters that several calls share: ids in paths, pages, and the headers of the contract.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Required, Schema, SchemaFormat};

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn integer(min: i64, max: i64) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).minimum(Some(min)).maximum(Some(max))
}

fn parameter(place: ParameterIn, name: &str, schema: ObjectBuilder, description: &str) -> Parameter {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let schema: RefOr<Schema> = schema.into();
    ParameterBuilder::new()
        .parameter_in(place)
        .name(name)
        .required(required)
        .schema(Some(schema))
        .description(Some(description))
        .build()
}

/// Makes types that stand for parameters in a handler's `params(…)`.
macro_rules! shared {
    ($($(#[$doc:meta])* $name:ident { $($parameter:expr),+ })*) => { $(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![$($parameter),+]
            }
        }
    )* };
}

use ParameterIn::{Header, Path, Query};

shared! {
    /// `{concertId}`
    ConcertPath { parameter(Path, "concertId", integer(1, i64::from(u32::MAX)), "A concert.") }
    /// `{showId}`
    ShowPath { parameter(Path, "showId", integer(1, i64::from(u32::MAX)), "A show.") }
    /// `{reservationId}`
    ReservationPath { parameter(Path, "reservationId", text().min_length(Some(1)), "A reservation.") }
    /// `{paymentId}`
    PaymentPath { parameter(Path, "paymentId", text().min_length(Some(1)), "A payment.") }
    /// `{webhookId}`
    WebhookPath { parameter(Path, "webhookId", text().min_length(Some(1)), "A webhook.") }
    /// `{gateway}` and its signature
    GatewayPath {
        parameter(Path, "gateway", text().min_length(Some(1)), "The gateway, as the configuration names it."),
        parameter(Header, "Onsale-Signature", text(),
            "`t=<unix seconds>,v1=<hex>`: HMAC-SHA-256 over `<t>.<body>`, at most five minutes old. Stripe's is in \
             `Stripe-Signature`.")
    }
    /// `{userId}`
    UserPath {
        parameter(Path, "userId", text().min_length(Some(1)), "A user; `me` is the caller.")
    }
    /// `{userId}`, `{chargeId}`
    ChargePath {
        parameter(Path, "userId", text().min_length(Some(1)), "A user; `me` is the caller."),
        parameter(Path, "chargeId", text().min_length(Some(1)), "A charge through the gateway.")
    }
    /// `limit`, `cursor`
    Paging {
        parameter(Query, "limit", integer(1, 200).default(Some(50.into())), "The most items of the page."),
        parameter(Query, "cursor", text().max_length(Some(256)), "`nextCursor` of the page before.")
    }
    /// `limit`, `cursor` of a sheet
    SheetPaging {
        parameter(Query, "limit", integer(1, 10_000).default(Some(10_000.into())), "The most rows of the page."),
        parameter(Query, "cursor", text(), "As the `Link` of the page before has it.")
    }
    /// `limit` of a list that has its own way on
    Limit { parameter(Query, "limit", integer(1, 200).default(Some(50.into())), "The most items of the page.") }
    /// `concertId` as a choice
    OneConcert {
        parameter(Query, "concertId", integer(1, i64::from(u32::MAX)), "Only this concert.")
    }
    /// `after`
    After {
        parameter(Query, "after", text(), "`nextCursor` of the answer before.")
    }
    /// `available`
    Available {
        parameter(Query, "available",
            ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into())),
            "Only those with a free seat.")
    }
    /// `from`, `to`
    Span {
        parameter(Query, "from", moment(), "Those that start then or later."),
        parameter(Query, "to", moment(), "Those that start before then.")
    }
    /// `Onsale-Version`
    Version {
        parameter(Header, "Onsale-Version", text(),
            "As an answer gave it: this answer shows nothing older. Whatever it is not, is ignored.")
    }
    /// `Durability`
    Durable {
        parameter(Header, "Durability",
            text().enum_values(Some(["memory", "disk"])),
            "How safe the effect must be when it is answered. `replica` and `archive` are words for what no installation \
             gives yet: 400 `durability_unavailable`.")
    }
    /// `Idempotency-Key`
    Key {
        parameter(Header, "Idempotency-Key", key(),
            "Names the request: asked again with the same key it happens once and is answered alike.")
    }
    /// `Idempotency-Key`, which must be there
    NeededKey {
        ParameterBuilder::from(parameter(Header, "Idempotency-Key", key(),
            "Names the request: asked again with the same key it happens once and is answered alike."))
            .required(Required::True)
            .build()
    }
    /// `If-None-Match`
    Condition {
        parameter(Header, "If-None-Match", text(), "An `ETag` of the same form of the same map, or several.")
    }
}

fn key() -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(64)).pattern(Some("^[ -~]{1,64}$"))
}

fn moment() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}
