//! Serves the page and its questions over HTTP, on this machine only.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::question::{Asked, Question};

/// The port tried first if none is given, so that a bookmark keeps working.
const USUAL_PORT: u16 = 7717;

/// Size of the largest question in bytes: a drawing, or the pixels of an image as text.
const MOST_BYTES: usize = 1 << 24;

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/watch.css");
const SCRIPT: &str = include_str!("page/watch.js");

/// A server on its own thread, and the questions that it passes on.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    questions: Receiver<Question>,
}

impl Server {
    /// Serves the page at `port` of this machine, or at a free port.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start(port: Option<u16>) -> Result<Self> {
        let listener = listen(port)?;
        let address = listener.local_addr()?;
        let (sender, questions) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("cannot start a server")?;
        let listener = {
            let _inside = runtime.enter();
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)?
        };
        // The thread ends with the program: there is nothing that it could leave half done.
        thread::Builder::new()
            .name("page".into())
            .spawn(move || {
                runtime.block_on(axum::serve(listener, router(address, sender)).into_future())
            })
            .context("cannot start a server")?;
        Ok(Self { address, questions })
    }

    /// Returns the address of the page.
    pub fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns the queue of questions.
    pub fn questions(&self) -> &Receiver<Question> {
        &self.questions
    }
}

/// Listens on this machine only, so that other machines cannot reach it.
fn listen(port: Option<u16>) -> Result<TcpListener> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match (port, bind(port.unwrap_or(USUAL_PORT))) {
        (_, Ok(listener)) => Ok(listener),
        (None, Err(_)) => bind(0).context("this machine has no free port"),
        (Some(port), Err(error)) => {
            let advice = match error.kind() {
                ErrorKind::AddrInUse => "another program has it; name another, or leave out --port",
                _ => "name another, or leave out --port",
            };
            Err(error).with_context(|| format!("cannot serve the page at port {port}: {advice}"))
        }
    }
}

fn router(address: SocketAddr, questions: Sender<Question>) -> Router {
    let asset = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    Router::new()
        .route("/", asset("text/html; charset=utf-8", PAGE))
        .route("/watch.css", asset("text/css; charset=utf-8", STYLE))
        .route("/watch.js", asset("text/javascript; charset=utf-8", SCRIPT))
        .route("/api/network", get(network))
        .route("/api/examples", get(examples))
        .route("/api/drawing", post(drawing))
        .route("/api/relaxation", post(relaxation))
        .route("/api/training", get(training))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is no such page") })
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(from_fn_with_state(address, only_the_page))
        .with_state(questions)
}

/// Refuses requests of other pages in the same browser, even under a host name of theirs that resolves to
/// this machine.
async fn only_the_page(
    State(address): State<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !is_from_the_page(request.headers(), address) {
        let why = "only the page itself is answered, at the address that the program printed";
        return refusal(StatusCode::FORBIDDEN, why);
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (
            "content-security-policy",
            "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in fixed {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

fn is_from_the_page(headers: &HeaderMap, address: SocketAddr) -> bool {
    let names = [format!("localhost:{}", address.port()), address.to_string()];
    let is_ours = |host: &str| names.iter().any(|name| name == host);
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or_default())
    };
    let host = text(header::HOST).is_some_and(is_ours);
    let origin = text(header::ORIGIN);
    // Another page sends no origin when it requests a picture.
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let is_own_site = site.is_none_or(|site| ["same-origin", "none"].contains(&site));
    host && is_own_site
        && origin.is_none_or(|origin| origin.strip_prefix("http://").is_some_and(is_ours))
}

type Questions = State<Sender<Question>>;

#[derive(Debug, Deserialize)]
struct From {
    #[serde(default)]
    from: usize,
}

async fn network(State(questions): Questions) -> Response {
    ask(questions, Asked::Network).await
}

async fn training(State(questions): Questions) -> Response {
    ask(questions, Asked::Training).await
}

async fn examples(State(questions): Questions, Query(From { from }): Query<From>) -> Response {
    ask(questions, Asked::Examples { from }).await
}

async fn drawing(State(questions): Questions, png: Bytes) -> Response {
    ask(questions, Asked::Drawing { png: png.to_vec() }).await
}

async fn relaxation(State(questions): Questions, headers: HeaderMap, text: Bytes) -> Response {
    // A form of another page can send text, but not JSON.
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "application/json") {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "JSON is expected");
    }
    match serde_json::from_slice(&text) {
        Ok(relax) => ask(questions, Asked::Relaxation(relax)).await,
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// Passes a question to the thread that computes, and waits for its answer.
async fn ask(questions: Sender<Question>, asked: Asked) -> Response {
    let (reply, answer) = oneshot::channel();
    let gone = || refusal(StatusCode::SERVICE_UNAVAILABLE, "the program is ending");
    if questions.send(Question { asked, reply }).is_err() {
        return gone();
    }
    match answer.await {
        Ok(Ok(value)) => said(StatusCode::OK, &value),
        Ok(Err(message)) => refusal(StatusCode::BAD_REQUEST, &message),
        Err(_) => gone(),
    }
}

fn refusal(status: StatusCode, message: &str) -> Response {
    said(status, &json!({ "error": message }))
}

fn said(status: StatusCode, value: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, value.to_string()).into_response()
}
