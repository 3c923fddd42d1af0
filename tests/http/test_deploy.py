"""What docker/ holds fits the program and itself: settings, metrics, ports, users, names."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import BINARY, QUICK
from test_start import run

DOCKER = pathlib.Path(__file__).parents[2] / "docker"
MONITORING = DOCKER / "monitoring"
DASHBOARD = json.loads((MONITORING / "grafana/dashboards/denoised.json").read_text())


def load(path):
    return yaml.safe_load((DOCKER / path).read_text())


def text_of(path):
    return (DOCKER / path).read_text()


def everything():
    return [path for path in DOCKER.rglob("*") if path.is_file() and path.name != "keys"]


# ------------------------------------------------------------------ metrics


@pytest.fixture(scope="module")
def metrics(trained):
    """name -> {label: values} of all that the server counts, once each kind of thing has happened."""
    trained.get(f"/v1/models/{trained.job}/samples?n=10")
    trained.get("/nowhere")
    found = {}
    for line in trained.get("/metrics").body.decode().splitlines():
        if not line.startswith("#"):
            name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line).groups()
            seen = found.setdefault(name, {})
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels or ""):
                seen.setdefault(label, set()).add(value)
    return found


def queries():
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for group in load("monitoring/alerts.yaml")["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


# Metrics and labels that Prometheus adds itself.
OF_PROMETHEUS = {"up"}
LABELS_OF_PROMETHEUS = {"instance", "job"}


def test_every_query_names_metrics_and_labels_that_there_are(metrics):
    asked = set()
    for title, query in queries():
        for name, selector in re.findall(r"\b((?:denoised|process)_\w+|up)\b(?:\{([^}]*)\})?", query):
            assert name in metrics or name in OF_PROMETHEUS, (title, name)
            asked.add(name)
            for label, how, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', selector):
                if label in LABELS_OF_PROMETHEUS:
                    continue
                assert label in metrics[name], (title, name, label)
                if how == "=":
                    assert value in metrics[name][label], (title, name, label, value)
        names = set(re.findall(r"\b((?:denoised|process)_\w+)\b", query))
        known = set().union(*(metrics.get(name, {}) for name in names)) | LABELS_OF_PROMETHEUS
        for labels in re.findall(r"\bby \(([^)]*)\)", query):
            assert {label.strip() for label in labels.split(",")} <= known, (title, labels)
    assert len(asked) > 20


# Metrics of the database, which each of its nodes reports.
SHARED = {
    *("denoised_jobs", "denoised_jobs_waiting_for_kernels", "denoised_nodes"),
    *("denoised_db_size_bytes", "denoised_db_used_bytes", "denoised_db_limit_bytes", "denoised_db_wal_bytes"),
}
# Of a node, and asked for its latest value.
LATEST = {"process_start_time_seconds"}
AGGREGATES = {"sum", "max", "min", "avg", "count", "topk"}


def aggregated(query):
    """(metric, the aggregate nearest around it or None) for each place where a metric stands."""
    bare = re.sub(r"\{[^}]*\}|\b(by|on|ignoring) \([^)]*\)", "", query)
    around, word = [], ""  # of the place: what stands before each open parenthesis
    for token in re.findall(r"[A-Za-z_]\w*|[()]", bare):
        if token == "(":
            around.append(word)
        elif token == ")":
            around.pop()
        elif re.match("(denoised|process)_", token):
            yield token, next((name for name in reversed(around) if name in AGGREGATES), None)
        word = token


def test_aggregates_are_found():
    query = 'topk(8, sum by (a, b) (rate(denoised_a{c="d"}[5m])) / max(denoised_b)) + denoised_c'
    assert list(aggregated(query)) == [("denoised_a", "sum"), ("denoised_b", "max"), ("denoised_c", None)]


def test_what_all_nodes_report_is_never_added_up(trained):
    """The metrics of the database say so, and every query takes their maximum; those of a node are added up."""
    text = trained.get("/metrics").body.decode()
    marked = set(re.findall(r"^# HELP (\w+) .* The same from each node of a database: aggregate with max, not sum\.$", text, re.M))
    assert marked == SHARED
    gauges = set(re.findall(r"^# TYPE (\w+) gauge$", text, re.M))
    assert gauges > SHARED, "a counter counts what its own process has done"
    asked = {}
    for title, query in queries():
        for name, aggregate in aggregated(query):
            asked.setdefault(name, set()).add(aggregate)
            assert name not in SHARED or aggregate == "max", (title, query)
            assert name in SHARED | LATEST or aggregate in {"sum", "topk", None}, (title, query)
    assert {"denoised_jobs", "denoised_nodes", "denoised_db_size_bytes"} <= set(asked)
    for path in everything():
        assert not re.search(r"sum( by \([^)]*\))? ?\(denoised_(%s)\b" % "|".join(name[9:] for name in SHARED), path.read_text()), path


def test_the_dashboard_is_in_order():
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities) and len(panels) > 15
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not taken & cells, panel["title"]
        taken |= cells
        assert all(target["expr"].count("(") == target["expr"].count(")") for target in panel.get("targets", []))


def test_promtool_reads_the_configuration_and_the_queries(tmp_path):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    subprocess.run([promtool, "check", "config", MONITORING / "prometheus.yaml"], check=True, capture_output=True)
    # The queries of the dashboard as rules, with a value for what Grafana fills in.
    filled = [query.replace("$__rate_interval", "1m").replace("$instance", ".*") for _, query in queries() if "label_values" not in query]
    rules = [{"record": f"query:{i}", "expr": query} for i, query in enumerate(filled)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    check = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True)
    assert check.returncode == 0 and f"{len(rules)} rules found" in check.stdout, check.stdout + check.stderr


def test_an_alert_fires_for_what_it_says(tmp_path):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    shutil.copy(MONITORING / "alerts.yaml", tmp_path)
    where = 'instance="d:8080", job="denoised"'
    down = {"exp_labels": {"severity": "critical", "instance": "d:8080", "job": "denoised"}, "exp_annotations": {
        "summary": "d:8080 has not answered for two minutes",
        "description": "Nothing acknowledged is lost: jobs go on from their checkpoints at the next start, or on another node of the same database."}}  # fmt: skip

    def case(series, alert, firing, at="30m"):
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": firing}],
        }

    def counts(alert, series, expected):
        """How many alerts fire, without their texts."""
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{
                "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)', "eval_time": "30m",
                "exp_samples": [{"labels": "{}", "value": expected}]}],
        }  # fmt: skip

    queued, steps = f'denoised_jobs{{status="queued", {where}}}', f"denoised_training_steps_total{{{where}}}"
    queued2, steps2, kernels2 = (name.replace("d:8080", "e:8080") for name in (queued, steps, f"denoised_jobs_waiting_for_kernels{{{where}}}"))
    kernels = f"denoised_jobs_waiting_for_kernels{{{where}}}"
    failed = f'denoised_jobs_finished_total{{status="failed", {where}}}'
    good, bad = (f'denoised_http_requests_total{{code="{code}", method="GET", route="/", {where}}}' for code in (200, 503))
    tests = [
        case({f"up{{{where}}}": "1x20 0x20"}, "DenoisedDown", [down]),
        case({f"up{{{where}}}": "1x40"}, "DenoisedDown", []),
        counts("DenoisedQueueStands", {queued: "2x40", kernels: "0x40", steps: "500x40"}, 1),
        counts("DenoisedQueueStands", {queued: "2x40", kernels: "0x40", steps: "0+100x40"}, 0),
        counts("DenoisedQueueStands", {queued: "0x40", kernels: "0x40", steps: "500x40"}, 0),
        counts("DenoisedQueueStands", {queued: "2x40", kernels: "1x40", steps: "500x40"}, 1),
        counts("DenoisedQueueStands", {queued: "2x40", kernels: "2x40", steps: "500x40"}, 0),
        # two nodes: one trains for both, or none does, and what both report counts once
        counts("DenoisedQueueStands", {queued: "2x40", queued2: "2x40", kernels: "0x40", kernels2: "0x40", steps: "500x40", steps2: "0+100x40"}, 0),
        counts("DenoisedQueueStands", {queued: "2x40", queued2: "2x40", kernels: "0x40", kernels2: "0x40", steps: "500x40", steps2: "9x40"}, 1),
        counts("DenoisedJobsWaitForKernels", {kernels: "0x5 2x40"}, 1),
        counts("DenoisedJobsWaitForKernels", {kernels: "2x40", kernels2: "2x40"}, 1),
        counts("DenoisedJobsWaitForKernels", {kernels: "2x25 0x40"}, 0),
        counts("DenoisedDatabaseAway", {f"denoised_database_up{{{where}}}": "1x20 0x20"}, 1),
        counts("DenoisedDatabaseAway", {f"denoised_database_up{{{where}}}": "0x20 1x20"}, 0),
        counts("DenoisedJobsFail", {failed: "0x20 5x20"}, 1),
        counts("DenoisedJobsFail", {failed: "0x20 1x20"}, 0),
        counts("DenoisedServerErrors", {good: "0+90x40", bad: "0+10x40"}, 1),
        counts("DenoisedServerErrors", {good: "0+99x40", bad: "0+1x40"}, 0),
    ]
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump({"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": tests}))
    check = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, cwd=tmp_path)
    assert check.returncode == 0, check.stdout + check.stderr


# ------------------------------------------------------------------ settings and names


def test_every_variable_is_a_setting():
    table = subprocess.run([BINARY, "settings", "--markdown"], capture_output=True, text=True, check=True).stdout
    settings = set(re.findall(r"`(DENOISED_\w+)`", table))
    for path in everything():
        used = set(re.findall(r"\bDENOISED_[A-Z_]+\b", path.read_text()))
        assert used <= settings, (path, used - settings)


def test_all_agree_on_the_user_the_port_and_the_volume():
    dockerfile = text_of("Dockerfile")
    user = re.search(r"^USER (\d+):\1$", dockerfile, re.M)[1]
    assert f"--uid {user} " in dockerfile and int(user) > 0
    pod = load("kubernetes/statefulset.yaml")["spec"]["template"]["spec"]
    context = pod["securityContext"]
    assert [context[name] for name in ("runAsUser", "runAsGroup", "fsGroup")] == [int(user)] * 3
    port = int(re.search(r"^EXPOSE (\d+)$", dockerfile, re.M)[1])
    container = pod["containers"][0]
    assert container["ports"][0]["containerPort"] == port
    assert load("monitoring/prometheus.yaml")["scrape_configs"][0]["static_configs"][0]["targets"] == [f"denoised:{port}"]
    service = load("compose.yaml")["services"]["denoised"]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    volume = re.search(r"^VOLUME (\S+)$", dockerfile, re.M)[1]
    assert f"DENOISED_DATABASE={volume}/" in dockerfile
    assert f"data:{volume}" in service["volumes"]
    assert {"name": "data", "mountPath": volume} in container["volumeMounts"]


def test_every_container_of_ours_is_hardened():
    service = load("compose.yaml")["services"]["denoised"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    health = json.loads(re.search(r"HEALTHCHECK .* CMD (\[.*\])$", text_of("Dockerfile"), re.M)[1])
    assert service["healthcheck"]["test"] == ["CMD", *health]
    container = load("kubernetes/statefulset.yaml")["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    assert container["readOnlyRootFilesystem"] and not container["allowPrivilegeEscalation"]
    assert container["capabilities"] == {"drop": ["ALL"]}


def test_the_manifests_find_each_other():
    kustomization, state = load("kubernetes/kustomization.yaml"), load("kubernetes/statefulset.yaml")
    service, monitor = load("kubernetes/service.yaml"), load("monitoring/servicemonitor.yaml")
    assert all((DOCKER / "kubernetes" / name).is_file() for name in kustomization["resources"])
    labels = state["spec"]["template"]["metadata"]["labels"]
    assert state["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert state["spec"]["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None", "what a StatefulSet wants of its service"
    pod = state["spec"]["template"]["spec"]
    assert pod["enableServiceLinks"] is False
    container = pod["containers"][0]
    assert service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]
    ports = {port["name"] for port in container["ports"]}
    probes = [container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {probe["port"] for probe in probes} | {service["spec"]["ports"][0]["targetPort"]} <= ports
    assert {probe["path"] for probe in probes} == {"/livez", "/readyz"}
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    volumes = {volume["name"] for volume in pod["volumes"] + [claim["metadata"] for claim in state["spec"]["volumeClaimTemplates"]]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    secret = next(volume["secret"] for volume in pod["volumes"] if "secret" in volume)
    assert secret["secretName"] == kustomization["secretGenerator"][0]["name"] and secret["defaultMode"] == 0o440


VERSION = re.search(r"^VERSION  := (\S+)$", (DOCKER.parent / "Makefile").read_text(), re.M)[1]


def test_images_have_the_version_that_this_is():
    assert f"ARG VERSION={VERSION}\n" in text_of("Dockerfile")
    for label in ("version", "revision", "source"):
        assert f'org.opencontainers.image.{label}="$' in text_of("Dockerfile")
    (image,) = load("kubernetes/kustomization.yaml")["images"]
    assert image == {"name": "denoised", "newTag": VERSION}
    service = load("compose.yaml")["services"]["denoised"]
    assert service["image"] == f"denoised:${{IMAGE_TAG:-{VERSION}}}" and service["build"]["args"]["COMMIT"] == "${COMMIT:-unknown}"
    (container,) = load("kubernetes/maintenance.yaml")["spec"]["containers"]
    assert container["image"] == f"denoised:{VERSION}"


def test_the_component_has_the_files_that_compose_mounts():
    component = load("monitoring/kustomization.yaml")
    assert component["kind"] == "Component" and "../monitoring" in text_of("kubernetes/kustomization.yaml")
    assert set(component["resources"]) == {"servicemonitor.yaml", "prometheusrule.yaml"}
    made = subprocess.run(["sh", MONITORING / "prometheusrule.sh"], capture_output=True, text=True, check=True).stdout
    assert made == text_of("monitoring/prometheusrule.yaml"), "run make rules, and commit what it writes"
    rule = yaml.safe_load(made)
    assert rule["kind"] == "PrometheusRule" and rule["spec"] == load("monitoring/alerts.yaml")
    mounted = " ".join(load("compose.yaml")["services"]["grafana"]["volumes"] + load("compose.yaml")["services"]["prometheus"]["volumes"])
    (generator,) = component["configMapGenerator"]
    for path in [*generator["files"], "alerts.yaml"]:
        assert (MONITORING / path).is_file() and f"./monitoring/{path.removesuffix('/denoised.json')}:" in mounted


def test_kustomize_renders_all_of_it(tmp_path):
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("kubectl is not installed")
    shutil.copytree(DOCKER, tmp_path / "docker", ignore=shutil.ignore_patterns("keys"))
    directory = tmp_path / "docker/kubernetes"
    (directory / "keys").write_text("me:0\n")
    path = directory / "kustomization.yaml"
    text = path.read_text().replace("# components:\n#   - ", "components:\n  - ")
    assert "\ncomponents:\n" in text
    path.write_text(text)
    made = subprocess.run([kubectl, "kustomize", directory], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    resources = {resource["kind"]: resource for resource in yaml.safe_load_all(made.stdout)}
    assert set(resources) == {"Service", "StatefulSet", "Secret", "ConfigMap", "ServiceMonitor", "PrometheusRule"}
    assert json.loads(resources["ConfigMap"]["data"]["denoised.json"]) == DASHBOARD
    assert resources["ConfigMap"]["metadata"]["labels"]["grafana_dashboard"] == "1"
    pod = resources["StatefulSet"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"denoised:{VERSION}"
    secret = next(volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume)
    assert secret == resources["Secret"]["metadata"]["name"], "new keys start a new pod"


def test_the_way_in_leads_to_the_service():
    ingress, service = load("kubernetes/ingress.yaml"), load("kubernetes/service.yaml")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": service["spec"]["ports"][0]["name"]}}
    annotations = {name.split("/")[1]: value for name, value in ingress["metadata"]["annotations"].items()}
    assert annotations["proxy-buffering"] == "off" and int(annotations["proxy-read-timeout"]) >= 3600
    table = subprocess.run([BINARY, "settings", "--markdown"], capture_output=True, text=True, check=True).stdout
    assert int(annotations["proxy-body-size"].removesuffix("m")) > int(re.search(r"`DENOISED_MAX_UPLOAD` \| `(\d+)`", table)[1])


def test_maintenance_has_the_volume_and_the_user_of_the_server():
    pod = load("kubernetes/maintenance.yaml")["spec"]
    state = load("kubernetes/statefulset.yaml")
    claim = state["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    assert pod["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": f"{claim}-{state['metadata']['name']}-0"}}]
    theirs = state["spec"]["template"]["spec"]["securityContext"]
    assert all(pod["securityContext"][name] == theirs[name] for name in ("runAsUser", "runAsGroup", "fsGroup"))


def test_nginx_reads_its_lines(tmp_path):
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if not nginx:
        pytest.skip("nginx is not installed")
    lines = text_of("nginx.conf")
    assert "$http_host" in lines and "proxy_buffering off" in lines and "http://127.0.0.1:8080;" in lines
    (tmp_path / "denoised.conf").write_text(lines.replace("listen 80;", "listen 127.0.0.1:8099;"))
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/denoised.conf; }}")
    check = subprocess.run([nginx, "-t", "-q", "-c", whole, "-p", tmp_path], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    proxy = load("compose.yaml")["services"]["proxy"]
    assert "sed s/127.0.0.1:8080/denoised:8080/ /etc/denoised.conf" in proxy["command"][-1]
    assert "./nginx.conf:/etc/denoised.conf:ro" in proxy["volumes"]


# ------------------------------------------------------------------ the page for operators

PAGE = text_of("README.md")
COMMANDS = re.sub(r"\\\n\s*", "", "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)))


def test_its_commands_name_what_there_is(tmp_path):
    (tmp_path / "commands.sh").write_text(COMMANDS)
    subprocess.run(["sh", "-n", tmp_path / "commands.sh"], check=True)
    known = set(re.findall(r"^  denoised (\w+)", subprocess.run([BINARY, "help"], capture_output=True, text=True).stdout, re.M))
    called = set(re.findall(r"(?:^|[ ;'])denoised (\w+)", COMMANDS, re.M))
    assert {"key", "backup"} <= called and called - {"backup", "key"} <= {"denoised", "rm", "sh", "c"} | known, called
    services = load("compose.yaml")["services"]
    compose = re.findall(r"docker compose -f (\S+) (?:up -d|stop|exec|run .*?--entrypoint sh)(?: --build)? ?(\w+)?", COMMANDS)
    assert len(compose) > 5
    for path, service in compose:
        assert (DOCKER.parent / path).is_file() and (not service or service in services), service
    for path in re.findall(r"\bdocker/[\w/.-]+", COMMANDS + PAGE):
        assert (DOCKER.parent / path.rstrip(".")).exists() or path.endswith(("keys", ".env")), path
    assert set(re.findall(r"(\w+)/denoised\.db\b", COMMANDS)) == {"denoised", "data"}  # /var/lib/denoised, /data
    for profile in re.findall(r"--profile (\w+)", PAGE):
        assert any(profile in service.get("profiles", []) for service in services.values()), profile
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (DOCKER / link).exists(), link


def test_a_restore_as_it_says_is_the_backup_and_nothing_else(start, tmp_path):
    """The block for systemd, in a directory of ours, while -wal and -shm of a server that was killed lie there."""
    database, copy = tmp_path / "var/denoised.db", tmp_path / "backup.db"
    database.parent.mkdir()
    flags = ["--database", str(database)]
    server = start(*flags)
    kept = server.submit(QUICK)
    assert server.wait(kept)["status"] == "succeeded"
    subprocess.run([BINARY, "backup", copy, *flags], check=True)
    lost = server.submit(QUICK)
    assert server.wait(lost)["status"] == "succeeded"
    server.kill()
    assert database.with_name("denoised.db-wal").stat().st_size > 0
    block = PAGE.split("## Restore")[1].split("# systemd\n")[1].split("\n\n")[0]
    script = re.sub(r"^sudo systemctl .*$", "", block, flags=re.M).replace("sudo ", "")
    script = script.replace("/var/lib/denoised/", f"{database.parent}/").replace("/root/denoised-backup.db", str(copy))
    subprocess.run(["sh", "-eux", "-c", script], check=True)
    server = start(*flags)
    assert server.get(f"/v1/jobs/{kept}").json["status"] == "succeeded"
    assert server.get(f"/v1/models/{kept}/samples?n=3").status == 200
    assert server.get(f"/v1/jobs/{lost}").status == 404


def test_systemd_finds_nothing_to_say(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "denoised.service"
    # what `make install` makes of it, less the manual, which may not be installed here
    unit.write_text(re.sub(r"^Documentation=.*\n", "", text_of("denoised.service"), flags=re.M).replace("/usr/local/bin/denoised", BINARY))
    check = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)
    about_ours = [line for line in (check.stdout + check.stderr).splitlines() if "denoised" in line]
    assert check.returncode == 0 and not about_ours, about_ours
    # exposure 2.0 or less out of 10
    strict = subprocess.run([analyze, "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True)
    assert strict.returncode == 0, strict.stdout[-300:]


def test_systemd_waits_for_a_database_and_not_for_a_mistake():
    """A machine that starts before that of its PostgreSQL tries again, however long that takes."""
    unit = text_of("denoised.service")
    assert "\nStartLimitIntervalSec=0\n" in unit and "\nRestart=on-failure\n" in unit
    final = {int(status) for status in re.search(r"\nRestartPreventExitStatus=(.*)", unit)[1].split()}
    away = run("serve", "--port", "0", "--database", "postgresql://me@127.0.0.1:1/name")
    assert away.returncode not in {0, *final} and "refused" in away.stderr
    assert run("serve", "--port", "nonsense").returncode in final


def test_settings_of_compose_outlive_a_command():
    """What one command sets for itself, the next one that makes the container again lacks."""
    environment = load("compose.yaml")["services"]["denoised"]["environment"]
    assert environment["DENOISED_API_KEYS"] == "${DENOISED_API_KEYS:-}"
    assert not re.search(r"DENOISED_\w+=\S+ docker compose", COMMANDS + text_of("compose.yaml"))
