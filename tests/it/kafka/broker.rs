//! A Kafka broker that is its own controller (`KRaft`), from the jars that `make install` fetched, to be killed and started again.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::spawner::{Running, bound_to_us, spawn};
use crate::support::{free_address, wait_until_blocking};

/// Partitions of a topic.
pub(crate) const PARTITIONS: i32 = 3;

/// Who may write to the listener with TLS.
pub(crate) const USER: &str = "onsale";
pub(crate) const PASSWORD: &str = "a secret of the brokers";

const SECURE: &str = "inter.broker.listener.name=PLAINTEXT\nsasl.enabled.mechanisms=SCRAM-SHA-512\n\
     listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
     listener.name.sasl_ssl.ssl.keystore.type=PKCS12\nlistener.name.sasl_ssl.ssl.keystore.location=broker.p12\n\
     listener.name.sasl_ssl.ssl.keystore.password=changeit\nlistener.name.sasl_ssl.ssl.key.password=changeit\n";

/// A broker that is killed when it goes out of scope.
pub(crate) struct Broker {
    folder: TempDir,
    address: SocketAddr,
    secure: Option<SocketAddr>,
    running: Option<Running>,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        let start = || {
            let mut broker = Self::prepare();
            broker.restart();
            broker
        };
        tokio::task::spawn_blocking(start).await.expect("the broker starts")
    }

    /// One that has never run: its address leads nowhere until [`Broker::restart`].
    pub(crate) fn prepare() -> Self {
        Self::prepare_with(None)
    }

    /// Another one, that has a second listener for [`USER`] with TLS.
    pub(crate) fn prepare_secure() -> Self {
        Self::prepare_with(Some(free_address()))
    }

    fn prepare_with(secure: Option<SocketAddr>) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-kafka-").tempdir().expect("a temporary folder");
        let (address, controller) = (free_address(), free_address());
        let second = secure.map(|address| format!(",SASL_SSL://{address}")).unwrap_or_default();
        let mut settings = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{controller}\n\
             listeners=PLAINTEXT://{address},CONTROLLER://{controller}{second}\n\
             advertised.listeners=PLAINTEXT://{address}{second}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL\n\
             log.dirs={}\nnum.partitions={PARTITIONS}\nauto.create.topics.enable=true\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n",
            folder.path().join("data").display()
        );
        if secure.is_some() {
            settings.push_str(SECURE);
        }
        fs::write(folder.path().join("server.properties"), settings).expect("our folder");
        let broker = Self { folder, address, secure, running: None };
        if secure.is_some() {
            broker.make_certificate();
        }
        let mut format = broker.java("kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", "server.properties"]);
        if secure.is_some() {
            format.args(["--add-scram", &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]")]);
        }
        let output = format.output().expect("java is installed");
        assert!(output.status.success(), "{output:?}");
        broker
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// `host:port` of the listener with TLS.
    pub(crate) fn secure_address(&self) -> String {
        self.secure.expect("it was asked for").to_string()
    }

    /// The certificate that the broker shows there, which nobody else has signed.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("broker.pem")
    }

    fn make_certificate(&self) {
        let store = ["-alias", "broker", "-keystore", "broker.p12", "-storepass", "changeit"];
        let made = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", "san=ip:127.0.0.1"];
        for words in [&made[..], &["-exportcert", "-rfc", "-file", "broker.pem"]] {
            let mut keytool = bound_to_us(&PathBuf::from("keytool"));
            let output = keytool.args(words).args(store).current_dir(self.folder.path()).output();
            let output = output.expect("it comes with java");
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.running.take().expect("it is running").kill();
    }

    /// Starts it on what it has on disk, and waits until it takes connections.
    pub(crate) fn restart(&mut self) {
        let log = self.folder.path().join("broker.log");
        let mut command = self.java("kafka.Kafka");
        let file = File::options().create(true).append(true).open(&log).expect("our folder");
        command.arg("server.properties").stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let mut running = Running::new(spawn(command).expect("java is installed"), log);
        wait_until_blocking("the broker takes connections", || {
            assert!(running.ended().is_none(), "the broker ended: {}", running.log());
            std::net::TcpStream::connect(self.address).is_ok()
        });
        self.running = Some(running);
    }

    fn java(&self, class: &str) -> Command {
        let mut command = bound_to_us(&PathBuf::from("java"));
        command
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(jars().join("*"))
            .arg(class)
            .current_dir(self.folder.path());
        command
    }
}

/// Where `make install` puts them: in the target folder, beside the profile's.
fn jars() -> PathBuf {
    let command = PathBuf::from(env!("CARGO_BIN_EXE_onsale"));
    let target = command.parent().and_then(|profile| profile.parent()).expect("target/debug/onsale");
    let jars = target.join("tools/kafka-4.0.0");
    assert!(jars.is_dir(), "no jars in {}: run `make install`", jars.display());
    jars
}
