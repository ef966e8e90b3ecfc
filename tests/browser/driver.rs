//! Chromium, driven through WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http;

/// The key under which WebDriver identifies elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The longest wait for a page to reach an expected state.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
}

impl Browser {
    pub fn start(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser's driver is needed: on Debian, apt-get install chromium-driver");
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("successfully on port ")?;
            Some(rest.trim_end_matches('.').to_string())
        });
        let address = format!("127.0.0.1:{}", port.expect("the driver says its port"));
        let size = format!("--window-size={width},{height}");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            &size,
        ];
        let options = json!({ "goog:chromeOptions": { "args": arguments } });
        let mut browser = Self {
            driver,
            address,
            session: String::new(),
        };
        let begun = browser.post(
            "/session",
            &json!({ "capabilities": { "alwaysMatch": options } }),
        );
        browser.session = format!("/session/{}", begun["sessionId"].as_str().unwrap());
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let path = format!("{}{path}", self.session);
        let answer = http::ask(
            &self.address,
            "POST",
            &path,
            &[],
            body.to_string().as_bytes(),
        );
        let value = answer.json()["value"].clone();
        assert_eq!(answer.status, 200, "{path}: {value}");
        value
    }

    pub fn open(&self, address: &str) {
        self.post("/url", &json!({ "url": address }));
    }

    /// Runs a function with this body in the page, and returns its result.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs a function with this body in the page, and returns the value that it passes to its argument.
    pub fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until the script returns true.
    #[track_caller]
    pub fn wait(&self, script: &str) {
        let begin = Instant::now();
        while self.run(script) != true {
            let said = "return document.getElementById('message')?.textContent";
            assert!(
                begin.elapsed() < PATIENCE,
                "{script}; the page says {}",
                self.run(said)
            );
            sleep(Duration::from_millis(50));
        }
    }

    fn element(&self, selector: &str) -> Value {
        self.post(
            "/element",
            &json!({ "using": "css selector", "value": selector }),
        )
    }

    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        let id = element[ELEMENT].as_str().unwrap();
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Drags through points given relative to the middle of an element.
    pub fn drag(&self, selector: &str, points: &[(i32, i32)]) {
        let element = self.element(selector);
        let to = |&(x, y): &(i32, i32)| json!({ "type": "pointerMove", "duration": 50, "origin": element, "x": x, "y": y });
        let mut actions: Vec<Value> = points.iter().map(to).collect();
        actions.insert(1, json!({ "type": "pointerDown", "button": 0 }));
        actions.push(json!({ "type": "pointerUp", "button": 0 }));
        let pointer = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.post("/actions", &json!({ "actions": [pointer] }));
    }

    /// Presses keys: those of each text in turn, or together if the first is shift.
    pub fn keys(&self, texts: &[&str]) {
        for text in texts {
            let element = self.run("return document.activeElement");
            let id = element[ELEMENT].as_str().unwrap();
            self.post(&format!("/element/{id}/value"), &json!({ "text": text }));
        }
    }

    /// Sends a command of Chromium itself.
    pub fn cdp(&self, command: &str, parameters: Value) {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            http::ask(&self.address, "DELETE", &self.session, &[], b"");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
