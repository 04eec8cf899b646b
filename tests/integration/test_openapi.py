# SPDX-License-Identifier: BSD-3-Clause
"""docs/openapi.yaml is what the route table says and what a running service does."""
import re
import urllib.parse

import pytest

from harness import ADMIN_TOKEN, ROOT, USER_TOKEN

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

DOCUMENT = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
METHODS = {"GET": {"get"}, "POST": {"post"}, "PUT": {"put"}, "GET_POST": {"get", "post"}}
TOKENS = {"userToken": ("user-token", USER_TOKEN), "adminToken": ("admin-token", ADMIN_TOKEN)}


def resolve(node):
    """What a $ref of this document leads to; anything else as it is."""
    while isinstance(node, dict) and "$ref" in node:
        assert node["$ref"].startswith("#/components/"), node
        target = DOCUMENT
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        node = target
    return node


def operations():
    """(path, method, operation, its parameters) of the whole document."""
    for path, item in DOCUMENT["paths"].items():
        for method in set(item) & {"get", "post", "put", "delete", "patch", "head"}:
            parameters = item.get("parameters", []) + item[method].get("parameters", [])
            yield path, method, item[method], [resolve(one) for one in parameters]


def routes():
    """{(path, method): (auth, body)} of routes.def, {V} written as the document writes it."""
    found = {}
    table = (ROOT / "src" / "request" / "routes.def").read_text()
    for methods, path, auth, body in re.findall(
            r'^ROUTE\(\w+, (\w+), "([^"]+)", (\w+), (\w+), "\w+"\)', table, re.M):
        for method in METHODS[methods]:
            found[path.replace("{V}", "{version}"), method] = (auth, body)
    return found


def operation_ids():
    return [pytest.param(*one, id=f"{one[1]} {one[0]}") for one in sorted(
        operations(), key=lambda one: one[:2])]


# ---- the document alone ----

def walk(node):
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(
            node, list) else ():
        yield from walk(child)


def test_every_reference_leads_somewhere_and_every_component_is_used():
    text = (ROOT / "docs" / "openapi.yaml").read_text()
    for node in walk(DOCUMENT):
        if isinstance(node, dict) and "$ref" in node:
            assert resolve(node) is not None
    for group in ("parameters", "responses", "schemas"):
        for name in DOCUMENT["components"][group]:
            assert f"#/components/{group}/{name}'" in text, name


def test_the_document_has_the_shape_of_openapi_3():
    assert re.fullmatch(r"3\.0\.\d", DOCUMENT["openapi"])
    assert DOCUMENT["info"]["title"] and DOCUMENT["info"]["version"]
    ids = set()
    for path, method, operation, parameters in operations():
        assert path.startswith("/") and isinstance(operation["summary"], str), path
        assert operation["operationId"] not in ids
        ids.add(operation["operationId"])
        assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
        for parameter in parameters:
            assert parameter["in"] in ("path", "query", "header") and parameter["schema"]
            assert parameter["in"] != "path" or parameter["required"] is True
        assert {p["name"] for p in parameters if p["in"] == "path"} == set(
            re.findall(r"\{(\w+)\}", path))
        for code, response in operation["responses"].items():
            assert re.fullmatch(r"[2-5]\d\d", code) and isinstance(
                resolve(response)["description"], str)
        for scheme in operation.get("security", []):
            assert set(scheme) <= set(DOCUMENT["components"]["securitySchemes"])


# ---- against the tables ----

def test_its_operations_are_those_of_the_route_table():
    assert {(path, method) for path, method, _, _ in operations()} == set(routes())


def test_tokens_and_bodies_are_those_of_the_route_table():
    table = routes()
    for path, method, operation, _ in operations():
        auth, body = table[path, method]
        schemes = [name for one in operation.get("security", []) for name in one]
        wanted = {"USER": ["userToken"], "ADMIN": ["adminToken"], "NONE": []}[auth]
        if path == "/metrics":  # judged by its page
            wanted = ["metricsToken", "metricsBearer"]
        assert schemes == wanted, path
        assert ("requestBody" in operation) == (body == "JSON"), path


def test_its_parameters_are_those_that_are_parsed():
    code = (ROOT / "src" / "request" / "request.c").read_text()
    parsed = set(re.findall(r'(?:parameter_get|parameter_require|query_find)\(query, "(\w+)"',
                            code))
    parsed |= set(re.findall(r'static const char name\[\] = "(\w+)"', code))
    documented = {parameter["name"] for _, _, _, parameters in operations()
                  for parameter in parameters if parameter["in"] == "query"}
    assert documented == parsed


def test_statuses_of_the_document_are_those_of_the_status_table():
    table = (ROOT / "src" / "cache" / "status.def").read_text()
    known = set(re.findall(r"^STATUS\(\w+, (\d+)", table, re.M)) | {"304"}
    documented = {code for _, _, operation, _ in operations() for code in operation["responses"]}
    assert documented <= known
    assert known - documented == {"500"}  # of any route: a fault of the service's own


# ---- against a running service ----

def address(path, parameters, leave_out=()):
    query = "&".join(f"{one['name']}={urllib.parse.quote(one['example'], safe=':/')}"
                     for one in parameters
                     if one["in"] == "query" and one.get("required")
                     and one["name"] not in leave_out)
    return path.replace("{version}", "v4") + (f"?{query}" if query else "")


def ask(service, method, path, operation, with_token=True, body="{}"):
    headers = {"Content-Type": "application/json"} if "requestBody" in operation else {}
    for scheme in operation.get("security", []):
        for name in scheme:
            if with_token and name in TOKENS:
                headers[TOKENS[name][0]] = TOKENS[name][1]
    return service.request(method.upper(), path, body if "requestBody" in operation else None,
                           headers)


@pytest.mark.parametrize("path, method, operation, parameters", operation_ids())
def test_the_service_answers_as_documented(offline, path, method, operation, parameters):
    answer = ask(offline, method, address(path, parameters), operation)
    assert str(answer.status) in operation["responses"], answer
    assert answer.header("Request-ID")
    if answer.status == 200:
        kind = answer.header("Content-Type").split(";")[0]
        assert kind in operation["responses"]["200"]["content"]
    for parameter in parameters:
        if parameter["in"] == "query" and parameter.get("required"):
            incomplete = address(path, parameters, [parameter["name"]])
            assert ask(offline, method, incomplete, operation).status == 400, parameter["name"]
    tokens = set(TOKENS) & {name for one in operation.get("security", []) for name in one}
    if tokens:
        assert ask(offline, method, address(path, parameters), operation, False).status == 401


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_a_method_that_is_not_documented_is_refused(offline, path):
    documented = {method for one, method, _, _ in operations() if one == path}
    headers = {"admin-token": ADMIN_TOKEN}
    for method in {"get", "post", "put", "delete", "patch"} - documented:
        answer = offline.request(method.upper(), path.replace("{version}", "v4"), headers=headers)
        assert answer.status == 405, method
        assert set(re.findall(r"\w+", answer.header("Allow"))) - {"HEAD"} == {
            name.upper() for name in documented}
