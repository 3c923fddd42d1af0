"""What the description promises of every operation, tried on a real server: its examples are accepted, its errors come.

Nothing here names an operation: new ones are picked up from the description."""

import json
import urllib.parse

import numpy
import pytest
from conftest import CONTRACT, ENDLESS, QUICK
from test_images import idx
from test_payloads import MULTIPART, form, part

NO_ID = "0198c0de-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def described(trained):
    """With a model that has labels and can be given values, so that every parameter means something to it."""
    CONTRACT.load(trained)
    training = {**QUICK["training"], "conditioning": "any"}
    trained.model = trained.submit({**QUICK, "training": training, "dataset": [{"name": "spiral", "n": 200}, {"name": "moons", "n": 200}]})
    trained.wait(trained.model)
    labels = idx(numpy.arange(8) % 2)
    form_of_images = form(part("images", idx(numpy.zeros((8, 8, 8))), "images"), part("labels", labels, "labels"))
    trained.images = trained.post("/v1/datasets", raw=form_of_images, headers={"Content-Type": MULTIPART}).json["id"]
    yield trained
    trained.request("DELETE", f"/v1/jobs/{trained.model}")
    trained.request("DELETE", f"/v1/datasets/{trained.images}")


def operations():
    return list(CONTRACT.operations())


def path_of(server, path, known=True):
    if "{id}" not in path:
        return path
    kind = path.split("/")[2]
    if known and ("/images" in path or path.endswith("/nearest")):
        return path.replace("{id}", server.images).replace("{index}", "7")
    known_id = {"datasets": "spiral", "models": server.model}.get(kind, server.job)
    return path.replace("{id}", known_id if known else NO_ID)


def bytes_of(example):
    value = example["value"]
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def body_of(server, media, content):
    """An example, or a model's own file where no text can be one."""
    if "examples" in content:
        return bytes_of(next(iter(content["examples"].values())))
    if media == "application/octet-stream":
        return server.fetch("GET", f"/v1/models/{server.model}/weights.safetensors").body
    return b"{}"


def ask(server, method, path, operation, headers=None, **more):
    """With a body if the operation has one, of the first type that it lists."""
    headers = dict(headers or {})
    if "requestBody" in operation:
        media, content = next(iter(operation["requestBody"]["content"].items()))
        headers.setdefault("Content-Type", media)
        more["raw"] = body_of(server, media, content)
    return server.request(method, path, headers=headers, **more)


def check(answer, status, codes=None):
    assert answer.status == status, answer.body
    assert answer.json["status"] == status
    assert codes is None or answer.json["code"] in codes


def test_an_unknown_id_is_not_found(described):
    for method, path, operation in operations():
        if "{id}" in path:
            answer = ask(described, method, path_of(described, path, known=False), operation)
            check(answer, 404, {"no_such_job", "no_such_model", "no_such_dataset"})


def test_an_unknown_parameter_is_refused(described):
    for method, path, operation in operations():
        answer = ask(described, method, path_of(described, path) + "?nonsense=1", operation)
        check(answer, 422, {"invalid_fields"})
        assert answer.json["errors"][0]["pointer"] == "/nonsense"


def test_an_unreadable_query_is_refused(described):
    for method, path, operation in operations():
        check(ask(described, method, path_of(described, path) + "?a=%zz", operation), 400, {"bad_target"})


def test_an_unknown_format_is_not_acceptable(described):
    seen = 0
    for method, path, operation in operations():
        if "406" in operation["responses"]:
            headers = {"Accept": "application/x-nothing"}
            check(ask(described, method, path_of(described, path), operation, headers), 406, {"not_acceptable"})
            seen += 1
    assert seen >= 6


def test_bodies_of_the_wrong_type_or_size_are_refused(described):
    for method, path, operation in operations():
        url = path_of(described, path)
        if "requestBody" in operation:
            check(ask(described, method, url, operation, {"Content-Type": "text/x-nothing"}), 415)
            line = f"{method} {url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
            assert described.send(line.encode()).startswith(b"HTTP/1.1 413 ")
            CONTRACT.seen.add((operation["operationId"], 413))
        elif method != "HEAD":
            check(described.request(method, url, raw=b"{}"), 400, {"unexpected_body"})


def test_what_has_an_entity_tag_need_not_be_sent_again(described):
    for method, path, operation in operations():
        responses = operation["responses"]
        if "304" not in responses:
            continue
        url = path_of(described, path)
        whole = described.request(method, url)
        assert described.request(method, url, headers={"If-None-Match": whole.headers["ETag"]}).status == 304
        assert described.request(method, url, headers={"If-None-Match": '"other"'}).status == 200
        if "206" in responses:
            parts = [ask_for_a_part(described, method, url, media) for media in responses["200"]["content"]]
            assert any(parts), url


