//! Balances: reading, charging, and the ledger of what moved.

pub(crate) mod top_up;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::top_up::TopUpBody;
use super::auth::{self, Identity, Role};
use super::body;
use super::context::Context;
use super::durability;
use super::freshness;
use super::gate;
use super::history;
use super::idempotency;
use super::openapi::params::{Durable, NeededKey, Paging, UserPath, Version};
use super::openapi::refusals::refusals;
use super::page::{self, List};
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use super::settings::TopUp;
use crate::archive::{LedgerCursor, LedgerItem, LedgerKind};
use crate::domain::ids::{LogName, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::pseudonym::is_pseudonym;
use crate::domain::time::Millis;
use crate::domain::wallet::Balance;
use crate::store::{ChargeRequest, Failure, TopUpRequest};

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": 100_000}))]
struct ChargeForm {
    amount: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BalanceBody<'a> {
    user_id: &'a str,
    balance: i64,
    currency: &'a str,
    /// Null of a user never seen.
    #[schema(required = true)]
    updated_at: Option<Millis>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChargedBody {
    charged_amount: i64,
    current_balance: i64,
    /// Of a charge through the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    charge_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LedgerBody {
    entry_id: String,
    #[serde(rename = "type")]
    kind: LedgerKind,
    amount: i64,
    balance_after: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_id: Option<String>,
    created_at: Millis,
}

refusals!(BalanceRefusals: JSON, IDENTITY, PATH, STORE; Forbidden);

/// `GET /v1/users/{userId}/balance`
#[utoipa::path(
    get, path = "/v1/users/{userId}/balance", operation_id = "getBalance", tag = "payments",
    summary = "The caller's balance",
    params(UserPath),
    responses((status = 200, description = "The balance.", body = BalanceBody), BalanceRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn balance(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let (_, user) = own(ctx, request)?;
    let balance = current(ctx, request, &user).await?;
    response::ok(&BalanceBody {
        user_id: user.as_str(),
        balance: balance.amount,
        currency: &ctx.settings.wallet.currency,
        updated_at: balance.updated,
    })
}

/// A balance as it is now; while the log of its partition is lost, as the archive has it.
async fn current(ctx: &Context, request: &Request, user: &UserId) -> Result<Balance, Problem> {
    let log = LogName::Wallet(user.partition(ctx.store.partitions()));
    if !ctx.store.seen().get(log).is_some_and(|seen| seen.is_lost()) {
        return Ok(ctx.store.balance(user, request.deadline).await?);
    }
    let newest = history::read(request, ctx.archive.ledger_of(user.as_str(), None, 1)).await?;
    let newest = newest.items.first();
    Ok(newest.map_or_else(Balance::default, |item| Balance {
        amount: item.balance_after,
        updated: Some(item.created),
    }))
}

refusals!(ChargeRefusals: JSON, IDENTITY, PATH, KEY, DURABILITY, BODY, PLACE, STORE, NOT_BUILT; Forbidden,
    IdempotencyKeyRequired, AmountOutOfRange, QueueTokenNotActive, PaymentDeclined, RequestInProgress);

/// `POST /v1/users/{userId}/balance`
#[utoipa::path(
    post, path = "/v1/users/{userId}/balance", operation_id = "chargeBalance", tag = "payments",
    summary = "Charges a balance",
    params(UserPath, NeededKey, Durable),
    request_body = ChargeForm,
    responses(
        (status = 200, description = "It is charged.", body = ChargedBody),
        (status = 202, description = "The gateway is at it.", body = TopUpBody),
        ChargeRefusals,
    ),
    security(("identity" = []), ("identity" = [], "queueToken" = [])),
)]
pub(crate) async fn charge(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let user = named(request, &identity)?;
    let way = check_right(ctx, &identity, &user)?;
    let key = idempotency::required_key(request)?;
    durability::check(request, ctx.settings.durability)?;
    let form: ChargeForm = body::read(ctx, request).await?;
    let range = ctx.settings.wallet.charge_min..=ctx.settings.wallet.charge_max;
    if !range.contains(&form.amount) {
        return Err(out_of_range(ctx));
    }
    // Who stands at a till stands in no line.
    let refusal = if ctx.settings.wallet.charge_needs_active && !identity.is(Role::Cashier) {
        gate::refusal_anywhere(ctx, request, &identity).await?
    } else {
        None
    };

    // Whom it charges stands in the request's name: a digest of it in the log would outlive his (0015), and confirm a guess.
    let fingerprint = idempotency::fingerprint(request, &form)?;
    if way == Way::Gateway {
        let none = || Problem::new(Code::NotImplemented).detail("No payment gateway is configured.");
        let clearing = ctx.clearing.as_ref().ok_or_else(none)?;
        let wallet = &ctx.settings.wallet;
        let asked = TopUpRequest {
            user,
            charge: ctx.store.new_id(),
            amount: form.amount,
            currency: wallet.currency.clone(),
            within: wallet.top_up_within,
            key,
            fingerprint,
            refusal,
        };
        return top_up::begin(ctx, request, clearing, asked).await;
    }
    let asked = ChargeRequest {
        by: identity.user.clone(),
        user,
        charge: ctx.store.new_id(),
        amount: form.amount,
        key,
        fingerprint,
        refusal,
    };
    let answer = match ctx.store.charge(asked, request.deadline).await {
        Err(Failure::Refused(Refusal::AmountOutOfRange)) => return Err(out_of_range(ctx)),
        other => other?,
    };
    let mut response = response::ok(&ChargedBody {
        charged_amount: answer.value.amount,
        current_balance: answer.value.balance,
        charge_id: None,
    })?;
    idempotency::mark_replayed(&mut response, answer.replayed);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

refusals!(LedgerRefusals: JSON, IDENTITY, PATH, FORM, FRESH; Forbidden);

/// `GET /v1/users/{userId}/ledger`: a history read, as fresh as the archive.
#[utoipa::path(
    get, path = "/v1/users/{userId}/ledger", operation_id = "listLedger", tag = "payments",
    summary = "What changed the caller's balance, newest first",
    params(UserPath, Paging, Version),
    responses((status = 200, description = "A page.", body = List<LedgerBody>), LedgerRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn ledger(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let (_, user) = own(ctx, request)?;
    let asked = page::asked(request)?;
    let after: Option<LedgerCursor> = page::parsed_cursor(&asked)?;
    freshness::catch_up(ctx, request).await?;
    let page = history::read(request, ctx.archive.ledger_of(user.as_str(), after, asked.limit)).await?;
    let item = |row: LedgerItem| LedgerBody {
        entry_id: row.entry.to_string(),
        kind: row.kind,
        amount: row.amount,
        balance_after: row.balance_after,
        reservation_id: row.reservation.map(|id| id.to_string()),
        created_at: row.created,
    };
    response::ok(&List {
        items: page.items.into_iter().map(item).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    })
}

/// The caller and the user that the path names, who must be the same.
fn own(ctx: &Context, request: &Request) -> Result<(Arc<Identity>, UserId), Problem> {
    let identity = auth::identity(ctx, request)?;
    let user = named(request, &identity)?;
    if user == identity.user {
        Ok((identity, user))
    } else {
        Err(Problem::new(Code::Forbidden).detail("Only one's own balance can be seen."))
    }
}

/// The user that the path names; `me` is the caller.
fn named(request: &Request, identity: &Identity) -> Result<UserId, Problem> {
    let text = request.path_text()?;
    if text == "me" {
        return Ok(identity.user.clone());
    }
    let user = UserId::new(&text).filter(|user| !is_pseudonym(user.as_str()));
    user.ok_or_else(|| Problem::new(Code::NotFound))
}

/// How money comes in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The caller has taken it.
    Direct,
    /// The gateway takes it.
    Gateway,
}

fn check_right(ctx: &Context, identity: &Identity, user: &UserId) -> Result<Way, Problem> {
    let own = identity.user == *user;
    let way = match ctx.settings.wallet.top_up {
        _ if identity.is(Role::Cashier) => Some(Way::Direct),
        TopUp::Themselves => own.then_some(Way::Direct),
        TopUp::Cashier => None,
        TopUp::Gateway => own.then_some(Way::Gateway),
    };
    way.ok_or_else(|| Problem::new(Code::Forbidden).detail("This caller may not charge that balance."))
}

fn out_of_range(ctx: &Context) -> Problem {
    Problem::new(Code::AmountOutOfRange)
        .with("min", ctx.settings.wallet.charge_min)
        .with("max", ctx.settings.wallet.charge_max)
}
