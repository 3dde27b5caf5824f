//! P14: connections that do nothing.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Result,
    catalog::{Hall, WIDE_OPEN},
    cpu::Meter,
    goal::{Axis, Goal, Outcome, Plot, Row, Spread},
    load::{Fixed, alike, closed},
    plan::Plan,
    site::{Part, Site, get},
    stats,
};

/// Connections that ask meanwhile.
const FEW: usize = 64;
const MAP: &str = "/v1/shows/1/seats";

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let site = Site::open(&Hall { shows: 1, rows: plan.rows }.yaml(WIDE_OPEN)).await?;
    let head = get(site.address(), MAP)?;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).ok_or("a map without a tag")?;
    let header = format!("If-None-Match: {}", tag.trim());
    let mut asking = alike(&Fixed::get_with(MAP, &header, 304), FEW);
    let mut trouble = None;
    // Whatever the server takes once and for all, it has then.
    (asking, _) = closed::run(site.address(), asking, plan.time).await?;
    let server = [("server", site.id(Part::Server))];
    let before = stats::resident(server[0].1)?;
    let (mut idle, mut each_kib, mut cost_us) = (Vec::new(), Vec::new(), Vec::new());
    for count in sizes(plan.idle) {
        while idle.len() < count {
            idle.push(rested(&site, &header).await?);
        }
        let at = f64::from(u32::try_from(count)?);
        each_kib.push((at, (stats::resident(server[0].1)? - before) / 1024.0 / at));
        let meter = Meter::start(&server);
        let (back, report) = closed::run(site.address(), asking, plan.time).await?;
        cost_us.push((at, meter.stop().total() * 1e6 / report.count_f64()));
        asking = back;
        trouble = trouble.or(report.trouble());
    }
    let each = each_kib.last().map_or(f64::NAN, |(_, kib)| *kib);
    let open = closed_by_server(&idle);
    let broken = trouble.or(open).or_else(|| site.audit());
    let first = cost_us.first().map_or(f64::NAN, |(_, us)| *us);
    let last = cost_us.last().map_or(f64::NAN, |(_, us)| *us);
    let row =
        Row::new("P14 idle", "server's memory for an idle connection", "KiB", Goal::AtMost(20.0), Spread::once(each))
            .part("server, a 304 beside one idle connection", "µs", Spread::once(first))
            .part(format!("server, a 304 beside {}", plan.idle), "µs", Spread::once(last))
            .note(format!(
                "{} connections, each had one answer; what the server's resident memory grew by. The kernel's own buffers are not in it.",
                plan.idle
            ))
            .broken_by(broken);
    let plot = Plot {
        file: "idle.svg".into(),
        title: "Server CPU for a 304, by idle connections beside it".to_owned(),
        x: Axis { name: "idle connections".to_owned(), logarithmic: true },
        y: Axis { name: "µs".to_owned(), logarithmic: false },
        lines: vec![("server".to_owned(), cost_us)],
    };
    Ok(Outcome { rows: vec![row], plots: vec![plot] })
}

/// 1, 10, … up to the most.
fn sizes(most: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1), move |size| (*size < most).then(|| (size * 10).min(most)))
}

/// A connection that has had an answer.
async fn rested(site: &Site, header: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(site.address()).await?;
    stream.write_all(format!("GET {MAP} HTTP/1.1\r\nHost: bench\r\n{header}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("the server hung up".into());
        }
    }
    if answer.starts_with(b"HTTP/1.1 304") { Ok(stream) } else { Err("not a 304".into()) }
}

/// What to say if any of them was closed meanwhile: then fewer were measured.
fn closed_by_server(idle: &[TcpStream]) -> Option<String> {
    let closed = idle.iter().filter(|stream| matches!(stream.try_read(&mut [0]), Ok(0))).count();
    (closed > 0).then(|| format!("{closed} idle connections were closed"))
}
