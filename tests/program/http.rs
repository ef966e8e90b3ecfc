//! HTTP requests without a library, one per connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A response: its status, headers and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Sends a request to the server at `address`, such as `127.0.0.1:7717`. A header replaces a default header
/// of the same name.
pub fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    let length = body.len().to_string();
    let mut all = vec![
        ("host", address),
        ("connection", "close"),
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    all.retain(|(name, _)| headers.iter().all(|(other, _)| other != name));
    all.extend(headers);
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    for (name, value) in all {
        request += &format!("{name}: {value}\r\n");
    }
    stream
        .write_all(format!("{request}\r\n").as_bytes())
        .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    // Some servers leave the connection open: the length says where the answer ends.
    let mut part = [0; 1 << 16];
    loop {
        if let Some(answer) = parse(&answer) {
            return answer;
        }
        let n = stream.read(&mut part).unwrap();
        assert!(n > 0, "cut off: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..n]);
    }
}

/// Parses the response, if it is complete.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let headers = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    let body = bytes[end + 4..].to_vec();
    let status = headers.split_whitespace().nth(1)?.parse().ok()?;
    (body.len() >= length).then_some(Answer {
        status,
        headers,
        body,
    })
}
