//! P8, P9, P10, P14: what a line of ten million costs, beside one of a thousand.

use crate::{
    Result,
    crowd::{Crowd, OTHERS},
    efficiency::Efficiency,
    goal::{Axis, Goal, Outcome, Plot, Row, Spread},
    load::{Answer, Source},
    people::{Person, Signer, Turn},
    plan::Plan,
    rounds::Series,
    rows::script,
    sale::CONCERT,
    site::Part,
    stats,
};

/// Connections.
const FEW: usize = 64;
/// As many rounds will do: ten million people make each a long one.
const ROUNDS: usize = 3;
/// The short line.
const SHORT: usize = 1000;
/// Tokens on both sides: as many as the short line has.
const TOKENS: usize = SHORT;
/// The line that has a goal of its own for the server's memory.
const MILLION: usize = 1_000_000;

/// Asks for a place, again and again, and is told that it waits.
struct Asking {
    turn: Turn,
}

impl Source for Asking {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Person { queue, .. } = self.turn.advance();
        request.extend_from_slice(b"GET /v1/queue/status HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ");
        request.extend_from_slice(queue.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == 200 && answer.body.windows(9).any(|word| word == b"\"WAITING\"")
    }
}

/// By length of the line.
#[derive(Default)]
struct Curve {
    join_us: Vec<(f64, f64)>,
    poll_us: Vec<(f64, f64)>,
    redis_bytes: Vec<(f64, f64)>,
    server_bytes: Vec<(f64, f64)>,
    trouble: Option<String>,
}

/// The long line beside the short one.
#[derive(Default)]
struct Sides {
    joins: [Series; 2],
    polls: [Series; 2],
    many_tokens: Series,
    trouble: Option<String>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let mut short = Crowd::open(SHORT).await?;
    let mut long = Crowd::open(SHORT).await?;
    let mut curve = Curve::default();
    short.site.pause(&OTHERS)?;
    loop {
        point(plan, &mut long, &mut curve).await?;
        if long.waiting >= plan.line {
            break;
        }
        long.grow(long.waiting * 10).await?;
    }
    short.site.resume(&OTHERS)?;
    let mut sides = Sides::default();
    for _ in 0..plan.rounds.min(ROUNDS) {
        round(plan, &mut short, &mut long, &mut sides).await?;
    }
    short.site.pause(&OTHERS)?;
    let (polls, trouble) = polled(plan, &long, plan.users).await?;
    sides.many_tokens.push(polls);
    sides.trouble = sides.trouble.take().or(trouble);
    short.site.resume(&OTHERS)?;
    let scripts = script::line_verbs(plan, &mut long).await?;
    let broken = curve.trouble.take().or(sides.trouble.take());
    let broken = broken.or_else(|| short.site.audit()).or_else(|| long.site.audit());
    let mut rows = rows(plan, &curve, &sides, broken.as_deref());
    let said = format!("{} in line.", plan.line);
    rows.push(script::row("P10 line", &said, &scripts, broken));
    Ok(Outcome { rows, plots: plots(&curve) })
}

async fn point(plan: &Plan, crowd: &mut Crowd, curve: &mut Curve) -> Result<()> {
    let at = f64::from(u32::try_from(crowd.waiting)?);
    curve.redis_bytes.push((at, crowd.redis_bytes().await?));
    curve.server_bytes.push((at, stats::resident(crowd.site.id(Part::Server))?));
    let (polls, trouble) = polled(plan, crowd, TOKENS).await?;
    curve.poll_us.push((at, polls));
    curve.trouble = curve.trouble.take().or(trouble);
    curve.join_us.push((at, crowd.cost_of_join(plan.joins).await?));
    crowd.settle().await
}

/// One line after the other; the one that is not measured stands still.
async fn round(plan: &Plan, short: &mut Crowd, long: &mut Crowd, sides: &mut Sides) -> Result<()> {
    long.site.pause(&OTHERS)?;
    side(plan, short, sides, 0).await?;
    long.site.resume(&OTHERS)?;
    short.site.pause(&OTHERS)?;
    side(plan, long, sides, 1).await?;
    short.site.resume(&OTHERS)
}

async fn side(plan: &Plan, crowd: &mut Crowd, sides: &mut Sides, number: usize) -> Result<()> {
    sides.joins[number].push(crowd.cost_of_join(plan.joins).await?);
    crowd.settle().await?;
    let (polls, trouble) = polled(plan, crowd, TOKENS).await?;
    sides.polls[number].push(polls);
    sides.trouble = sides.trouble.take().or(trouble);
    Ok(())
}

