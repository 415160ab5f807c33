"""Judges what deploy/ and a release hold, by what others wrote: Helm's own engine, Kubernetes' and CycloneDX's schemas, a reader of compose
files, a parser of PromQL. Called by tests/system/shipping.rs; ends with status 1 and a reason where something is wrong."""

import json
import re
import sys
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CHART = str(DEPLOY / "helm/tenantry")
KUBERNETES = ["1.27", "1.32", "1.37"]

LEAST = {
    "image": {"repository": "registry.example/tenantry"},
    "publicUrl": "https://portal.example.com",
    "mail": {"from": "Portal <portal@example.com>"},
}
EVERYTHING = LEAST | {
    "replicaCount": 3,
    "publicUrl": "https://portal.example.com:8443",
    "trustedProxies": ["10.0.0.0/8", "fd00::/8"],
    "settings": {"TENANTRY__HTTP__WORKERS": 2, "TENANTRY__BRAND__NAME": "Example: \"Portal\""},
    "image": {"repository": "registry.example/tenantry", "digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "portal", "annotations": {"a": "b"}},
    "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}, "rules": {"enabled": True, "labels": {"release": "prometheus"}}},
    "networkPolicy": {"enabled": True, "metricsFrom": [{"podSelector": {}}]},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "portal"},
    "service": {"annotations": {"a": "b"}},
}
REFUSED = [
    {},
    LEAST | {"image": {"repository": ""}},
    LEAST | {"publicUrl": "https://portal.example.com/path"},
    LEAST | {"replicaCount": 0},
    LEAST | {"replicas": 2},
    LEAST | {"keys": {"existingSecret": ""}},
    LEAST | {"trustedProxies": ["0.0.0.0/0"]},
    LEAST | {"settings": {"TENANTRY__DATABASE__URL": "postgres://me:secret@here/now"}},
]


def chart():
    """Lints and renders the chart, holds what comes out against the schemas, and prints the servers' settings."""
    import kubernetes_validate
    from helm_python import chart as helm

    seen = set()
    with helm.Chart.load(CHART) as loaded:
        for values in (LEAST, EVERYTHING):
            report = helm.lint(CHART, values, strict=True)
            assert not report["messages"] and not report["errors"], report
            loaded.validate_schema(values)
            manifests = loaded.render(values, name="portal", namespace="tenantry")
            for manifest in (part for name, text in manifests.items() if name.endswith(".yaml") for part in yaml.safe_load_all(text)):
                if manifest is None:
                    continue
                seen.add(manifest["kind"])
                if manifest["apiVersion"].startswith("monitoring.coreos.com/"):
                    of_the_operator(manifest)
                else:
                    for version in KUBERNETES:
                        kubernetes_validate.validate(manifest, version, strict=True)
                pod = manifest.get("spec", {}).get("template", {}).get("spec")
                if pod:
                    hardened(pod)
                if manifest["kind"] == "Deployment" and values is EVERYTHING:
                    print(json.dumps({setting["name"]: setting["value"] for setting in pod["containers"][0]["env"]}))
                if manifest["kind"] == "Ingress":
                    assert manifest["spec"]["rules"][0]["host"] == "portal.example.com", manifest
        for values in REFUSED:
            try:
                loaded.validate_schema(values)
            except Exception:
                continue
            raise AssertionError(f"the schema takes {values}")
    expected = {"Deployment", "Ingress", "Job", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceMonitor"}
    assert seen == expected, seen ^ expected


def of_the_operator(manifest):
    """Reads what the Prometheus operator is told into its own types: what they don't know would be lost on the way."""
    from cloudcoil.models.prometheus_operator import v1

    read = getattr(v1, manifest["kind"]).model_validate(manifest)
    known = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert known == manifest, {"sent": manifest, "known": known}


def hardened(pod):
    security, (container,) = pod["securityContext"], pod["containers"]
    assert security["runAsNonRoot"] and security["seccompProfile"]["type"] == "RuntimeDefault", security
    assert pod["automountServiceAccountToken"] is False
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], security
    assert security["capabilities"] == {"drop": ["ALL"]}, security
    assert not any(setting["name"].endswith(("__URL", "API_KEY")) for setting in container["env"]), "a secret in the environment"
    assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]


