"""The nodes that share a database, and which of them trains a job."""

import re
import socket

import stores
from conftest import ENDLESS, eventually


def test_the_only_node(start):
    """The lease is of a database that others could use, too; what they do is in tests/nodes/."""
    server = start("--workers", "3")
    (node,) = server.get("/v1/nodes").json["items"]
    assert node["name"] == f"{socket.gethostname()}:{server.port}"
    assert (node["workers"], node["running"], node["draining"]) == (3, 0, False)
    assert (node["lease_until"] is None) == (stores.KIND == "sqlite")
    assert node["version"] == server.get("/version").json["version"]
    assert node["started_at"] == server.get("/version").json["started_at"]
    kernels = server.get("/version").json["kernels"]
    assert node["arithmetic"][0].startswith(kernels + "/")
    assert re.search(r"^denoised_nodes 1$", server.get("/metrics").body.decode(), re.M)

    job = server.post("/v1/jobs", ENDLESS).json["id"]
    queued = server.post("/v1/jobs", ENDLESS).json
    assert queued["node"] is None
    eventually(lambda: server.get(f"/v1/jobs/{job}").json["node"] == node["id"])
    eventually(lambda: server.get("/v1/nodes").json["items"][0]["running"] == 2)
    assert server.post(f"/v1/jobs/{job}/cancel", {}).status == 200
    eventually(lambda: server.get(f"/v1/jobs/{job}").json["node"] is None)

    server.stop()
    server.start()
    (again,) = server.get("/v1/nodes").json["items"]
    assert again["id"] != node["id"], "a new one at each start"
    assert server.get("/v1/nodes?x=1").status == 422