/// CPU of all processes for a poll, µs, by so many who are spread over the line.
async fn polled(plan: &Plan, crowd: &Crowd, tokens: usize) -> Result<(f64, Option<String>)> {
    let people = Signer::new(&crowd.site.config()?)?.placed(CONCERT, &crowd.places(tokens))?;
    let sources: Vec<_> = Turn::split(&people, FEW).into_iter().map(|turn| Asking { turn }).collect();
    let (mut first, mut polls) = (Efficiency::default(), Efficiency::default());
    // Every token once, so that none is new.
    let sources = first.ask(&crowd.site, sources, plan.time / 3).await?;
    polls.ask(&crowd.site, sources, plan.time).await?;
    let us = polls.us_per_request().next().ok_or("no poll was measured")?;
    Ok((us, first.trouble.or(polls.trouble)))
}

fn rows(plan: &Plan, curve: &Curve, sides: &Sides, broken: Option<&str>) -> Vec<Row> {
    let broken = || broken.map(str::to_owned);
    let length = plan.line;
    let bytes = curve.redis_bytes.last().map_or(f64::NAN, |(_, bytes)| *bytes);
    let ([short_joins, long_joins], [short_polls, long_polls]) = (&sides.joins, &sides.polls);
    let memory = "16-byte user ids, all that Redis uses more than before the first one came; the log is trimmed but for its last entries.";
    vec![
        Row::new("P8", "joins: Redis CPU at 10⁷ in line ÷ at 10³", "ratio", Goal::AtMost(2.0), long_joins.over(short_joins))
            .part(format!("a join, {length} in line"), "µs", long_joins.spread())
            .part(format!("a join, {SHORT} in line"), "µs", short_joins.spread())
            .note(format!(
                "{length} in line. New users join 64 a call, 256 at a time, and leave again unmeasured; nobody else asks Redis meanwhile. \
                 Small batches would hide the line's share behind the call's."
            ))
            .broken_by(broken()),
        Row::new("P8", "Redis memory for each who waits", "bytes", Goal::AtMost(140.0), Spread::once(bytes))
            .part("by length of the line", "bytes", spread(&curve.redis_bytes, 10_000.0))
            .note(format!("{length} in line, {memory}"))
            .broken_by(broken()),
        Row::new("P9", "polls: whole CPU at 10⁷ ÷ at 10³", "ratio", Goal::AtMost(1.05), long_polls.over(short_polls))
            .part(format!("a poll, {length} in line"), "µs", long_polls.spread())
            .part(format!("a poll, {SHORT} in line"), "µs", short_polls.spread())
            .part(format!("a poll, {length} in line, {} tokens", plan.users), "µs", sides.many_tokens.spread())
            .note(format!(
                "64 connections, {length} in line. On both sides {TOKENS} tokens, spread over the line, and a line that stands still: only its \
                 length differs. CPU of server, worker, Redis and MySQL."
            ))
            .broken_by(broken()),
        Row::new("P14 line", "the server's memory for 10⁶ who wait", "MB", Goal::AtMost(32.0), Spread::once(view(curve, MILLION)))
            .part(format!("for {length}"), "MB", Spread::once(view(curve, length)))
            .part("all of the server's, by length of the line", "MB", megabytes(&curve.server_bytes))
            .note(
                "The server's resident memory with so many in line, above the least that it had with any length of the line: what its start left \
                 behind, and it gave back since, would hide the view.",
            )
            .broken_by(broken()),
    ]
}

/// Of the points from this length on.
fn spread(points: &[(f64, f64)], from: f64) -> Spread {
    let figures: Vec<_> = points.iter().filter(|(at, _)| *at >= from).map(|(_, figure)| *figure).collect();
    Spread::of(&figures)
}

fn megabytes(points: &[(f64, f64)]) -> Spread {
    Spread::of(&points.iter().map(|(_, bytes)| bytes / 1e6).collect::<Vec<_>>())
}

/// Megabytes of the server at the longest line that is no longer than this, above the least that it ever had.
fn view(curve: &Curve, length: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a line is shorter than 2^52")]
    let length = length as f64;
    let bytes = |points: &[(f64, f64)]| points.iter().map(|(_, bytes)| *bytes).fold(f64::INFINITY, f64::min);
    let point = curve.server_bytes.iter().rev().find(|(at, _)| *at <= length);
    point.map_or(f64::NAN, |(_, most)| (most - bytes(&curve.server_bytes)) / 1e6)
}

fn plots(curve: &Curve) -> Vec<Plot> {
    let x = Axis { name: "people in line".to_owned(), logarithmic: true };
    let axis = |name: &str| Axis { name: name.to_owned(), logarithmic: false };
    vec![
        Plot {
            file: "line.svg".into(),
            title: "CPU by length of the line".to_owned(),
            x: x.clone(),
            y: axis("µs"),
            lines: vec![
                ("a poll, all processes".to_owned(), curve.poll_us.clone()),
                ("a join, Redis".to_owned(), curve.join_us.clone()),
            ],
        },
        Plot {
            file: "line_memory.svg".into(),
            title: "Redis memory for each who waits, by length of the line".to_owned(),
            x,
            y: axis("bytes"),
            lines: vec![("Redis".to_owned(), curve.redis_bytes.clone())],
        },
    ]
}
