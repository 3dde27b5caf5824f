//! A tiny OTLP/HTTP collector: takes what is posted to it and keeps the bytes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A collector on a free port. Ends with the runtime.
pub(super) struct Collector {
    pub(super) endpoint: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = Arc::clone(&bodies);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&kept)));
            }
        });
        Self { endpoint, bodies }
    }

    /// Whether these texts stand in one of the messages so far: protobuf leaves text as it is.
    pub(super) fn has(&self, texts: &[&[u8]]) -> bool {
        let stands = |body: &[u8], text: &[u8]| body.windows(text.len()).any(|window| window == text);
        self.bodies.lock().unwrap().iter().any(|body| texts.iter().all(|text| stands(body, text)))
    }
}

async fn take(stream: TcpStream, kept: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        let mut request = String::new();
        while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
            if request.is_empty() {
                request.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if request.is_empty() {
            return;
        }
        assert!(request.starts_with("POST /v1/traces "), "{request}");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        kept.lock().unwrap().push(body);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}
