//! A browser as people have one: Debian's Chromium, driven by its `WebDriver`.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use thirtyfour::{
    By, CapabilitiesHelper as _, ChromiumLikeCapabilities as _, DesiredCapabilities, TypingData, WebDriver, WebElement,
    error::{WebDriverError, WebDriverErrorInner},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    process::{Process, Signal, free_port},
    python,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Without these Chromium asks its makers for updates and more, which a test has no use for.
const QUIET: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// What a reader's browser is like.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Width and height of the window.
    pub size: (u32, u32),
    /// Whether pages are to be dark.
    pub dark: bool,
    /// Whether it runs scripts.
    pub scripts: bool,
    /// The zone that its clock is in, such as `Asia/Kolkata`; `None`: the machine's.
    pub zone: Option<&'static str>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { size: (1280, 900), dark: false, scripts: true, zone: None }
    }
}

/// A browser with one window. It ends when dropped, and its profile with it.
pub struct Browser {
    driver: WebDriver,
    driver_url: String,
    base: String,
    downloads: PathBuf,
    _process: Process,
    _place: SemaphorePermit<'static>,
}

/// Browsers at once: one is as heavy as ten servers.
static PLACES: Semaphore = Semaphore::const_new(2);

impl Browser {
    /// Opens one at the address of a server.
    pub async fn open(base: &str) -> Self {
        Self::open_as(base, &Reader::default()).await
    }

