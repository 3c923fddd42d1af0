"""Behind a real nginx: with its defaults, and with the lines that /docs/operating and docker/nginx.conf give."""

import os
import pathlib
import re
import shutil
import socket
import subprocess

import httpx
import pytest
from conftest import PATIENCE, QUICK, Server, eventually

ROOT = pathlib.Path(__file__).parents[2]
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
LINES = re.search(r'<pre class="formula" id="nginx">(.*?)</pre>', (ROOT / "api/docs/operating.html").read_text(), re.S)[1]
NAME = "models.example.org"

WHOLE = """daemon off; pid {here}/pid; error_log {here}/error.log; {user}
events {{ worker_connections 100; }}
http {{
  access_log off; client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;
  fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  {servers}
}}
"""

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Nginx:
    def __init__(self, here, servers, port):
        self.port = port
        user = "user root;" if os.geteuid() == 0 else ""
        here.mkdir(exist_ok=True)
        (here / "nginx.conf").write_text(WHOLE.format(here=here, user=user, servers=servers))
        self.process = subprocess.Popen([NGINX, "-p", here, "-c", here / "nginx.conf"], stderr=subprocess.DEVNULL)
        eventually(self.listens)
        own = {"Host": f"{NAME}:{port}", "Origin": f"http://{NAME}:{port}"}
        self.browser = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=own, timeout=60 * PATIENCE, trust_env=False)
        self.program = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60 * PATIENCE, trust_env=False)

    def listens(self):
        assert self.process.poll() is None, "nginx does not start"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.browser.close()
        self.program.close()
        self.process.terminate()
        self.process.wait(30 * PATIENCE)


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """The server, and nginx in front of it with these lines."""
    here = tmp_path_factory.mktemp("behind")
    server = Server(str(here), "--allowed-hosts", NAME, "--trusted-proxies", "127.0.0.1", "--max-upload", "2")
    job = server.submit(QUICK)
    server.wait(job)
    started = []

    def start(lines, location="/", base=server):
        port = free_port()
        lines = lines.replace("127.0.0.1:8080", f"127.0.0.1:{base.port}")
        outside = "".join(re.findall(r"client_max_body_size.*?;", lines))
        inside = re.sub(r"client_max_body_size.*?;", "", lines)
        servers = f"server {{ listen 127.0.0.1:{port}; {outside} location {location} {{ {inside} }} }}"
        started.append(Nginx(here / f"nginx{len(started)}", servers, port))
        return started[-1]

    yield start
    for nginx in started:
        nginx.stop()
    assert server.stop() == 0, server.read_log()


@pytest.fixture(scope="module")
def plain(behind):
    return behind("proxy_pass http://127.0.0.1:8080;")


@pytest.fixture(scope="module")
def right(behind):
    return behind(LINES)


@pytest.fixture(scope="module", params=["plain", "right"])
def either(request):
    return request.getfixturevalue(request.param)


def test_what_reads_works_in_either_way(either):
    program = either.program
    assert program.get("/livez").json() == {"status": "ok"}
    assert "text/html" in program.get("/", headers={"Accept": "text/html"}).headers["Content-Type"]
    path = "/v1/models/latest/samples.npy?n=30000"
    whole = program.get(path)
    assert whole.status_code == 200 and len(whole.content) == 240_128
    part = program.get(path, headers={"Range": "bytes=100000-200000", "If-Range": whole.headers["ETag"]})
    assert part.status_code == 206 and part.content == whole.content[100_000:200_001]
    assert program.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    other = program.get("/v1/models/latest/samples?n=3", headers={"Accept": "text/csv"})
    answer = program.get("/v1/models/latest/samples?n=3", headers={"If-None-Match": other.headers["ETag"]})
    assert answer.status_code == 200 and answer.json()["n"] == 3


def test_programs_upload_and_train_in_either_way(either):
    program = either.program
    made = program.post("/v1/datasets", content=b"x,y\n" + b"1,2\n3,4\n" * 20_000, headers={"Content-Type": "text/csv"})
    assert made.status_code == 201 and made.headers["Location"] == f"/v1/datasets/{made.json()['id']}"
    job = program.post("/v1/jobs", json=QUICK, headers={"Prefer": "wait=30", "Idempotency-Key": f"k{either.port}"})
    assert job.status_code == 201 and job.json()["status"] == "succeeded"


def test_too_large_an_upload_is_told_so_in_either_way(either):
    answer = either.program.post("/v1/datasets", content=b"1,2\n" * 10_000_000, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 413


def test_events_arrive_while_they_happen(either):
    """The first event of a training comes long before it ends."""
    program = either.program
    job = program.post("/v1/jobs", json={**QUICK, "training": {"epochs": 1_000_000, "batch_size": 100}}).json()["id"]
    try:
        with program.stream("GET", f"/v1/jobs/{job}/events") as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith("event: epoch"))
            assert program.get(f"/v1/jobs/{job}").json()["status"] == "running"
    finally:
        assert program.post(f"/v1/jobs/{job}/cancel", json={}).status_code == 200


def test_a_browser_changes_things_with_the_right_lines(right):
    assert right.browser.post("/v1/jobs?validate_only=true", json={}).status_code == 200
    foreign = right.browser.post("/v1/jobs?validate_only=true", json={}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403 and "http://evil.example" in foreign.json()["detail"] and NAME in foreign.json()["detail"]


def test_a_browser_is_told_what_is_wrong_with_the_defaults(plain):
    """nginx puts the address of the server into Host: the page's origin is another site's, as far as anybody can tell."""
    answer = plain.browser.post("/v1/jobs?validate_only=true", json={})
    detail = answer.json()["detail"]
    assert answer.status_code == 403 and f"http://{NAME}:{plain.port}" in detail and "127.0.0.1:" in detail
    assert "proxy_set_header Host $http_host" in detail
    # over https and on loopback browsers say it themselves
    assert plain.browser.post("/v1/jobs?validate_only=true", json={}, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_known_proxy_may_say_which_host_was_asked(behind):
    says = behind("proxy_pass http://127.0.0.1:8080; proxy_set_header X-Forwarded-Host $http_host;")
    assert says.browser.post("/v1/jobs?validate_only=true", json={}).status_code == 200
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert says.browser.post("/v1/jobs?validate_only=true", json={}, headers=rebound).status_code == 403


def test_nobody_else_may(start):
    server = start("--allowed-hosts", NAME)
    sent = {"Origin": f"http://{NAME}", "X-Forwarded-Host": NAME}
    assert server.post("/v1/jobs?validate_only=true", {}, headers=sent).status == 403


@pytest.mark.parametrize("kept", [True, False], ids=["passed", "stripped"])
def test_below_a_path(behind, start, kept):
    server = start("--base-path", "/lab", "--allowed-hosts", NAME, "--trusted-proxies", "127.0.0.1")
    lines = LINES if kept else LINES.replace("127.0.0.1:8080;", "127.0.0.1:8080/;")
    nginx = behind(lines, "/lab/", server)
    assert nginx.browser.get("/lab/v1/datasets/spiral").json()["links"]["self"] == "/lab/v1/datasets/spiral"
    assert nginx.browser.post("/lab/v1/jobs", json=QUICK).headers["Location"].startswith("/lab/v1/jobs/")
    assert nginx.browser.get("/v1/datasets/spiral").status_code == 404


def test_the_file_has_the_lines_of_the_page():
    file = (ROOT / "docker" / "nginx.conf").read_text()
    for line in LINES.split("\n"):
        assert line.strip() in file
