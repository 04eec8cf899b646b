# SPDX-License-Identifier: BSD-3-Clause
"""What the documents for operators promise stands in the code: every name that they mention exists,
and every status, ceiling, key and message has its line."""
import re

import pytest

from harness import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md")) + sorted((DOCS / "man").glob("*.md")) + sorted(ROOT.glob("*.md"))
OPERATIONS = (DOCS / "operations.md").read_text()


def page_id(page):
    return str(page.relative_to(ROOT))


def table(path, pattern):
    return re.findall(pattern, (ROOT / path).read_text(), re.M)


def options():
    """{key: the default as the environment would write it}"""
    return dict(table("src/config/schema.def",
                      r'^OPTION\(\w+, "([^"]+)", \w+, [^"]*"([^"]*)"'))


def section(page, title):
    return re.split(r"^#+ ", page.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def first_cells(text):
    return [re.findall(r"^\|([^|]*)\|", line)[0] for line in text.splitlines()
            if line.startswith("|")]


def anchor(title):
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


# ---- links ----

@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_of_a_page_leads_somewhere(page):
    text = re.sub(r"`[^`]*`", "", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        name, _, fragment = target.partition("#")
        other = page if name == "" else (page.parent / name).resolve()
        assert other.exists(), target
        if fragment:
            titles = re.findall(r"^#+ (.*)$", other.read_text(), re.M)
            assert fragment in map(anchor, titles), target


def test_the_readme_leads_to_every_document():
    readme = (ROOT / "README.md").read_text()
    for name in ("operations.md", "upgrade.md", "openapi.yaml", "api.md", "metrics.md",
                 "log-events.md", "configuration.md", "man/pccs.json.md"):
        assert f"(docs/{name})" in readme, name


# ---- the operator's guide against the tables ----

def test_every_status_of_the_service_is_in_the_troubleshooting():
    known = set(table("src/cache/status.def", r"^STATUS\(\w+, (\d+)")) - {"200"}
    known |= {"408", "431"}  # of the HTTP layer
    told = {cell.strip() for cell in first_cells(section(OPERATIONS, "By status code"))}
    assert known <= told, known - told
    assert {cell for cell in told if cell.isdigit()} == known


def test_every_ceiling_that_is_counted_is_explained():
    words = set(re.findall(r'\[CEILING_\w+\] = "(\w+)"', (ROOT / "src/cache/cache.c").read_text()))
    words |= set(re.findall(r'CEILING_LABEL, "(\w+)"', (ROOT / "src/pccsd/serve.c").read_text()))
    assert len(words) >= 5
    told = {cell.strip(" `") for cell in first_cells(section(OPERATIONS, "Ceilings"))}
    assert words == told - {"ceiling", "---"}


def test_ceilings_are_those_of_the_code():
    limits = dict(table("src/base/limits.h", r"^\s+(LIMIT_\w+) = ([^,]+),"))
    text = section(OPERATIONS, "Ceilings")
    for name, words in {
            "LIMIT_RAW_TCBS_PER_PLATFORM": "{} raw TCBs", "LIMIT_CACHED_CRL_URLS": "{} lists",
            "LIMIT_FLIGHTS": "{} items being looked up", "LIMIT_WAITERS": "{} waiters",
            "LIMIT_HTTP_CONNECTIONS": "connections, {} in all", "LIMIT_HTTP_HEADERS": "{} headers",
            "LIMIT_ITEM_WITH_CHAIN_BYTES": "{} bytes"}.items():
        assert words.format(f"{int(limits[name]):,}") in text, name
    assert limits["LIMIT_HTTP_HEAD_BYTES"] == "16 * 1024" and "headers, 16 KB" in text
    assert limits["LIMIT_UPSTREAM_BODY_BYTES"] == "8 * 1024 * 1024" and "the PCS, 8 MB" in text
    private = (ROOT / "src/cache/cache_priv.h").read_text()
    assert "CACHE_REMEMBER_DOWN_MS = 5000" in private and "not for 5 s" in text
    assert "CACHE_REMEMBER_UNKNOWN_MS = 10000" in private and "again for 10 s" in text
    assert options()["LazyNewPlatformsPerMinute"] == "600"


def test_every_message_of_intels_library_has_its_cure():
    text = section(OPERATIONS, "By message of Intel's client library")
    for word in ("NO_PLATFORM_CERT_DATA", "TCBINFO_NOT_FOUND", "QEIDENTITY_NOT_FOUND",
                 "NO_QVE_IDENTITY_DATA", "NO_QUOTE_COLLATERAL_DATA", "PLATFORM_UNKNOWN",
                 "CERTS_UNAVAILABLE", "SERVICE_UNAVAILABLE", "UNKNOWN_MESSAGE_RESPONSE",
                 "NETWORK_ERROR", "ROOT_CA_UNTRUSTED"):
        assert f"`SGX_QL_{word}`" in text, word


@pytest.mark.parametrize("name", ["operations.md", "upgrade.md", "metrics.md", "log-events.md"])
def test_every_key_event_metric_and_alert_that_is_named_exists(name):
    text = (DOCS / name).read_text()
    rules = (ROOT / "packaging/monitoring/pccs.rules.yml").read_text()
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    assert set(re.findall(r"`(Pccs[A-Z]\w+)`", text)) <= alerts
    metrics = set(table("src/metrics/metrics.def", r'^METRIC\(\w+, \w+, "(\w+)"'))
    assert set(re.findall(r"\bpccs_[a-z_]+[a-z]\b", text)) <= metrics | {"pccs_url", "pccs_server"}
    keys = set(options())
    for word in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", text):
        assert word in keys or word in alerts | {"UpToDate", "PCKIDRetrievalTool"}, word
    events = set(table("src/base/log_event.def", r'^LOG_EVENT\(\w+, "([\w-]+)"'))
    faults = set(table("src/base/fault.def", r'^FAULT\(\w+, "([\w-]+)"'))
    for word in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text):
        assert word in events | faults | {
            "user-token", "admin-token", "new-platforms-per-minute", "crl-urls", "pck-ca"}, word


def test_every_command_that_is_shown_exists():
    commands = set(table("src/pccsadmin/command.def", r'^ADMIN_COMMAND\(\w+, "([\w-]+)"'))
    rows = table("src/pccsadmin/option.def",
                 r"^ADMIN_OPTION\(\w+, [^,]+, (?:'(\w)'|0), \"([\w-]+)\"")
    known = {f"-{short}" for short, _ in rows} | {f"--{word}" for _, word in rows}
    shown = 0
    for line in re.sub(r"\\\n\s*", " ", OPERATIONS).splitlines():
        for call in re.findall(r"(?:^\s+|`)pccsadmin ([^`]*)", line):
            words = call.split()
            assert words[0] in commands, call
            assert {w for w in words if re.match(r"--?[a-z]", w)} <= known, call
            shown += 1
    assert shown >= 8


@pytest.mark.parametrize("table_path, pattern, use", [
    ("src/base/log_event.def", r"^LOG_EVENT\((\w+),", r"LOG_EVENT_{}\b"),
    ("src/metrics/metrics.def", r"^METRIC\((\w+),", r"metric_(?:add|set|observe_us)\(METRIC_{}\b"),
], ids=["events", "metrics"])
def test_every_event_is_written_and_every_metric_set_somewhere(table_path, pattern, use):
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.c"))
    for name in table(table_path, pattern):
        assert re.search(use.format(name), code), name


# ---- the manual of the configuration ----

def test_the_manual_has_every_key_with_its_default():
    text = (DOCS / "man" / "pccs.json.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| [^|]* \| ([^|]*) \|", text, re.M))
    wanted = {key: f"`{value}`" if value else "empty" for key, value in options().items()}
    assert len(wanted) > 50
    assert {key: rows.get(key) for key in wanted} == wanted
    assert {key for key in rows if re.match(r"[A-Za-z_.]+$", key)} == set(wanted)


def test_manuals_begin_with_name_section_and_purpose():
    for page in (DOCS / "man").glob("*.md"):
        head = page.read_text().splitlines()[0]
        assert re.fullmatch(r"# [A-Za-z.-]+\([158]\): .{10,}", head), page
