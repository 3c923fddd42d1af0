"""The files for several nodes on one PostgreSQL fit the program and each other, and the load balancer does what it is for."""

import contextlib
import re
import shutil
import socket
import subprocess

import pytest
import stores
import yaml
from conftest import ENDLESS, QUICK, eventually
from postgresql import cluster
from test_deploy import DOCKER, VERSION, load, text_of

CLUSTER = "kubernetes/cluster"
NODES = ["node1", "node2", "node3"]


def services():
    return load("compose.cluster.yaml")["services"]


def resource(name):
    return load(f"{CLUSTER}/{name}.yaml")


# ------------------------------------------------------------------ compose


def test_the_nodes_are_alike_and_start_after_the_tables():
    there = services()
    assert there["node1"] == there["node2"] == there["node3"]
    assert there["node1"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert there["migrate"]["depends_on"]["database"] == {"condition": "service_healthy"}
    assert there["migrate"]["command"] == ["denoised", "migrate"]
    names = {there[name]["environment"]["DENOISED_DATABASE"] for name in (*NODES, "migrate")}
    (uri,) = names
    assert re.fullmatch(r"postgresql://denoised:\$\{POSTGRES_PASSWORD:\?.*\}@database/denoised", uri)
    database = there["database"]
    assert database["image"].startswith("postgres:15.") and "ports" not in database
    assert (database["environment"]["POSTGRES_USER"], database["environment"]["POSTGRES_DB"]) == ("denoised", "denoised")
    assert database["stop_signal"] == "SIGINT" and database["volumes"][0].split(":")[0] in load("compose.cluster.yaml")["volumes"]
    for name in (*NODES, "migrate"):
        assert there[name]["image"] == f"denoised:${{IMAGE_TAG:-{VERSION}}}"
        assert there[name]["read_only"] is True and there[name]["cap_drop"] == ["ALL"] and "volumes" not in there[name]
        assert there[name]["security_opt"] == ["no-new-privileges:true"]
    assert [name for name, service in there.items() if "ports" in service and "profiles" not in service] == ["balancer"]
    assert there["balancer"]["ports"] == ["127.0.0.1:8080:8080"]


def test_the_balancer_and_prometheus_know_the_nodes():
    there, lines = services(), text_of("haproxy.cfg")
    assert re.findall(r"^    server (\w+) (\S+)$", lines, re.M) == [(name, f"{name}:8080") for name in NODES]
    (scrape,) = load("monitoring/prometheus.cluster.yaml")["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [f"{name}:8080" for name in NODES]}]
    assert set(NODES) == set(re.search(r":-(.*)\}", there["node1"]["environment"]["DENOISED_ALLOWED_HOSTS"])[1].split(","))
    address = there["balancer"]["networks"]["inside"]["ipv4_address"]
    assert there["node1"]["environment"]["DENOISED_TRUSTED_PROXIES"] == address
    assert all(there[name]["networks"] for name in there)
    for path in (volume.split(":")[0] for service in there.values() for volume in service.get("volumes", []) if volume.startswith("./")):
        assert (DOCKER / path).exists(), path
    alone = load("compose.yaml")["services"]
    for name in ("prometheus", "grafana"):
        ours = {key: value for key, value in there[name].items() if key not in ("networks", "volumes")}
        assert ours == {key: value for key, value in alone[name].items() if key != "volumes"}


# ------------------------------------------------------------------ the load balancer


def listens(port):
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def balancer(folder, *ports):
    """HAProxy with the lines of the file, except for addresses."""
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    if not program:
        pytest.skip("haproxy is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lines = text_of("haproxy.cfg")
    shutil.copy(DOCKER / "unavailable.http", folder)
    for wanted, ours in {
        "bind :8080": f"bind 127.0.0.1:{port}",
        "/etc/haproxy/unavailable.http": str(folder / "unavailable.http"),
        "log stdout format raw local0": "log stdout format raw local0 err",
    }.items():
        assert lines.count(wanted) == 1
        lines = lines.replace(wanted, ours)
    for name, node in zip(NODES, ports, strict=True):
        lines = lines.replace(f"server {name} {name}:8080", f"server {name} 127.0.0.1:{node}")
    path = folder / "haproxy.cfg"
    path.write_text(lines)
    check = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True)
    assert check.returncode == 0 and "WARNING" not in check.stdout + check.stderr, check.stdout + check.stderr
    process = subprocess.Popen([program, "-db", "-f", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait()


def test_it_sends_requests_to_nodes_that_are_ready_and_says_so_otherwise(start, tmp_path):
    folders = [tmp_path / name for name in NODES]
    for folder in folders:
        folder.mkdir()
    nodes = [start("--anonymous", "--allowed-hosts", "*", directory=folder) for folder in folders]
    with balancer(tmp_path, *(node.port for node in nodes)) as port:

        class Through(type(nodes[0])):
            def __init__(self):
                self.scheme, self.port = "http", port

        there = Through()
        eventually(lambda: there.fetch("GET", "/readyz").status == 200)
        job = nodes[1].submit(ENDLESS)
        for node in (nodes[0], nodes[2]):
            node.stop()
        eventually(lambda: [there.fetch("GET", f"/v1/jobs/{job}").status for _ in range(6)] == [200] * 6)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
            stream.sendall(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            seen = b""
            while seen.count(b"event: epoch") < 3:  # before the end of the stream: nothing is held back
                more = stream.recv(65536)
                assert more
                seen += more
        eventually(lambda: there.fetch("POST", f"/v1/jobs/{job}/cancel").status in (200, 202))
        assert there.fetch("POST", "/v1/jobs", QUICK).status == 201
        nodes[1].stop()
        eventually(lambda: there.fetch("GET", "/v1/jobs").status == 503)
        answer = there.fetch("GET", "/v1/jobs")
        assert answer.headers["Content-Type"] == "application/problem+json" and int(answer.headers["Retry-After"]) > 0
        assert answer.json["status"] == 503 and {"type", "title", "detail", "code"} <= set(answer.json)


# ------------------------------------------------------------------ Kubernetes


def test_the_manifests_of_the_cluster_find_each_other():
    kustomization, deployment, job = resource("kustomization"), resource("deployment"), resource("migrate")
    assert all((DOCKER / CLUSTER / name).is_file() for name in kustomization["resources"])
    assert kustomization["images"] == [{"name": "denoised", "newTag": VERSION}]
    spec = deployment["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["replicas"] == 3 and spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 1
    assert labels == spec["selector"]["matchLabels"] == resource("service")["spec"]["selector"]
    disruption = resource("disruption")["spec"]
    assert disruption["selector"]["matchLabels"] == labels and disruption["maxUnavailable"] == 1
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    assert job["spec"]["template"]["metadata"]["labels"] != labels, "the Service would send requests there"
    alone = load("kubernetes/statefulset.yaml")["spec"]["template"]["spec"]
    secrets = {made["name"] for made in kustomization["secretGenerator"]}
    for pod in (spec["template"]["spec"], job["spec"]["template"]["spec"]):
        (container,) = pod["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "denoised-database"}}]
        assert container["securityContext"] == alone["containers"][0]["securityContext"]
        assert {**pod["securityContext"], "fsGroupChangePolicy": "OnRootMismatch"} == alone["securityContext"]
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
        used = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        assert used | {"denoised-database"} <= secrets
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    (node,) = spec["template"]["spec"]["containers"]
    (theirs,) = alone["containers"]
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"] and node["args"] == ["serve"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert node[probe] == theirs[probe]
    assert node["resources"] == theirs["resources"] and node["ports"] == theirs["ports"]


def test_both_ways_to_scale_follow_the_queue():
    scaler = resource("hpa")["spec"]
    _, scaled = yaml.safe_load_all(text_of(f"{CLUSTER}/keda.yaml"))
    (trigger,) = scaled["spec"]["triggers"]
    cpus = resource("deployment")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
    assert scaler["scaleTargetRef"]["name"] == scaled["spec"]["scaleTargetRef"]["name"] == resource("deployment")["metadata"]["name"]
    assert scaler["metrics"][0]["external"]["target"]["averageValue"] == trigger["metadata"]["targetQueryValue"] == cpus
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"])
    assert "max by (status) (denoised_jobs" in text_of(f"{CLUSTER}/hpa.yaml")
    assert trigger["metadata"]["query"] == "SELECT count(*) FROM job WHERE status IN ('queued', 'running')"
    assert not set(resource("kustomization")["resources"]) & {"hpa.yaml", "keda.yaml"}


def test_the_autoscaler_counts_each_job_once(tmp_path):
    """Its query, by Prometheus, of three nodes that report the same jobs."""
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    query = re.search(r"metricsQuery: '(.*)'", text_of(f"{CLUSTER}/hpa.yaml"))[1]
    jobs = {"queued": 5, "running": 3, "succeeded": 100}
    series = [{"series": f'denoised_jobs{{status="{status}", instance="{node}:8080", job="denoised"}}', "values": f"{count}x5"}
              for status, count in jobs.items() for node in NODES]  # fmt: skip
    case = {"interval": "1m", "input_series": series, "promql_expr_test": [{"expr": query, "eval_time": "3m", "exp_samples": [{"labels": "{}", "value": 8}]}]}
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump({"tests": [case]}))
    check = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
    name = resource("hpa")["spec"]["metrics"][0]["external"]["metric"]["name"]
    assert f"name: {{ as: {name} }}" in text_of(f"{CLUSTER}/hpa.yaml")


def test_keda_asks_with_the_rights_that_it_is_told_to_have():
    """Its query on a real PostgreSQL, as a role that may do nothing else."""
    text = text_of(f"{CLUSTER}/keda.yaml")
    authentication, scaled = yaml.safe_load_all(text)
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    made = re.search(r"(CREATE ROLE keda .*;)", text)[1]
    (parameter,) = authentication["spec"]["secretTargetRef"]
    assert scaled["spec"]["triggers"][0]["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert f"create secret generic {parameter['name']} " in text and f"--from-literal={parameter['key']}=" in text
    with cluster() as server:
        uri = server.uri(server.create("scaled"))
        stores.migrate(uri)
        server.sql(made, "scaled")
        assert server.sql(f"SET ROLE keda; {query}", "scaled") == [["0"]]
        with pytest.raises(AssertionError, match="permission denied for table model"):
            server.sql("SET ROLE keda; SELECT count(*) FROM model", "scaled")


@pytest.mark.parametrize("monitored", [False, True])
def test_kustomize_renders_the_cluster(tmp_path, monitored):
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("kubectl is not installed")
    shutil.copytree(DOCKER, tmp_path / "docker", ignore=shutil.ignore_patterns("keys", "database.env", "ca.crt"))
    folder = tmp_path / "docker" / CLUSTER
    for name, text in {"keys": "me:0\n", "database.env": "DENOISED_DATABASE=postgresql://h/n\n", "ca.crt": "x\n"}.items():
        (folder / name).write_text(text)
    if monitored:
        path = folder / "kustomization.yaml"
        path.write_text(path.read_text().replace("# components:\n#   - ", "components:\n  - "))
    made = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    kinds = sorted(one["kind"] for one in yaml.safe_load_all(made.stdout))
    more = ["ConfigMap", "PrometheusRule", "ServiceMonitor"] if monitored else []
    assert kinds == sorted(["Deployment", "Job", "PodDisruptionBudget", "Secret", "Secret", "Secret", "Service", *more])


def test_secrets_are_not_committed():
    for name in ("docker/.env", *(f"docker/{CLUSTER}/{secret}" for secret in ("keys", "database.env", "ca.crt"))):
        ignored = subprocess.run(["git", "check-ignore", "-q", name], cwd=DOCKER.parent)
        assert ignored.returncode == 0 or not (DOCKER.parent / ".git").exists(), name
