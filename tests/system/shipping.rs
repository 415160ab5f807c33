//! What operators install: the image, the compose file, the unit, the chart, the machines of the database, alerts and the dashboard.
//!
//! No image is built and no cluster is started here: linters and schemas that others wrote judge the files, and the server its settings.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    process::Command,
    time::Duration,
};

use serde_json::json;
use tenantry_tests::{
    Api, Finished, PostgresCluster, Server, binaries, on_both_databases,
    shipping_tools::{judged, root, said, tool},
};

/// Runs `config check` with settings as a deployment gives them, with secrets in the place of those that it mounts.
async fn checked(settings: &BTreeMap<String, String>, mounted: &str, arguments: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let keys =
        tenantry_auth::KeyRing::generate_line(&tenantry_domain::KeyId::parse("k1").unwrap(), &tenantry_domain::SystemEntropy);
    for (name, secret) in [
        ("keys", keys.as_str()),
        ("database-url", "postgres://tenantry:secret@postgres/tenantry\n"),
        ("mail-url", "smtp://mail:1025?tls=none\n"),
    ] {
        fs::write(folder.path().join(name), secret).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o400)).unwrap();
    }
    let mut server =
        Server::builder().args(["config", "check"]).args(arguments.iter().copied()).without("TENANTRY__BOOTSTRAP__API_KEY");
    for (name, value) in settings {
        server = server.env(name, value.replace(mounted, folder.path().to_str().unwrap()));
    }
    server.run().await
}

fn map(json: &str) -> BTreeMap<String, String> {
    serde_json::from_str(json.trim()).unwrap_or_else(|failure| panic!("{failure}: {json}"))
}

#[tokio::test]
async fn the_chart_renders_into_what_kubernetes_takes_with_settings_that_a_server_takes() {
    let run = checked(&map(&judged(&["chart"])), "/run/secrets/tenantry", &[]).await;
    assert_eq!((run.exit_code, run.stdout.contains("production on 0.0.0.0:8080")), (0, true), "{}", run.logs);
}

#[tokio::test]
async fn the_compose_file_is_one_and_its_settings_are_good() {
    let run = checked(&map(&judged(&["compose"])), "/run/secrets", &[]).await;
    assert_eq!(run.exit_code, 0, "{}", run.logs);
    if let Some(caddy) = tool("caddy") {
        said(Command::new(caddy).args(["validate", "--adapter", "caddyfile", "--config", "deploy/compose/Caddyfile"]));
    }
}

#[test]
fn secrets_of_the_compose_file_are_made_once_and_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let setup = folder.path().join("setup");
    fs::copy(root().join("deploy/compose/setup"), &setup).unwrap();
    said(&mut Command::new(&setup));
    let keys = folder.path().join("secrets/keys");
    let first = fs::read(&keys).unwrap();
    assert_eq!(said(&mut Command::new(&setup)), "");
    assert_eq!(fs::read(&keys).unwrap(), first);
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(folder.path().join(".env")).unwrap().lines().count(), 1);
    tenantry_auth::KeyRing::parse(&String::from_utf8(first).unwrap()).unwrap();
}

#[test]
fn the_dockerfile_has_nothing_to_complain_of() {
    said(Command::new(tool("hadolint").expect("hadolint comes from PyPI")).arg("deploy/docker/Dockerfile"));
}

#[test]
fn the_image_has_all_that_its_programs_need() {
    let may = Command::new("unshare").args(["--mount", "--pid", "--net", "--fork", "true"]).output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        eprintln!("namespaces can't be made here: the programs were NOT run in what the image is");
        return;
    }
    let ran = said(Command::new("scripts/drill-image").arg(binaries::server().parent().unwrap()));
    assert!(ran.ends_with("all is as it should be\n"), "{ran}");
}

#[test]
fn what_keeps_two_machines_databases_is_configured_as_its_programs_take_it() {
    judged(&["ha"]);
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(root().join("deploy/ha").join(name)).unwrap();
    let write = |name: &str, text: String| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let programs = PostgresCluster::programs();
    let patroni = read("patroni.yml").replace("/usr/lib/postgresql/15/bin", programs.to_str().unwrap());
    let patroni = write("patroni.yml", patroni);
    let program = tool("patroni").expect("Patroni comes from PyPI");
    // What is listened at isn't this machine's.
    said(Command::new(program).args(["--validate-config", "--ignore-listen-port"]).arg(patroni));
    let Some(haproxy) = tool("haproxy") else {
        eprintln!("haproxy isn't here: its configuration was NOT checked");
        return;
    };
    // Debian's package makes its user; there is none here.
    let own = read("haproxy.cfg").replace("user haproxy", "user nobody").replace("group haproxy", "group nogroup");
    said(Command::new(haproxy).args(["-c", "-f"]).arg(write("haproxy.cfg", own)));
}

