//! `check-config --engines` on real engines: every setting that is asked for, sound and wrong, and that a start refuses the same.

use std::fs;

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, mysql::MySqlConnectOptions};
use tempfile::TempDir;

use crate::support::free_address;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::{Persistence, Redis};

/// A configuration on two engines; keys are those that `token` makes for development.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new(redis: &str, mysql: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-engines-").tempdir().unwrap();
        let made = Process::run(folder.path(), &["token", "--user", "x", "--data-dir", "data"]);
        assert!(made.status.success(), "{made:?}");
        let file = folder.path().join("data/onsale.toml");
        let made = fs::read_to_string(&file).unwrap();
        let kept: Vec<_> = made.lines().filter(|line| !line.contains("url = ")).collect();
        let urls = format!("redis.url = '{redis}'\nmysql.url = '{mysql}'\nlog.memory_max_bytes = 1000000\n");
        let kept = kept.join("\n");
        let kept = kept.replace("[redis]\n", "").replace("[mysql]\n", "");
        fs::write(&file, urls + &kept).unwrap();
        Self { folder }
    }

    /// Its exit code, the lines about engines, and stderr.
    fn check(&self) -> (Option<i32>, Vec<String>, String) {
        let arguments = ["check-config", "--dev", "--engines", "--data-dir", "data"];
        let output = Process::run(self.folder.path(), &arguments);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let settings = stdout.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned);
        (output.status.code(), settings.collect(), String::from_utf8(output.stderr).unwrap())
    }

    /// That the line of `setting` ends in `verdict`, all others are fine, and a start agrees.
    fn finds(&self, setting: &str, verdict: &str) {
        let (code, lines, stderr) = self.check();
        let (about, others): (Vec<_>, Vec<_>) =
            lines.iter().partition(|line| line.contains(&format!(" {setting}: ")));
        assert!(about.len() == 1 && about[0].ends_with(&format!(": {verdict}")), "{setting}: {lines:#?}");
        assert!(others.iter().all(|line| line.ends_with(": ok")), "{setting}: {lines:#?}");
        let is_wrong = verdict == "wrong";
        assert_eq!(code, Some(i32::from(is_wrong)), "{setting}: {stderr}");
        assert_eq!(stderr.contains(about[0]), is_wrong, "{stderr}");
        if is_wrong {
            let started = Process::run(self.folder.path(), &["work", "--data-dir", "data"]);
            let says = String::from_utf8(started.stderr).unwrap();
            assert!(!started.status.success() && says.contains(about[0]), "{setting}: {says}");
        }
    }
}

async fn sound_mariadb() -> MariaDb {
    MariaDb::start_with(&["--innodb-flush-log-at-trx-commit=1".to_owned()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_setting_is_named() {
    let redis = Redis::start_durable().await;
    let mariadb = sound_mariadb().await;
    let site = Site::new(&redis.url(), &mariadb.create_database().await);
    let (code, lines, stderr) = site.check();
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{lines:#?}");
    assert!(lines.len() == 12 && lines.iter().all(|line| line.ends_with(": ok")), "{lines:#?}");

    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for (setting, wrong, right, verdict) in [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "wrong"),
        ("maxmemory", "1000000", "0", "weak"),
        ("appendonly", "no", "yes", "weak"),
        ("appendfsync", "everysec", "always", "weak"),
        ("aof-load-truncated", "no", "yes", "weak"),
    ] {
        for value in [wrong, right] {
            let mut set = redis::cmd("CONFIG");
            set.arg("SET").arg(setting).arg(value);
            let () = set.query_async(&mut connection).await.unwrap();
            if value == wrong {
                site.finds(setting, verdict);
            }
        }
    }
    let root = MySqlConnectOptions::new().username("root").socket(mariadb.socket());
    let mut connection = root.connect().await.unwrap();
    for (setting, wrong, right, verdict) in [
        ("sql_mode", "'NO_ENGINE_SUBSTITUTION'", "'STRICT_TRANS_TABLES'", "wrong"),
        ("read_only", "1", "0", "wrong"),
        ("max_allowed_packet", "1048576", "16777216", "wrong"),
        ("innodb_flush_log_at_trx_commit", "2", "1", "weak"),
    ] {
        for value in [wrong, right] {
            let set = format!("set global {setting} = {value}");
            connection.execute(AssertSqlSafe(set)).await.unwrap();
            if value == wrong {
                site.finds(setting, verdict);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_and_an_engine_that_is_away_are_named() {
    let port = free_address().port().to_string();
    let options = ["--port", &port, "--bind", "127.0.0.1", "--cluster-enabled", "yes"];
    let mut redis = Redis::start_with(Persistence::Always, &options).await;
    let mariadb = sound_mariadb().await;
    let site = Site::new(&redis.url(), &mariadb.create_database().await);
    site.finds("cluster_enabled", "wrong");
    redis.stop();
    let (code, lines, stderr) = site.check();
    assert_eq!(code, Some(1));
    assert!(lines.len() == 5 && lines.iter().all(|line| line.starts_with("mariadb ")), "{lines:#?}");
    assert!(stderr.starts_with("redis.url: Redis can't be used"), "{stderr}");
    drop(mariadb);
    let (_, lines, stderr) = site.check();
    assert!(lines.is_empty() && stderr.contains("\nmysql.url: MySQL can't be used"), "{stderr}");
}
