//! Whether an engine answers, asked over its socket in its own protocol.

use std::path::Path;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// The version of MySQL's protocol that a server's greeting starts with.
const MYSQL_PROTOCOL: u8 = 10;

/// Whether Redis at `socket` answers PING; while it reads its append-only file it says `-LOADING`.
pub(super) async fn redis_answers(socket: &Path) -> bool {
    let ask = async || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        Ok(&answer == b"+PONG")
    };
    ask().await.unwrap_or(false)
}

/// Whether MariaDB at `socket` sends its greeting: it does once its init file has been carried out.
pub(super) async fn mariadb_answers(socket: &Path) -> bool {
    let ask = async || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket).await?;
        let mut packet = [0; 5];
        stream.read_exact(&mut packet).await?;
        Ok(packet[4] == MYSQL_PROTOCOL)
    };
    ask().await.unwrap_or(false)
}
