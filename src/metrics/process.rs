//! Metrics of the process itself, read from `/proc` when they are scraped.
//!
//! CPU time is a counter of fractions of a second, which the recorder's counters, being whole, can't hold. Where
//! `/proc` can't be read they are left out.

use std::fmt::Write as _;
use std::fs;

use super::table::Row;

/// Clock ticks a second in `/proc`: part of Linux's interface to programs, on every architecture we build for.
const TICKS: f64 = 100.0;

/// Appends what can be read.
pub(super) fn render(text: &mut String) {
    for (name, value) in values() {
        let row = Row::of(name).expect("the names below are those of the table: a test renders them");
        let (help, kind) = (row.help.trim(), row.kind.as_str());
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .expect("a string takes all that is written");
    }
}

fn values() -> Vec<(&'static str, f64)> {
    let mut values = Vec::with_capacity(6);
    // The name of the program may hold anything but ends with the last parenthesis.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect())
        .unwrap_or_default();
    // Behind the name come `state`, field 3 of proc(5), and the others.
    let field = |number: usize| fields.get(number - 3).copied();
    if let (Some(user), Some(system), Some(threads), Some(started)) =
        (field(14), field(15), field(20), field(22))
    {
        values.push(("process_cpu_seconds_total", (user + system) / TICKS));
        values.push(("process_threads", threads));
        let booted = line_of("/proc/stat", "btime ").and_then(|line| first_number(&line));
        values.extend(booted.map(|booted| ("process_start_time_seconds", booted + started / TICKS)));
    }
    let resident = line_of("/proc/self/status", "VmRSS:").and_then(|line| first_number(&line));
    values.extend(resident.map(|kilobytes| ("process_resident_memory_bytes", kilobytes * 1024.0)));
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open while it is read.
        let open = u32::try_from(open.count().saturating_sub(1)).unwrap_or(u32::MAX);
        values.push(("process_open_fds", f64::from(open)));
    }
    let most = line_of("/proc/self/limits", "Max open files").and_then(|line| first_number(&line));
    values.extend(most.map(|most| ("process_max_fds", most)));
    values
}

fn line_of(file: &str, start: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned)
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_read_and_plausible() {
        let mut text = String::new();
        render(&mut text);
        let rows = super::super::ALL.iter().filter(|row| row.name.starts_with("process_"));
        for row in rows {
            let value = text.lines().find_map(|line| line.strip_prefix(row.name)?.strip_prefix(' '));
            let value: f64 = value.unwrap_or_else(|| panic!("{} in {text}", row.name)).parse().unwrap();
            assert!(value > 0.0 || row.name == "process_cpu_seconds_total", "{} {value}", row.name);
        }
        let started = values().into_iter().find(|(name, _)| *name == "process_start_time_seconds").unwrap().1;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..86_400.0).contains(&(now - started + 1.0)), "{started}");
    }
}
