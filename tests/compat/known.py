# SPDX-License-Identifier: BSD-3-Clause
"""The differences that are wanted, each with its reason (docs/compatibility.md says more).

first is the reference, second the service under test. A difference counts as known if one of the
conditions below holds; each is as narrow as it can be, so that a new difference shows.
"""
import dataclasses
import json
import re
from typing import Callable

STRANGER = "AB" * 16  # whose registrations have one member wrong
NOT_AVAILABLE = set()  # QE IDs of the simulator's platforms with "Not available" certificates


@dataclasses.dataclass
class Met:
    """One request that was answered differently."""

    mode: str
    question: object
    first: object
    second: object
    found: list

    @property
    def query(self):
        return self.question.target.partition("?")[2]

    @property
    def group(self):
        return self.question.group

    @property
    def detail(self):
        return self.second.header("PCCS-Error-Detail") or ""

    def statuses(self, first, second):
        """Whether the two answered so; a set for one of several, None for any."""
        def is_in(status, wanted):
            return wanted is None or status in (wanted if isinstance(wanted, set) else {wanted})

        return is_in(self.first.status, first) and is_in(self.second.status, second)

    def rows(self):
        """The rows of both answers, or None."""
        if not self.question.is_rows or not self.statuses(200, 200):
            return None
        return self.first.json(), self.second.json()


@dataclasses.dataclass
class Known:
    name: str
    is_met: Callable

    def fits(self, *met):
        return bool(self.is_met(Met(*met)))


def is_odd_platform(row, mode):
    """Platforms that a request before was taken or refused for, as the table says."""
    return (not re.fullmatch("[0-9A-Z]{30,}", row["qe_id"]) or row["qe_id"] == STRANGER
            or mode == "REQ" and row["qe_id"] in NOT_AVAILABLE)


def is_row_difference(met):
    if not met.question.is_rows or not met.statuses(200, 200):
        return False
    halves = []
    for answer in (met.first, met.second):
        rows = [row for row in answer.json() if not is_odd_platform(row, met.mode)]
        for row in rows:
            row["enc_ppid"] = "" if row["platform_manifest"] else row["enc_ppid"]
        halves.append(sorted(json.dumps(row) for row in rows))
    return halves[0] == halves[1]


def has_bracket_name(met):
    return re.search(r"(^|&)[^=&]*(\[|%5B)[^=&]*=", met.query)


def is_fleet_form(met):
    """Refresh for all, for a list, for one in brackets."""
    fmspc = re.search(r"fmspc=([^&]*)", met.query)
    return fmspc is None or fmspc[1] in ("", "all") or re.search(r"\[|%5B|,", fmspc[1])


def is_named(*words):
    return lambda met: any(word in met.question.name for word in words)


def names_platform(met):
    return any(f"qeid={qe_id}" in met.question.target or
               qe_id.encode() in (met.question.body or b"").upper() for qe_id in NOT_AVAILABLE)


BAD_FORM = re.compile(r"platform_manifest: expected|Crl: expected hex|rootcacrl: expected hex"
                      r"|identity: (byte|a value)|rootcacrl_cdp: expected a URL"
                      r"|_early: expected an object|Chain: expected a string"
                      r"|fmspc: expected 12 hex|version: expected 4|certs\[0\]: (sgxtcb|pcesvn)")
UPSTREAM_DOWN = re.compile("status (429|500|502|503)|drop|truncate")

TRANSPORT = [
    Known("405 with Allow where the method is not one of the path",
          lambda met: met.second.header("Allow") and met.statuses({200, 400, 404, 503}, 405)),
    Known("the text of 404 to a path that does not exist",
          lambda met: met.found == ["body"] and met.statuses(404, 404)
          and b"Cannot " in met.first.body),
    Known("a page at /", lambda met: met.question.target == "/" and met.statuses(404, 200)),
    Known("upper-case paths answer like lower-case ones, not 500",
          lambda met: met.question.target.startswith("/SGX") and met.first.status == 500),
    Known("a name with brackets is an unknown parameter", has_bracket_name),
    Known("a qeid with a broken escape or a NUL is 400",
          lambda met: re.search(r"qeid=[^&]*%($|&|z|00)", met.query)),
    Known("a qeid has 260 characters, outside the basic plane too",
          lambda met: "qeid=%F0" in met.question.target and met.statuses(400, None)),
    Known("a charset or coding that is not taken is 415, not 500 or 400",
          lambda met: met.statuses({400, 500}, 415)),
    Known("the charset may be spelt utf8",
          lambda met: "charset=utf8" in met.question.name and met.first.status == 500),
    Known("the body is read only where one is taken",
          lambda met: met.statuses(400, {200, 404, 503}) and met.question.body == b"{"),
    Known("a member that stands twice is 400",
          lambda met: "twice" in met.detail and met.statuses({200, 404}, 400)),
]