def ask_for_a_part(server, method, url, media):
    """Whether there are parts in this format; if so, they are right."""
    accept = {"Accept": media}
    whole = server.request(method, url, headers=accept)
    if whole.headers["Accept-Ranges"] == "none":
        return False
    part = {**accept, "Range": "bytes=1-9", "If-Range": whole.headers["ETag"]}
    answer = server.request(method, url, headers=part)
    assert answer.status == 206 and answer.body == whole.body[1:10]
    check(server.request(method, url, headers={**accept, "Range": f"bytes={len(whole.body)}-"}), 416)
    return True


def test_other_methods_are_not_allowed(described):
    for path, methods in CONTRACT.description["paths"].items():
        answer = described.request("PUT", path_of(described, path))
        check(answer, 405)
        allowed = {name.strip() for name in answer.headers["Allow"].split(",")}
        assert {method.upper() for method in methods} <= allowed and "PUT" not in allowed


def good(operation):
    return {int(status) for status in operation["responses"] if status.isdigit() and int(status) < 400}


def has_json(operation):
    return any("application/json" in operation["responses"][str(s)].get("content", {}) for s in good(operation))


@pytest.fixture
def cancelled(described):
    """Makes jobs that can be changed: cancelled ones, far from their end. They are deleted afterwards."""
    made = []

    def make():
        made.append(described.submit(ENDLESS))
        described.post(f"/v1/jobs/{made[-1]}/cancel")
        described.wait(made[-1])
        return made[-1]

    yield make
    for job in made:
        described.request("DELETE", f"/v1/jobs/{job}?force=true")


def changes_a_job(method, path):
    return path.startswith("/v1/jobs/{id}") and method != "GET"


def remove(server, answer):
    """What an example has made."""
    if "Location" in answer.headers:
        place = answer.headers["Location"]
        force = "?force=true" if place.startswith("/v1/jobs/") else ""
        assert server.request("DELETE", place + force).status == 204


def test_every_example_of_a_body_is_accepted(described, cancelled):
    for method, path, operation in operations():
        for media, content in operation.get("requestBody", {"content": {}})["content"].items():
            for name, example in content.get("examples", {}).items():
                raw = bytes_of(example)
                url = path.replace("{id}", cancelled()) if changes_a_job(method, path) else path_of(described, path)
                if operation["operationId"] == "updateDataset":  # which is for uploads
                    table = described.post("/v1/datasets", raw=b"x,y,label\n1,2,a\n3,4,b\n", headers={"Content-Type": "text/csv"})
                    url = path.replace("{id}", table.json["id"])
                answer = described.request(method, url, raw=raw, headers={"Content-Type": media})
                assert answer.status in good(operation), (operation["operationId"], name, answer.body)
                remove(described, answer)
                if media == "application/json":
                    CONTRACT.validate(content["schema"], example["value"])


@pytest.mark.parametrize("other", ["class", "label"])  # two words for one thing: never both
def test_the_examples_of_the_parameters_are_accepted_together(described, cancelled, other):
    for method, path, operation in operations():
        query = []
        parameters = [CONTRACT.resolve(parameter) for parameter in operation["parameters"]]
        has_both = {"class", "label"} <= {parameter["name"] for parameter in parameters}
        for parameter in parameters:
            if parameter["in"] != "query" or "example" not in parameter or (has_both and parameter["name"] == other):
                continue
            value = parameter["example"]
            CONTRACT.validate(parameter["schema"], value)
            value = value[0] if isinstance(value, list) else value
            text = value if isinstance(value, str) else json.dumps(value)
            query.append((parameter["name"], described.job if len(text) == len(NO_ID) else text))
        if query:
            url = path.replace("{id}", cancelled()) if changes_a_job(method, path) else path_of(described, path)
            headers = {"Accept": "application/json"} if has_json(operation) else {}  # not a stream without end
            answer = ask(described, method, f"{url}?{urllib.parse.urlencode(query)}", operation, headers)
            assert answer.status in good(operation), (url, query, answer.body)
            remove(described, answer)


def test_every_example_of_an_answer_fits_its_schema(described):
    for _, _, operation in operations():
        for response in map(CONTRACT.resolve, operation["responses"].values()):
            for content in response.get("content", {}).values():
                examples = [e["value"] for e in content.get("examples", {}).values()]
                for example in examples + [content[k] for k in ("example",) if k in content]:
                    CONTRACT.validate(content["schema"], example)


def test_every_operation_has_its_examples(described):
    missing = []
    for _, _, operation in operations():
        name = operation["operationId"]
        missing += [
            f"{name}: parameter {parameter['name']}"
            for parameter in map(CONTRACT.resolve, operation["parameters"])
            if "example" not in parameter
        ]
        contents = [("body", operation.get("requestBody", {}).get("content", {}))]
        contents += [(status, operation["responses"][str(status)].get("content", {})) for status in good(operation) - {206}]
        for where, content in contents:
            for media, part in content.items():
                if media == "application/json" and not {"example", "examples"} & set(part):
                    missing.append(f"{name}: {where}")
    assert missing == [], "api/examples.json has them by operationId"