#[tokio::test]
async fn the_unit_is_hardened_and_its_settings_are_good() {
    let unit = fs::read_to_string(root().join("deploy/systemd/tenantry.service")).unwrap();
    let settings = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let mut settings: BTreeMap<_, _> = settings.map(|(name, value)| (name.to_owned(), value.replace("%S", "/tmp"))).collect();
    // The harness would set these two; empty they are not set, and the file's hold.
    settings.extend(["TENANTRY__HTTP__BIND", "TENANTRY__MAIL__FROM"].map(|name| (name.to_owned(), String::new())));
    let file = root().join("deploy/systemd/tenantry.toml");
    let run = checked(&settings, "%d", &["--config", file.to_str().unwrap()]).await;
    assert_eq!(run.exit_code, 0, "{}", run.logs);

    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("systemd-analyze isn't here: the unit was NOT verified");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("tenantry.service");
    let program = binaries::server();
    fs::write(&real, unit.replace("/usr/local/bin/tenantry-server", program.to_str().unwrap())).unwrap();
    said(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&real));
    said(Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager", "--threshold=15"]).arg(&real));
}

#[tokio::test]
async fn a_service_manager_hears_that_the_server_serves_lives_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let heard = || {
        let mut buffer = [0; 256];
        let size = manager.recv(&mut buffer).expect("the manager is told");
        String::from_utf8_lossy(&buffer[..size]).into_owned()
    };
    let builder = Server::builder().env("NOTIFY_SOCKET", path.display()).env("WATCHDOG_USEC", 600_000);
    let mut server = builder.start().await;
    assert_eq!(heard(), format!("READY=1\nSTATUS=Serving on {}", server.url()));
    assert_eq!(heard(), "WATCHDOG=1");
    assert_eq!(server.terminate().await, 0);
    let rest: Vec<_> = std::iter::from_fn(|| Some(heard()).filter(|said| said != "STOPPING=1")).collect();
    assert!(rest.iter().all(|said| said == "WATCHDOG=1"), "{rest:?}");
}

#[tokio::test]
async fn a_server_is_asked_whether_it_is_well() {
    let server = Server::builder().start().await;
    let bind = server.url().trim_start_matches("http://").to_owned();
    let ask = async |bind: &str| Server::builder().env("TENANTRY__HTTP__BIND", bind).args(["health", "--live"]).run().await;
    assert_eq!(ask(&bind).await.exit_code, 0);
    drop(server);
    let gone = ask(&bind).await;
    assert!(gone.exit_code == 1 && gone.logs.contains("nothing answers at"), "{gone:?}");
}

on_both_databases! {
    async fn alerts_and_dashboards_name_what_a_server_exports(world: World) {
        let server = world.builder().env("TENANTRY__METRICS__BIND", "127.0.0.1:0").start().await;
        let acme = world.tenant(&server, "acme").await;
        let project = acme.api.create_project("Client").await;
        let unknown = json!({ "code": "12RY-S55W-4MZR-KP2J" });
        acme.api.activate(project["id"].as_str().unwrap(), &unknown).await.expect_problem(422, "code_unknown");
        let logs = server.logs();
        let address = logs.split("\"metrics.address\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let mut scraped = Api::new(&format!("http://{address}")).get("/metrics").await.expect(200).text;
        // What no test brings about, or only one of the databases has: a failure of the server's, a round of housekeeping, the shared pool.
        scraped.push_str("tenantry_http_request_duration_seconds_count{status=\"5xx\"} 0\n");
        scraped.push_str("tenantry_housekeeping_deleted_total{kind=\"sessions\"} 0\n");
        scraped.push_str("tenantry_database_connections{pool=\"shared\"} 0\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scraped");
        fs::write(&file, scraped).unwrap();
        judged(&["metrics", file.to_str().unwrap()]);
    }
}

#[test]
fn each_alert_comes_when_it_should() {
    let Some(promtool) = tool("promtool") else {
        eprintln!("promtool isn't here: the alerts were NOT tried");
        return;
    };
    said(Command::new(&promtool).args(["check", "rules", "deploy/prometheus/alerts.yaml"]));
    said(Command::new(&promtool).args(["test", "rules", "deploy/prometheus/alerts.test.yaml"]));
    let rules = fs::read_to_string(root().join("deploy/prometheus/alerts.yaml")).unwrap();
    let tests = fs::read_to_string(root().join("deploy/prometheus/alerts.test.yaml")).unwrap();
    let book = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} isn't tested");
        assert!(book.contains(&format!("`{name}`")), "the operator's book doesn't say what to do about {name}");
    }
}

#[test]
fn the_migrator_reads_the_url_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("database-url");
    fs::write(&file, format!("sqlite://{}\n", folder.path().join("tenantry.db").display())).unwrap();
    let up = said(Command::new(binaries::migrator()).args(["up", "--database-url-file"]).arg(&file));
    assert!(up.starts_with("applied "), "{up}");
    let both = binaries::without_settings(Command::new(binaries::migrator()))
        .args(["status", "--database-url", "sqlite:///nowhere", "--database-url-file"])
        .arg(&file)
        .status();
    assert_eq!(both.unwrap().code(), Some(2));
}