PLATFORMS = [
    Known("a manifest that is not hex is 400",
          lambda met: "platform_manifest" in met.detail and met.statuses({200, 404}, 400)),
    Known("rows: no PPID beside a manifest, none of platforms refused before", is_row_difference),
    Known("white space in source is a blank, nothing else",
          lambda met: "source=[%0A]" in met.query),
    Known("REQ: platforms with Not available certificates work",
          lambda met: met.mode == "REQ" and met.statuses({404, 461, 500}, {200, 404})
          and names_platform(met)),
    Known("a refused registration leaves no platform behind",
          lambda met: met.group == "queue" and met.statuses(404, 461)
          and "pckcert" in met.question.target),
    Known("defaults of one type stay when another type gets one",
          lambda met: "appraisalpolicy" in met.question.target and met.found == ["body"]
          and met.second.body.endswith(b"," + met.first.body)),
    Known("a policy of another form is 400, not 500",
          lambda met: met.group == "policy" and met.statuses(500, 400)),
]

REFRESH = [
    Known("refresh of certificates takes all, none and lists",
          lambda met: "type=certs" in met.query and met.first.status == 400
          and is_fleet_form(met)),
    Known("refresh of certificates works without early TCB info and with Not available",
          lambda met: "type=certs" in met.query and met.statuses(404, 200)
          and met.group == "refresh"),
    Known("refresh in REQ fetches what is cached, not identities that nobody registered for",
          lambda met: met.mode == "REQ" and met.group in ("path", "parameter")
          and met.statuses(200, 404)
          and re.search("(?i)identity|rootcacrl", met.question.target)),
    Known("crl finds the root CRL that rootcacrl has",
          lambda met: "crl?uri=" in met.question.target and met.statuses(404, 200)),
    Known("crl answers DER, whatever the PCS was asked for",
          lambda met: met.group == "crl" and met.found == ["body"]
          and b"-----BEGIN" in met.first.body and met.second.body[:1] == b"\x30"),
]

FAULTS = [
    Known("PCS down: 503, empty, to be tried again",
          lambda met: met.group == "fault" and UPSTREAM_DOWN.search(met.question.name)
          and met.statuses(None, 503) and not met.second.body),
    Known("PCS refuses: 502, not 404",
          lambda met: met.group == "fault" and re.search("status 40[013]", met.question.name)
          and met.statuses(404, 502)),
    Known("what does not verify is 502 and not cached",
          lambda met: met.group == "fault" and met.second.status == 502),
    Known("what was not cached of a bad answer is fetched again",
          lambda met: met.group == "fault" and met.second.status == 200),
]

UPLOADS = [
    Known("uploads of v3 files with a raw TCB are taken",
          lambda met: "v3" in met.question.name and met.statuses(400, 200)),
    Known("what does not verify is 460",
          lambda met: met.group == "put" and met.statuses({200, 400, 500}, 460)),
    Known("what has not its form is 400, not stored",
          lambda met: met.group == "put" and met.statuses(200, 400)
          and BAD_FORM.search(met.detail)),
    Known("what has not its form is 400, not 500 or 460",
          lambda met: met.group == "put" and met.statuses({460, 500}, 400)),
    Known("chains are compared as certificates, not as text",
          lambda met: met.group == "put" and met.statuses(460, 200)),
    Known("chains may stand as plain PEM",
          lambda met: met.group == "put" and met.statuses(400, 200) and is_named("decoded")(met)),
    Known("Not available certificates beside others are skipped",
          lambda met: met.group == "put" and met.statuses(400, 200)
          and is_named("Not available")(met)),
    Known("uploaded certificates make their platform known",
          lambda met: met.group == "parameter-cached" and met.statuses(461, 200)),
]

KNOWN = TRANSPORT + PLATFORMS + REFRESH + FAULTS + UPLOADS