def compose():
    """Reads the compose file as its specification says, and holds it together: what a service names is there. Prints a server's settings."""
    from compose_spec import PyCompose, PyOptions

    text = (DEPLOY / "compose/compose.yaml").read_text()
    options = PyOptions(apply_merge=True)
    # Variables are filled in as Compose does it, with their defaults.
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    text = re.sub(r"\$\{(\w+):\?[^}]*\}", "65532:65532", text)
    read = options.from_yaml_str(text) if hasattr(options, "from_yaml_str") else options.from_yaml(text)
    read.validate()
    tree = yaml.safe_load(text)
    services = tree["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", {}).items():
            other, condition = needed[0], needed[1]["condition"]
            assert condition != "service_healthy" or "healthcheck" in services[other] or other.startswith("server"), (name, other)
        for secret in service.get("secrets", []):
            assert secret in tree["secrets"], (name, secret)
        for setting, value in service.get("environment", {}).items():
            if str(value).startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], (name, setting)
    for name in ("migrator", "server-1", "server-2"):
        service = services[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
    made = set(re.findall(r"^keep (\S+)", (DEPLOY / "compose/setup").read_text(), re.M))
    assert made == set(tree["secrets"]), made ^ set(tree["secrets"])
    print(json.dumps(services["server-1"]["environment"]))


def ha():
    """Holds the files of the machines together: who is asked for the primary, and where, is who answers."""
    patroni, etcd = (yaml.safe_load((DEPLOY / "ha" / name).read_text()) for name in ("patroni.yml", "etcd.yml"))
    haproxy = (DEPLOY / "ha/haproxy.cfg").read_text()
    name, address, port = patroni["name"], *patroni["postgresql"]["connect_address"].split(":")
    servers = re.findall(r"^ *server (\w+) ([\d.]+):(\d+) check port (\d+)$", haproxy, re.M)
    assert (name, address, port, patroni["restapi"]["connect_address"].split(":")[1]) in servers, servers
    assert len(servers) == 2 and servers[0][2:] == servers[1][2:], servers
    members = dict(member.split("=") for member in etcd["initial-cluster"].split(","))
    assert members[etcd["name"]] == etcd["initial-advertise-peer-urls"] == etcd["listen-peer-urls"], etcd
    hosts = {re.sub(r"http://(.*):2380", r"\1:2379", url) for url in members.values()}
    assert hosts == set(patroni["etcd3"]["hosts"]) and len(hosts) == 3, hosts
    # Patroni's own rule: while the lock lives, its holder can try twice to keep it.
    dcs = patroni["bootstrap"]["dcs"]
    assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"], dcs
    assert dcs["synchronous_mode"] is True and etcd["enable-grpc-gateway"] is True
    # Nobody comes in by a password from the network but by these three, each to its own.
    let_in = {tuple(line.split()[:3]) for line in patroni["postgresql"]["pg_hba"] if not line.startswith("local")}
    assert let_in == {("host", "replication", "replicator"), ("host", "postgres", "rewinder"), ("host", "tenantry", "tenantry")}, let_in


# What Prometheus adds.
PROMETHEUS = {"instance", "job", "le"}


def expressions():
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        yield rule["alert"], rule["expr"]
    dashboard = json.loads((DEPLOY / "grafana/tenantry.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)), "panels share an id"
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def metrics(scraped):
    """Holds each metric, label and value that alerts and dashboard name against what a server was seen to export."""
    import promql_parser

    exported = {}
    for line in Path(scraped).read_text().splitlines():
        if not line.startswith("#"):
            name, labels = re.match(r"([a-z_:]+)(?:\{(.*)\})? ", line).groups()
            for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""):
                exported.setdefault(name, {}).setdefault(label, set()).add(value)
            exported.setdefault(name, {})
    labels_of_all = {label for labels in exported.values() for label in labels} | PROMETHEUS
    named = set()
    for where, expression in expressions():
        promql_parser.parse(expression)
        grouped = re.findall(r"\b(?:by|on|ignoring|without|group_left|group_right) ?\(([^)]*)\)", expression)
        unknown = {label.strip() for labels in grouped for label in labels.split(",") if label.strip()} - labels_of_all
        assert not unknown, f"{where}: nothing has the label {unknown}"

        def look(node):
            selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
            if isinstance(selector, promql_parser.VectorSelector):
                assert selector.name in exported, f"{where}: no server exports {selector.name}"
                named.add(selector.name)
                for matcher in selector.matchers.matchers:
                    if matcher.name in PROMETHEUS:
                        continue
                    values = exported[selector.name].get(matcher.name)
                    assert values is not None, f"{where}: {selector.name} has no label {matcher.name}"
                    # Where an alternative is never met, an alert never comes.
                    if "NotEqual" not in str(matcher.op):
                        missing = set(matcher.value.split("|")) - values
                        assert not missing, f"{where}: {selector.name} never has {matcher.name}={missing}"
            return True

        promql_parser.walk(promql_parser.parse(expression), look)
    assert len(named) > 12, named
    print(f"{len(named)} metrics are named, of {len(exported)} that are exported")


def sbom(file):
    """Holds a bill of materials against CycloneDX's schema."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = Path(file).read_text()
    failure = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert failure is None, failure
    bill = json.loads(text)
    components = {component["bom-ref"] for component in bill["components"]}
    for entry in bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= components | {bill["metadata"]["component"]["bom-ref"]}, entry
    assert bill["metadata"]["timestamp"] > "2026" and "sqlite" in {component["name"] for component in bill["components"]}
    print(f"{len(components)} components")


if __name__ == "__main__":
    {"chart": chart, "compose": compose, "ha": ha, "metrics": metrics, "sbom": sbom}[sys.argv[1]](*sys.argv[2:])
