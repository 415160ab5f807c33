//! Child processes that never outlive the tests.
//!
//! Each runs under a small shell, its keeper, which holds the reading end of a pipe. A line on the pipe is a signal to send; the end
//! of the pipe, which comes even when the test process is killed with SIGKILL, ends the child and removes its folder.

use std::{
    fmt,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// `$1` is the signal that ends the child, `$2` the folder to remove after it (or nothing), the rest is the child's command.
const KEEPER: &str = r#"
ending=$1 folder=$2
shift 2
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{
    while read -r order <&3; do
        [ "$order" = release ] && exit
        kill -s "$order" "$child"
    done
    kill -s "$ending" "$child"
    tries=0
    while kill -s 0 "$child" && [ "$tries" -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    [ -z "$folder" ] || rm -rf "$folder"
} >/dev/null 2>&1 &
exec 3<&-
wait "$child"
"#;

/// How long the rest of a child's output is waited for once it has ended.
const REST: Duration = Duration::from_secs(1);

/// A signal that a test sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Continues after [`Signal::Stop`].
    Cont,
    /// Ctrl-C; PostgreSQL's fast shutdown.
    Int,
    /// Ends at once, nothing is tidied up.
    Kill,
    /// PostgreSQL's immediate shutdown: it recovers at its next start, as after a crash.
    Quit,
    /// Freezes the process.
    Stop,
    /// Asks for a graceful end.
    Term,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cont => "CONT",
            Self::Int => "INT",
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
            Self::Stop => "STOP",
            Self::Term => "TERM",
        })
    }
}

/// A running child under its keeper. Dropping it ends the child with the signal that its keeper was given, and waits for that.
pub(crate) struct Process {
    keeper: Child,
    orders: Option<ChildStdin>,
    output: Arc<Mutex<Output>>,
    drains: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Output {
    stdout: String,
    stderr: String,
    everything: String,
}

impl Process {
    /// The command that runs `program` under a keeper; arguments, environment and user are the caller's to add.
    pub(crate) fn command(program: &Path, ending: Signal, folder: Option<&Path>) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "keeper", &ending.to_string()]).arg(folder.unwrap_or(Path::new(""))).arg(program);
        // A group of its own: Ctrl-C on the terminal must reach the tests, not the keeper that cleans up after them.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts what [`Process::command`] described, and reads its output so that it never blocks on a full pipe.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut keeper = command.spawn().unwrap_or_else(|error| panic!("can't start {command:?}: {error}"));
        let output = Arc::new(Mutex::new(Output::default()));
        let (stdout, stderr) = (keeper.stdout.take().expect("stdout is piped"), keeper.stderr.take().expect("stderr is piped"));
        let drains = vec![drain(stdout, Arc::clone(&output), true), drain(stderr, Arc::clone(&output), false)];
        Self { orders: keeper.stdin.take(), keeper, output, drains }
    }

    /// Sends a signal to the child. Does nothing when the child has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.exit_code().is_none() {
            self.order(&signal.to_string());
        }
    }

    /// Ends the child with `signal` and keeps its folder, so that another can start on it.
    pub(crate) async fn end(&mut self, signal: Signal, within: Duration) -> i32 {
        self.signal(signal);
        let code = self.wait(within).await.unwrap_or_else(|| panic!("still running {within:?} after {signal}:\n{}", self.logs()));
        self.order("release");
        code
    }

    fn order(&mut self, order: &str) {
        if let Some(orders) = &mut self.orders {
            // The keeper may have gone with its child; then there is nobody left to tell.
            let _ = writeln!(orders, "{order}");
        }
    }

    /// The child's exit code, 128 + n when signal n ended it; `None` while it runs.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let status = self.keeper.try_wait().expect("a child can be waited for")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits for the child's end and for the rest of its output. `None` when it still runs after `within`.
    pub(crate) async fn wait(&mut self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        let code = loop {
            if let Some(code) = self.exit_code() {
                break code;
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        // A grandchild may hold the pipes open, so this wait is bounded too.
        let deadline = Instant::now() + REST;
        while Instant::now() < deadline && !self.drains.iter().all(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Some(code)
    }

    /// Ends the child as dropping would, and waits for the rest of its output.
    pub(crate) fn end_now(&mut self) {
        drop(self.orders.take());
        let _ = self.keeper.wait();
        let deadline = Instant::now() + REST;
        while Instant::now() < deadline && !self.drains.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// All lines of stdout and stderr so far, as they came.
    pub(crate) fn logs(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).everything.clone()
    }

    /// All lines of stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).stderr.clone()
    }

    /// All lines of stdout so far.
    pub(crate) fn stdout(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).stdout.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.keeper.wait();
    }
}

fn drain(pipe: impl Read + Send + 'static, output: Arc<Mutex<Output>>, is_stdout: bool) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line);
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            output.everything.push_str(&text);
            if is_stdout { &mut output.stdout } else { &mut output.stderr }.push_str(&text);
            drop(output);
            line.clear();
        }
    })
}

/// A port of 127.0.0.1 that is free now. It lies below Linux's ephemeral ports, so that no outgoing connection takes it between a
/// stop and the next start.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 10_240;
    const COUNT: u16 = 22_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run side by side begin at different places.
    let start = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).expect("below COUNT");
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port on 127.0.0.1")
}
