//! The document against the server, by schemathesis: whatever the document allows and forbids is sent, and every answer is held to it.

use std::path::Path;

use tenantry_tests::{on_both_databases, python};

/// Operations that end the very session that the fuzzer comes by. They are sent last, by themselves.
const ENDS_THE_SESSION: &str = "/auth/(logout|sessions/revoke-all)$";

on_both_databases! {
    async fn every_answer_is_as_the_document_says(world: World) {
        let server = world.server().await;
        let tenant = world.tenant(&server, "fuzz").await;
        let folder = tempfile::tempdir().unwrap();
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/schemathesis.toml");
        for which in [["--exclude-path-regex", ENDS_THE_SESSION], ["--include-path-regex", ENDS_THE_SESSION]] {
            let mut fuzz = python::tool("schemathesis", folder.path());
            fuzz.arg("--config-file").arg(&config).args(["run", &format!("{}/openapi.json", server.url())]);
            fuzz.args(["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "10"]);
            fuzz.args(["--generation-deterministic", "--warnings", "off", "--no-color"]);
            fuzz.args(which);
            fuzz.env("TENANT_TOKEN", tenant.api.bearer().unwrap()).env("OPERATOR_KEY", world.api_key());
            let done = python::run(fuzz).await;
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success(), "{}\n{said}\n{}", done.status, String::from_utf8_lossy(&done.stderr));
            let tested = said.lines().find_map(|line| line.trim().strip_prefix("Tested: ")?.parse::<u32>().ok());
            assert!(tested.is_some_and(|tested| tested > 0), "{said}");
        }
    }
}
