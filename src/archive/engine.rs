//! The server's settings, looked at before anything is archived in it.
//!
//! What it would do wrong silently is asked for: a value cut off, a statement too long, a commit that a crash undoes.

use sqlx::Row;

use super::{Archive, Error, rows};
use crate::config::{EngineSetting, Fitness};

/// The smallest `max_allowed_packet`, in bytes: the values of the largest statement, and as much for one row of more.
const PACKET_MIN: usize = 2 * rows::BYTES_MAX;

/// Every setting as text: MariaDB and MySQL give them different types. `sql_mode` is that of our connections.
const SELECT: &str = "select cast(version() as char), cast(@@sql_mode as char), cast(@@global.read_only as char), \
                      cast(@@global.max_allowed_packet as char), cast(@@global.innodb_flush_log_at_trx_commit as char)";

impl Archive {
    /// Asks the server for its settings and judges them.
    pub async fn engine_settings(&self) -> Result<Vec<EngineSetting>, Error> {
        let row = sqlx::query(SELECT).fetch_one(&self.pool).await?;
        let [version, mode, read_only, packet, flush] =
            [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?];
        Ok(judged(version, mode, read_only, packet, flush))
    }

    /// Refuses a server whose settings break what the archive rests on.
    pub async fn check_engine(&self) -> Result<(), Error> {
        let settings = self.engine_settings().await?;
        let unfit = settings.into_iter().find(|setting| setting.fitness == Fitness::Unfit);
        unfit.map_or(Ok(()), |setting| Err(Error::Unfit(setting)))
    }
}

fn judged(
    version: String,
    mode: String,
    read_only: String,
    packet: String,
    flush: String,
) -> Vec<EngineSetting> {
    let mariadb = version.contains("MariaDB");
    let (engine, oldest) = if mariadb { ("mariadb", [10, 6]) } else { ("mysql", [8, 0]) };
    let recent = numbers(&version) >= oldest;
    let [major, minor] = oldest;
    // Without it a value that is too long is cut off, and the archive would never hear of it.
    let strict = mode.split(',').any(|mode| matches!(mode, "STRICT_TRANS_TABLES" | "STRICT_ALL_TABLES"));
    let writable = matches!(read_only.as_str(), "0" | "OFF");
    let roomy = packet.parse::<usize>().is_ok_and(|bytes| bytes >= PACKET_MIN);
    let kept = flush == "1";
    let settings = [
        EngineSetting::needed("version", version, format!("{major}.{minor} or later"), recent),
        EngineSetting::needed("sql_mode", mode, "STRICT_TRANS_TABLES", strict),
        EngineSetting::needed("read_only", read_only, "0", writable),
        EngineSetting::needed("max_allowed_packet", packet, format!("{PACKET_MIN} or more"), roomy),
        EngineSetting::advised("innodb_flush_log_at_trx_commit", flush, "1", kept),
    ];
    settings.into_iter().map(|setting| setting.of(engine)).collect()
}

/// The first two numbers of a version.
fn numbers(version: &str) -> [u32; 2] {
    let mut parts = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    [parts.next().unwrap_or(0), parts.next().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_the_engine_that_they_are_of() {
        for (version, engine, fitness) in [
            ("8.4.6", "mysql", Fitness::Fit),
            ("8.0.11", "mysql", Fitness::Fit),
            ("5.7.44-log", "mysql", Fitness::Unfit),
            ("10.11.14-MariaDB-0+deb12u2", "mariadb", Fitness::Fit),
            ("11.4.2-MariaDB", "mariadb", Fitness::Fit),
            ("10.5.29-MariaDB", "mariadb", Fitness::Unfit),
            ("?", "mysql", Fitness::Unfit),
        ] {
            let text = |text: &str| text.to_owned();
            let settings = judged(text(version), text(""), text("0"), text("1"), text("1"));
            assert_eq!((settings[0].engine, settings[0].fitness), (engine, fitness), "{version}");
        }
    }
}