    /// Opens one for a reader who wants it otherwise.
    pub async fn open_as(base: &str, reader: &Reader) -> Self {
        let place = PLACES.acquire().await.expect("places");
        let folder = tempfile::Builder::new().prefix("tenantry-browser-").tempdir().expect("a temporary folder").keep();
        let port = free_port();
        let mut command = Process::command(&program("chromedriver"), Signal::Term, Some(&folder));
        command.arg(format!("--port={port}")).env("HOME", &folder);
        if let Some(zone) = reader.zone {
            command.env("TZ", zone);
        }
        let process = Process::start(command);
        let driver_url = format!("http://127.0.0.1:{port}");
        let mut wanted = DesiredCapabilities::chrome();
        for argument in QUIET {
            wanted.add_arg(argument).expect("an argument");
        }
        wanted.add_arg(&format!("--window-size={},{}", reader.size.0, reader.size.1)).expect("an argument");
        wanted.add_arg(&format!("--blink-settings=preferredColorScheme={}", u8::from(!reader.dark))).expect("an argument");
        wanted.add_arg(&format!("--user-data-dir={}", folder.join("profile").display())).expect("an argument");
        wanted.set_binary(&program("chromium").display().to_string()).expect("a program");
        wanted.set("goog:loggingPrefs", json!({ "browser": "ALL" })).expect("a capability");
        let downloads = folder.join("downloads");
        std::fs::create_dir(&downloads).expect("a folder for downloads");
        let mut preferences = json!({ "download.default_directory": downloads });
        if !reader.scripts {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        wanted.add_experimental_option("prefs", preferences).expect("preferences");
        let deadline = Instant::now() + PATIENCE;
        let driver = loop {
            match WebDriver::new(&driver_url, wanted.clone()).await {
                Ok(driver) => break driver,
                Err(failure) => assert!(Instant::now() < deadline, "no browser: {failure}\n{}", process.logs()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        Self { driver, driver_url, base: base.to_owned(), downloads, _process: process, _place: place }
    }

    /// What drives it, for what isn't here.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// Goes to a path of the server.
    pub async fn go(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.base)).await.expect("a page");
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.driver.refresh().await.expect("a page");
    }

    /// Goes back to the page before.
    pub async fn back(&self) {
        self.driver.back().await.expect("a page");
    }

    /// The path and query of the page that it is on.
    pub async fn path(&self) -> String {
        let url = self.driver.current_url().await.expect("an address").to_string();
        url.strip_prefix(&self.base).unwrap_or(&url).to_owned()
    }

    /// Waits until the page's path is this one; its query is left out.
    pub async fn at(&self, path: &str) {
        self.until(&format!("be at {path}"), async || self.path().await.split('?').next() == Some(path)).await;
    }

    /// Waits until the page's address asks for this and nothing else; what is left empty is not asked for, nor is the reader's zone.
    pub async fn asks(&self, pairs: &[&str]) {
        let holds = async || {
            let path = self.path().await;
            let query = path.split_once('?').map_or("", |(_, query)| query);
            let asked = query.split('&').filter(|pair| pair.contains('=') && !pair.ends_with('=') && !pair.starts_with("zone="));
            asked.eq(pairs.iter().copied())
        };
        self.until(&format!("ask for {pairs:?}"), holds).await;
    }

    /// Waits until the field of this name is marked as wrong, and says why.
    pub async fn wrong(&self, name: &str) {
        self.find(By::Css(format!("[name='{name}'][aria-invalid=true]"))).await;
        assert!(!self.text_of(&format!("#{name}-error")).await.is_empty(), "{name} doesn't say what is wrong");
    }

    /// Ticks the box of this name and value.
    pub async fn tick(&self, name: &str, value: &str) {
        self.find(By::Css(format!("input[name='{name}'][value='{value}']"))).await.click().await.expect("a box");
    }

    /// Presses the button that says this in the first part of the page that a selector names.
    pub async fn press_in(&self, selector: &str, label: &str) {
        let within = self.find(By::Css(selector)).await;
        let button = within.find(By::XPath(format!(".//button[normalize-space(.)=\"{label}\"]"))).await;
        button.expect("a button").click().await.expect("a button");
    }

    /// Writes into the field of this name, in place of what it holds.
    pub async fn write(&self, name: &str, text: &str) {
        let field = self.find(By::Css(format!("[name='{name}']:not([type=hidden])"))).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Picks a day in the field of this name, as its calendar does; none where it is empty.
    pub async fn pick_day(&self, name: &str, day: &str) {
        let field = self.find(By::Css(format!("input[type=date][name='{name}']"))).await;
        let argument = field.to_json().expect("an element");
        self.driver.execute("arguments[0].value = arguments[1]", vec![argument, json!(day)]).await.expect("a field");
    }

    /// What the field of this name holds.
    pub async fn value(&self, name: &str) -> String {
        let field = self.find(By::Css(format!("[name='{name}']:not([type=hidden])"))).await;
        field.prop("value").await.expect("a field").unwrap_or_default()
    }

    /// Chooses an option of the list of this name, by what it says.
    pub async fn choose(&self, name: &str, label: &str) {
        let option = format!("//select[@name='{name}']/option[contains(normalize-space(.), \"{label}\")]");
        self.find(By::XPath(option)).await.click().await.expect("an option");
    }

    /// Presses the button or follows the link that says this.
    pub async fn press(&self, label: &str) {
        let deadline = Instant::now() + PATIENCE;
        let what = format!("(//button|//a|//summary)[normalize-space(.)=\"{label}\"]");
        loop {
            // A page that is being put in place may take its elements away again.
            let pressed = self.find(By::XPath(what.clone())).await.click().await;
            match pressed {
                Ok(()) => return,
                Err(failure) => assert!(Instant::now() < deadline, "can't press {label:?}: {failure}\n{}", self.text().await),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Presses what says this, and gives what is in the file that comes of it.
    pub async fn download(&self, label: &str) -> String {
        let before = self.files();
        self.press(label).await;
        self.until(&format!("send a file by {label:?}"), async || self.files().len() > before.len()).await;
        let file = self.files().into_iter().find(|file| !before.contains(file)).expect("a file");
        std::fs::read_to_string(file).expect("a file of text")
    }

    /// The files that have come whole: until then they have another name, and at times an empty one keeps the place.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.downloads).expect("the folder of downloads");
        let files = entries.map(|entry| entry.expect("a file").path());
        let named = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "csv" || extension == "jwt");
        files.filter(|file| named(file) && file.metadata().is_ok_and(|file| file.len() > 0)).collect()
    }

    /// Types keys, one after the other, into whatever has the focus.
    pub async fn type_keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.expect("keys");
    }

    /// Waits until what a selector names has the focus.
    pub async fn focused(&self, selector: &str) {
        let script = "return document.activeElement === document.querySelector(arguments[0])";
        self.answers(&format!("have the focus on {selector}"), script, json!(selector), json!(true)).await;
    }

    /// Follows the first link of the row of a table that says this.
    pub async fn press_row(&self, text: &str) {
        let link = format!("//tbody/tr[contains(normalize-space(.), \"{text}\")]//a");
        self.find(By::XPath(link)).await.click().await.expect("a link");
    }

    /// Waits until the page shows this.
    pub async fn see(&self, text: &str) {
        self.until(&format!("show {text:?}"), async || self.text().await.contains(text)).await;
    }

    /// Waits until what a selector names shows exactly this.
    pub async fn shows(&self, selector: &str, text: &str) {
        let script = "return document.querySelector(arguments[0])?.innerText.trim()";
        self.answers(&format!("show {text:?} as {selector}"), script, json!(selector), json!(text)).await;
    }

    /// An attribute of the first element that a selector names.
    pub async fn attribute(&self, selector: &str, name: &str) -> String {
        self.find(By::Css(selector)).await.attr(name).await.expect("an element").unwrap_or_default()
    }

    /// Waits until that is another than it was.
    pub async fn changes(&self, selector: &str, name: &str, before: &str) {
        let script = "return ![null, undefined, arguments[0][2]].includes(
            document.querySelector(arguments[0][0])?.getAttribute(arguments[0][1]))";
        self.answers(&format!("have another {name}"), script, json!([selector, name, before]), json!(true)).await;
    }

    /// Panics where anything that a selector names is seen.
    pub async fn sees_not(&self, selector: &str) {
        let found = self.driver.find_all(By::Css(selector)).await.expect("elements");
        for element in found {
            assert!(!element.is_displayed().await.expect("an element"), "{selector} is seen:\n{}", self.text().await);
        }
    }

    /// Waits until what a selector names shows something else than this.
    pub async fn shows_another(&self, selector: &str, text: &str) {
        let script = "return ![undefined, arguments[0][1]].includes(document.querySelector(arguments[0][0])?.innerText.trim())";
        self.answers(&format!("show another {selector} than {text:?}"), script, json!([selector, text]), json!(true)).await;
    }

    /// Waits until this column of the page's table, counted from 0, has exactly these cells.
    pub async fn lists(&self, column: usize, cells: &[impl AsRef<str>]) {
        let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
        let script = "return [...document.querySelectorAll('tbody tr')].map(row => row.cells[arguments[0]].innerText.trim())";
        self.answers(&format!("list {cells:?}"), script, json!(column), json!(cells)).await;
    }

    /// What the page shows.
    pub async fn text(&self) -> String {
        match self.driver.find(By::Tag("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The text of the first element that a selector names.
    pub async fn text_of(&self, selector: &str) -> String {
        self.find(By::Css(selector)).await.text().await.expect("an element")
    }

    /// What a script answers.
    pub async fn run(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.expect("a script").json().clone()
    }

    /// What a script answers that answers later, by calling `done`.
    pub async fn run_later(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.driver.execute_async(&script, Vec::new()).await.expect("a script").json().clone()
    }

    /// Tells Chromium what `WebDriver` has no word for, by its `DevTools` protocol.
    pub async fn tell(&self, command: &str, parameters: Value) {
        let answer = self.ask("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
        assert!(answer["value"]["error"].is_null(), "{command}: {answer}");
    }

    /// Panics where the browser complained since it was last asked: of an error in a script, or of what the page's policy forbids. That an
    /// answer's status wasn't 2xx is no complaint: a form that is refused is answered so.
    pub async fn is_content(&self) {
        let log = self.ask("se/log", json!({ "type": "browser" })).await;
        let complaints: Vec<_> = log["value"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|entry| {
                entry["level"] == "SEVERE" || entry["message"].as_str().is_some_and(|text| text.contains("Content Security"))
            })
            .filter(|entry| {
                !entry["message"].as_str().is_some_and(|text| text.contains("the server responded with a status of 4"))
            })
            .collect();
        assert!(complaints.is_empty(), "{}: {complaints:#?}", self.path().await);
    }

    /// Panics where the page keeps people from using it, as axe-core finds, seriously or critically; and where it isn't content.
    pub async fn is_accessible(&self) {
        self.is_content().await;
        let run = "axe.run(document, { resultTypes: ['violations'] }).then(found => done(found.violations
                .filter(violation => ['serious', 'critical'].includes(violation.impact))
                .map(violation => [violation.id, violation.help, violation.nodes.map(node => node.html + ' ' + node.failureSummary)])));";
        self.driver.execute(axe(), Vec::new()).await.expect("axe");
        let found = self.run_later(run).await;
        assert_eq!(found, json!([]), "{}: {found:#}", self.path().await);
    }

    /// The window as a picture, in PNG.
    pub async fn picture(&self) -> Vec<u8> {
        self.driver.screenshot_as_png().await.expect("a picture")
    }

    /// Closes the window in good order. Without it the browser is ended all the same.
    pub async fn close(self) {
        self.is_content().await;
        self.driver.clone().quit().await.expect("a browser that ends");
    }

    /// Asks the driver for what it has beside `WebDriver`.
    async fn ask(&self, command: &str, parameters: Value) -> Value {
        let url = format!("{}/session/{}/{command}", self.driver_url, self.driver.session_id());
        let answer = reqwest::Client::new().post(url).json(&parameters).send().await.expect("the driver");
        answer.json().await.expect("the driver's answer")
    }

    async fn find(&self, by: By) -> WebElement {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.driver.find(by.clone()).await {
                Ok(found) => return found,
                Err(failure) if is_missing(&failure) && Instant::now() < deadline => {}
                Err(failure) => panic!("{} has no {by:?}: {failure}\n{}", self.path().await, self.text().await),
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until a script answers so. On the way from page to page it can't be run.
    async fn answers(&self, what: &str, script: &str, argument: Value, answer: Value) {
        let run = async || self.driver.execute(script, vec![argument.clone()]).await.is_ok_and(|found| *found.json() == answer);
        self.until(what, run).await;
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds().await {
            assert!(Instant::now() < deadline, "{} does not {what}:\n{}", self.path().await, self.text().await);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

fn is_missing(failure: &WebDriverError) -> bool {
    matches!(failure.as_inner(), WebDriverErrorInner::NoSuchElement(_) | WebDriverErrorInner::StaleElementReference(_))
}

/// Where a program of the browser is.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/bin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is missing: install Debian's `chromium` and `chromium-driver`, or run scripts/test, which does so")
    })
}

/// axe-core, whole.
fn axe() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let packages = python::programs().join("../lib");
        let file = walk(&packages, Path::new("axe_playwright_python/axe.min.js")).expect("axe-core is among the Python tools");
        std::fs::read_to_string(file).expect("axe-core can be read")
    })
}

/// The file below `folder/*/site-packages`.
fn walk(folder: &Path, file: &Path) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(folder).ok()?;
    pythons.filter_map(Result::ok).map(|python| python.path().join("site-packages").join(file)).find(|file| file.is_file())
}
