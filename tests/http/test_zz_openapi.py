"""The description of the interface: true, complete, and as committed. (Last, because it asks what the others did.)"""

import json
import pathlib

import jsonschema
import pytest
from conftest import CONTRACT, SEEN

COMMITTED = pathlib.Path(__file__).parents[2] / "api" / "openapi.json"


@pytest.fixture(autouse=True, scope="module")
def what_others_have_seen():
    if SEEN:
        CONTRACT.recall(SEEN)


def test_the_committed_description_is_the_served_one(server):
    assert json.loads(COMMITTED.read_text()) == server.get("/openapi.json").json


def test_every_schema_is_a_schema(server):
    description = server.get("/openapi.json").json
    for name, schema in description["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        text = json.dumps(schema)
        for part in text.split('"$ref": "')[1:]:
            reference = part.split('"')[0]
            assert reference.removeprefix("#/components/schemas/") in description["components"]["schemas"], name
    ids = [o["operationId"] for path in description["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids)) and all(o["summary"] for path in description["paths"].values() for o in path.values())


def test_every_route_is_described(server):
    description = server.get("/openapi.json").json["paths"]
    for endpoint in server.get("/").json["endpoints"]:
        assert endpoint["method"].lower() in description[endpoint["path"]]


def test_the_described_job_is_what_the_server_takes(server):
    """What the schema allows is accepted, what it forbids is refused."""
    components = server.get("/openapi.json").json["components"]
    schema = {"$ref": "#/components/schemas/JobRequest", "components": components}
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    jobs = [
        {}, {"seed": -1}, {"seed": 5}, {"sed": 5}, {"name": 5}, {"dataset": "moons"}, {"dataset": "x"},
        {"dataset": {"name": "moons", "n": 10}}, {"dataset": {"n": 0}}, {"dataset": 5},
        {"dataset": ["moons", {"n": 5}]}, {"dataset": []}, {"dataset": [["moons"]]}, {"preset": "sinai2022"},
        {"preset": "table"}, {"preset": "Table"},
        {"preset": "x"}, {"network": {"hidden_size": 9}}, {"network": {"hidden_size": 10}}, {"network": []},
        {"training": {"epochs": 1.5}}, {"training": {"loss": "mae"}}, {"training": {"loss": "huge"}},
        {"training": {"ema_decay": 1}}, {"diffusion": {"timesteps": 4001}}, {"diffusion": {"timesteps": 4000}},
    ]  # fmt: skip
    for job in jobs:
        answer = server.post("/v1/jobs?validate_only=true", job)
        assert (answer.status == 200) == validator.is_valid(job), (job, answer.body)


def test_every_operation_was_seen_to_answer_all_that_it_promises():
    races = {("createJob", 409)}
    rare = {401, 403, 429, 503, 507}  # some operation has them in another test; not each of them
    promised = {
        (operation["operationId"], int(status))
        for _, _, operation in CONTRACT.operations()
        for status in operation["responses"]
        if status != "default" and int(status) not in rare
    }
    assert promised - CONTRACT.seen - races == set()


def test_every_described_header_was_seen():
    promised = {
        (operation["operationId"], int(status), name.lower())
        for _, _, operation in CONTRACT.operations()
        for status, response in operation["responses"].items()
        if status != "default" and int(status) < 400
        for name in CONTRACT.resolve(response)["headers"]
    }
    assert promised - CONTRACT.headers_seen == set()
