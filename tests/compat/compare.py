#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends the same requests to two services of the PCCS API and lists where their answers differ.

compare.py --simulator URL --mode MODE [options] FIRST SECOND

FIRST and SECOND are base URLs (https://host:port), both in the same mode, both with an empty
database, both with the given pcs-sim as upstream and the given tokens. What differs is put beside
known.py: known differences are counted with their reasons, the rest is listed in full. Exits 1 if
anything is left. Some requests fill the databases: start both services afresh for each run.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import ssl
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from asked import Order, all_questions  # noqa: E402
from harness import Answer, Simulator  # noqa: E402
from known import KNOWN  # noqa: E402

SAME_HEADERS = ("SGX-TCBm", "SGX-FMSPC", "SGX-PCK-Certificate-CA-Type",
                "SGX-PCK-Certificate-Issuer-Chain", "SGX-PCK-CRL-Issuer-Chain",
                "TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain",
                "SGX-Enclave-Identity-Issuer-Chain", "platform-count", "Location",
                "Content-Encoding")


class Upstream(Simulator):
    """A simulator that somebody else has started."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        assert parts.hostname == "127.0.0.1", "the simulator must be asked at 127.0.0.1"
        self.port = parts.port


class Peer:
    """One of the two services, asked over one connection that is renewed when it breaks."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.url = url
        self.address = (parts.hostname, parts.port)
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.connection = None

    def ask(self, question):
        for last_try in (False, True):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(*self.address, timeout=100,
                                                              context=self.tls)
                last_try = True
            try:
                return self.exchange(question)
            except (OSError, http.client.HTTPException) as error:
                self.connection.close()
                self.connection = None
                if last_try:
                    return Answer(0, [], type(error).__name__.encode())
        return None

    def exchange(self, question):
        self.connection.request(question.method, question.target, question.body, question.headers,
                                encode_chunked=question.chunked)
        reply = self.connection.getresponse()
        answer = Answer(reply.status, reply.getheaders(), reply.read())
        if reply.will_close:
            self.connection.close()
            self.connection = None
        return answer


def media_type(answer):
    """Without the charset, and only where the body has a meaning."""
    if answer.status != 200 or not answer.body:
        return None
    return (answer.header("Content-Type") or "").partition(";")[0].lower()


def comparable_body(answer, question):
    """Rows have no order: they are compared as a set, members in their order."""
    if question.is_rows and answer.status == 200:
        with contextlib.suppress(ValueError):
            return sorted(json.dumps(row, separators=(",", ":")) for row in answer.json())
    return answer.body


def differences(question, first, second):
    """The words for what differs: status, body, type, or a header's name."""
    if first.status != second.status:
        return ["status"]
    found = []
    if comparable_body(first, question) != comparable_body(second, question):
        found.append("body")
    if media_type(first) != media_type(second):
        found.append("type")
    found += [name for name in SAME_HEADERS if first.header(name) != second.header(name)]
    warnings = [any(value.startswith("299 ") for value in answer.all("Warning"))
                for answer in (first, second)]
    if warnings[0] != warnings[1]:
        found.append("Warning")
    return found


def shortened(text, size=160):
    return text if len(text) <= size else f"{text[:size]}... ({len(text)})"


def describe(answer):
    body = answer.body.decode(errors="replace")
    detail = answer.header("PCCS-Error-Detail")
    return shortened(f"{answer.status} {body!r}") + (f" [{detail}]" if detail else "")


def reason_of(mode, question, first, second, found):
    for known in KNOWN:
        if known.fits(mode, question, first, second, found):
            return known
    return None


class Comparison:
    def __init__(self, mode):
        self.mode = mode
        self.asked = collections.Counter()
        self.known = collections.Counter()
        self.unknown = []

    def note(self, question, first, second):
        self.asked[question.group] += 1
        found = differences(question, first, second)
        if not found:
            return
        known = reason_of(self.mode, question, first, second, found)
        if known:
            self.known[known.name] += 1
        else:
            self.unknown.append((question, first, second, found))

    def report(self):
        for question, first, second, found in self.unknown:
            print(f"DIFFERS {','.join(found)}: [{question.group}] {question.name}\n"
                  f"  {question.method} {shortened(question.target)}\n"
                  f"  first:  {describe(first)}\n  second: {describe(second)}")
            for header in found:
                if header in SAME_HEADERS:
                    print(f"  {header}: {shortened(str(first.header(header)))}\n"
                          f"  {header}: {shortened(str(second.header(header)))}")
        print("\nrequests:", ", ".join(f"{group} {n}" for group, n in self.asked.items()))
        for name, count in self.known.most_common():
            print(f"known   {count:5}  {name}")
        print(f"{self.mode}: {sum(self.asked.values())} requests compared, "
              f"{sum(self.known.values())} differ as known, {len(self.unknown)} otherwise")


def compare(arguments):
    upstream = Upstream(arguments.simulator)
    peers = [Peer(arguments.first), Peer(arguments.second)]
    comparison = Comparison(arguments.mode)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for step in all_questions(upstream, arguments):
            if isinstance(step, Order):
                upstream.control(step.action, **step.members)
            else:
                comparison.note(step, *pool.map(lambda peer, q=step: peer.ask(q), peers))
    comparison.report()
    return 1 if comparison.unknown else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("first", help="base URL of the service to compare with")
    parser.add_argument("second", help="base URL of the service under test")
    parser.add_argument("--simulator", required=True, help="base URL of pcs-sim, plain HTTP")
    parser.add_argument("--mode", required=True, choices=["LAZY", "REQ", "OFFLINE"])
    parser.add_argument("--user-token", required=True)
    parser.add_argument("--admin-token", required=True)
    parser.add_argument("--group", action="append", help="only these groups of requests")
    return compare(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
