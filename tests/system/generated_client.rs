//! A client that a public generator makes of the document: it passes a strict type check and runs the main job.

use std::{fs, io::Write as _, path::Path, process::Stdio, time::Duration};

use tenantry_tests::{on_both_databases, otp_in, python};

on_both_databases! {
    async fn a_generated_client_runs_the_main_job(world: World) {
        let server = world.server().await;
        let (folder, tools) = (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tools"));
        fs::copy(tools.join("main_job.py"), folder.path().join("main_job.py")).unwrap();

        let mut generate = python::tool("openapi-python-client", folder.path());
        generate.args(["generate", "--meta", "none", "--fail-on-warning", "--output-path", "tenantry_client", "--path"]);
        generate.arg(tools.join("../../docs/openapi.json")).arg("--config").arg(tools.join("client.yaml"));
        let mut check = python::tool("mypy", folder.path());
        check.args(["--strict", "main_job.py"]);
        for command in [generate, check] {
            let done = python::run(command).await;
            let said = [String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)];
            assert!(done.status.success(), "{}\n{}", done.status, said.concat());
        }

        let mut job = python::tool("python", folder.path());
        job.arg("main_job.py").env("BASE_URL", server.url()).env("OPERATOR_KEY", world.api_key());
        // Its errors are shown as they come: when it ends before it asks for the password, no mail arrives.
        let mut job = job.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mails = world.mail().wait_for("generated@tenant.example", 1, Duration::from_secs(30)).await;
        writeln!(job.stdin.take().unwrap(), "{}", otp_in(&mails[0].text).unwrap()).unwrap();
        let done = tokio::task::spawn_blocking(move || job.wait_with_output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.trim() == "activated", "{}: {said}", done.status);
    }
}
