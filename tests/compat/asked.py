# SPDX-License-Identifier: BSD-3-Clause
"""The requests that compare.py sends, in groups; the order matters, databases fill on the way."""
import base64
import dataclasses
import functools
import gzip
import json
import random

from asked_put import put_questions
from clients import Administrator, pckcert_path, registration
from harness import TDX, V3, V4
from known import NOT_AVAILABLE, STRANGER

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
PATHS = ("pckcert", "pckcrl", "tcb", "qe/identity", "qve/identity", "rootcacrl", "crl",
         "platforms", "platformcollateral", "refresh", "appraisalpolicy")


@dataclasses.dataclass
class Question:
    group: str
    name: str
    method: str
    target: str
    headers: dict = dataclasses.field(default_factory=dict)
    body: object = None
    chunked: bool = False
    is_rows: bool = False


@dataclasses.dataclass
class Order:
    """Something that the simulator is told between two requests."""

    action: str
    members: dict = dataclasses.field(default_factory=dict)


class Asker:
    """Makes questions with the tokens of the run."""

    def __init__(self, upstream, arguments):
        self.upstream = upstream
        self.mode = arguments.mode
        self.fleet = upstream.fleet()
        self.user = {"user-token": arguments.user_token}
        self.admin = {"admin-token": arguments.admin_token}
        self.json = {"Content-Type": "application/json"}

    def get(self, group, name, target, **headers):
        return Question(group, name, "GET", target, headers)

    def rows(self, group, query="", base=V4):
        return Question(group, f"platforms{query}", "GET", f"{base}/platforms{query}", self.admin,
                        is_rows=True)

    def register(self, group, name, value, query="", base=V4):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return Question(group, name, "POST", f"{base}/platforms{query}", {**self.json, **self.user},
                        body)

    def put(self, group, name, value, what="platformcollateral", base=V4):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return Question(group, name, "PUT", f"{base}/{what}", {**self.json, **self.admin}, body)

    @functools.cached_property
    def file(self):
        return Administrator(self.upstream).file([p for p in self.fleet if p["expected_tcbm"]])


def path_questions(ask):
    """Every path, method and spelling, with and without tokens; no parameters."""
    group = "path"
    targets = [f"{base}/{path}" for base in (V4, V3) for path in PATHS]
    targets += [f"{TDX}/tcb", f"{TDX}/qe/identity", f"{TDX}/qve/identity", f"{TDX}/pckcrl"]
    tokens = {"none": {}, "both": {**ask.user, **ask.admin}}
    for method in METHODS:
        for target in targets:
            for name, headers in tokens.items():
                yield Question(group, f"{method} token {name}", method, target, headers)
    odd = ["/", "//", "/sgx", "/sgx/certification", "/sgx/certification/v4", f"{V4}/",
           "/sgx/certification/v2/tcb", "/sgx/certification/v5/tcb", "/tdx/certification/v3/tcb",
           "/sgx/certification/V4/nothing", "/nothing", f"{V4}/tcb/x", f"{V4}/identity",
           f"{V4}/qe", f"{V4}/qe%2Fidentity", f"{V4}/tc%62", "/sgx//certification/v4/tcb",
           "/sgx/certification/v4/../v4/tcb", f"{V4}/platforms/", f"{V4}/platforms/x"]
    for method in METHODS:
        for target in odd:
            yield Question(group, f"{method} odd path", method, target)
    query = "?fmspc=00906EA10000&ca=processor"
    for path in ("tcb", "pckcrl", "qe/identity", "rootcacrl"):
        for name, text in (("slash", f"{V4}/{path}/"), ("two slashes", f"{V4}/{path}//"),
                           ("last word in upper case", f"{V4}/{path.upper()}"),
                           ("all in upper case", f"{V4}/{path}".upper()),
                           ("escaped", f"{V4}/{path[:-1]}%{ord(path[-1]):02x}")):
            yield ask.get(group, name, text + query)


def token_questions(ask):
    group = "token"
    tokens = {"wrong": "wrong", "empty": "", "blank": " ", "long": "x" * 4000}
    for base in (V4, V3):
        for method, path, name in (("POST", "platforms", "user-token"),
                                   ("GET", "platforms", "admin-token"),
                                   ("PUT", "platformcollateral", "admin-token"),
                                   ("GET", "platformcollateral", "admin-token"),
                                   ("POST", "refresh", "admin-token"),
                                   ("GET", "refresh", "admin-token"),
                                   ("PUT", "appraisalpolicy", "admin-token")):
            for word, token in tokens.items():
                yield Question(group, f"{word} {name}", method, f"{base}/{path}?source=x&type=x",
                               {name: token, **ask.json}, b"{" if method != "GET" else None)
            swapped = "user-token" if name == "admin-token" else "admin-token"
            right = {**ask.user, **ask.admin}
            yield Question(group, "the other token under this name", method, f"{base}/{path}",
                           {name: right[swapped]})
            yield Question(group, "right token under the other name", method, f"{base}/{path}",
                           {swapped: right[name]})
            yield Question(group, "name in upper case", method, f"{base}/{path}?source=x&type=x",
                           {name.upper(): right[name], **ask.json},
                           b"{" if method != "GET" else None)


def hex_forms(value):
    """(name, text) of one hex value's spellings."""
    yield "as it is", value
    yield "lower case", value.lower()
    yield "upper case", value.upper()
    yield "empty", ""
    yield "a digit less", value[:-1]
    yield "a digit more", value + "0"
    yield "two digits less", value[:-2]
    yield "two digits more", value + "00"
    yield "not hex", value[:-1] + "g"
    yield "blank before", "+" + value[1:]
    yield "blank after", value + "%20"
    yield "newline after", value + "%0A"
    yield "0x before", "0x" + value[2:]
    yield "escaped digit", f"%{ord(value[0]):02X}" + value[1:]
    yield "escaped digit, lower case", f"%{ord(value[0]):02x}" + value[1:]
    yield "broken escape", value[:-1] + "%"
    yield "broken escape zz", value + "%zz"
    yield "NUL", value + "%00"
    yield "not ASCII", value[:-2] + "%C3%A9"
    yield "quote", value[:-1] + "'"
    yield "in brackets", f"[{value}]"


def query_of(pairs):
    return "&".join(name if text is None else f"{name}={text}" for name, text in pairs)


def parameter_forms(pairs, name, forms):
    """(words, query): one parameter of pairs in every form, the others as they are."""
    value = dict(pairs).get(name, "x")
    others = [pair for pair in pairs if pair[0] != name]
    yield f"{name} missing", query_of(others)
    yield f"{name} without =", query_of([*others, (name, None)])
    for word, text in forms:
        yield f"{name} {word}", query_of([*others, (name, text)])
    for word, extra in (("twice, good first", [(name, value), (name, "bad")]),
                        ("twice, bad first", [(name, "bad"), (name, value)]),
                        ("twice, empty first", [(name, ""), (name, value)]),
                        ("twice the same", [(name, value), (name, value)]),
                        ("nested [a]", [(f"{name}[a]", value)]),
                        ("nested []", [(f"{name}[]", value)]),
                        ("nested [0]", [(f"{name}[0]", value)]),
                        ("nested [a], then plain", [(f"{name}[a]", "x"), (name, value)]),
                        ("plain, then nested", [(name, value), (f"{name}[a]", "x")]),
                        ("nested [], escaped", [(f"{name}%5B%5D", value)]),
                        ("name in upper case", [(name.upper(), value)]),
                        ("name escaped", [(f"%{ord(name[0]):02x}{name[1:]}", value)]),
                        ("two =", [(name, "=" + value)]),
                        ("with others unknown", [("customParameter", "a%2Bb%3D"), (name, value),
                                                 ("x[", "1"), ("__proto__", "1"), ("", "1")]),
                        ("with &&", [(name, value), ("", None), ("", None)])):
        yield f"{name} {word}", query_of([*others, *extra])
    yield f"{name} after a semicolon", query_of(others) + f";{name}={value}"


def word_forms(*words):
    for word in words:
        yield word or "empty", word


UPDATES = ("standard", "early", "STANDARD", "Early", "eARLY", "all", "", "x", "standard%20",
           "+early", "earl%79", "%00", "null")
ENCODINGS = ("der", "DER", "dEr", "", "xyz", "der%20", "%64er", "hex", "base64", "null")


def parameter_questions(ask, group="parameter"):
    platform = ask.fleet[0]
    pck = [("qeid", platform["qe_id"]), ("encrypted_ppid", platform["enc_ppid"]),
           ("cpusvn", platform["cpu_svn"]), ("pcesvn", platform["pce_svn"]),
           ("pceid", platform["pce_id"])]
    fmspc = [("fmspc", platform["fmspc"]), ("update", "standard")]
    for base in (V4, V3):
        for name in ("qeid", "encrypted_ppid", "cpusvn", "pcesvn", "pceid"):
            for word, query in parameter_forms(pck, name, hex_forms(dict(pck)[name])):
                yield ask.get(group, f"pckcert {word}", f"{base}/pckcert?{query}")
        for product in ((base, TDX) if base == V4 else (base,)):
            for word, query in parameter_forms(fmspc, "fmspc", hex_forms(platform["fmspc"])):
                yield ask.get(group, f"tcb {word}", f"{product}/tcb?{query}")
            for word, query in parameter_forms(fmspc, "update", word_forms(*UPDATES)):
                yield ask.get(group, f"tcb {word}", f"{product}/tcb?{query}")
            for path in ("qe/identity", "qve/identity"):
                for word, query in parameter_forms([("update", "standard")], "update",
                                                   word_forms(*UPDATES)):
                    yield ask.get(group, f"{path} {word}", f"{product}/{path}?{query}")
        crl = [("ca", "processor"), ("encoding", "der")]
        cas = word_forms("processor", "platform", "PROCESSOR", "Platform", "", "root", "null",
                         "processor%20", "+platform", "p%6Catform", "%00")
        for word, query in parameter_forms(crl, "ca", cas):
            yield ask.get(group, f"pckcrl {word}", f"{base}/pckcrl?{query}")
        for ca in ("processor", "platform"):
            for word, query in parameter_forms([("ca", ca), ("encoding", "der")], "encoding",
                                               word_forms(*ENCODINGS)):
                yield ask.get(group, f"pckcrl {word}", f"{base}/pckcrl?{query}")
        yield ask.get(group, "rootcacrl", f"{base}/rootcacrl?fmspc=x&encoding=der")
        for word, query in parameter_forms([("fmspc", platform["fmspc"])], "fmspc",
                                           hex_forms(platform["fmspc"])):
            yield ask.get(group, f"appraisalpolicy {word}", f"{base}/appraisalpolicy?{query}")
    for size in (1, 31, 33, 260, 261, 520):
        for filler in ("a", "%C3%A9", "%F0%9F%98%80", "+", "%22"):
            query = query_of([("qeid", filler * size), *pck[1:]])
            yield ask.get(group, f"qeid of {size} x {filler}", f"{V4}/pckcert?{query}")


def crl_questions(ask):
    group = "crl"
    own = f"http://127.0.0.1:{ask.upstream.port}"
    intel = "https://certificates.trustedservices.intel.com"
    api = "https://api.trustedservices.intel.com"
    allowed = [f"{own}/IntelSGXRootCA.der", f"{own}/sgx/certification/v4/pckcrl?ca=processor",
               f"{own}/sgx/certification/v4/pckcrl?ca=processor&encoding=der"]
    refused = ["", "x", f"{intel}/IntelSGXRootCA", f"{intel}/x", f"{intel}", f"{intel}/",
               intel.replace("https", "http") + "/IntelSGXRootCA.der",
               f"{intel.upper()}/IntelSGXRootCA.der", f"{intel}/intelsgxrootca.der",
               f"{intel}:443/IntelSGXRootCA.der", f"{intel}.evil.example/IntelSGXRootCA.der",
               "https://evil.example/IntelSGXRootCA.der",
               "https://evil.example/https://certificates.trustedservices.intel.com/"
               "IntelSGXRootCA.der",
               "https://a@certificates.trustedservices.intel.com/IntelSGXRootCA.der",
               "https://a.certificates.trustedservices.intel.com/IntelSGXRootCA.der",
               f"{api}/sgx/certification/v0/pckcrl?ca=processor",
               f"{api}/sgx/certification/v4/pckcrl", f"{api}/tdx/certification/v4/pckcrl?x",
               f"{api}/sgx/certification/v4/tcb?fmspc=00906EA10000",
               "https://sgxprod.adsdcsp.com/IntelSGXRootCA.der", f"{own}/sim/stats",
               f"{own}/IntelSGXRootCA", "http://127.0.0.1:1/x", "file:///etc/passwd",
               f"{intel}/IntelSGXRootCA.der%0A", "%00", "http://[::1]/IntelSGXRootCA.der"]
    if ask.mode != "LAZY":
        refused += [f"{intel}/IntelSGXRootCA.der", f"{intel}/IntelSGXRootCA.",
                    "https://xcertificates.trustedservices.intel.com/IntelSGXRootCA.crl?x",
                    "https://a-1certificates.trustedservices.intel.com/IntelSGXRootCA.x",
                    "https://certprx.adsdcsp.com/IntelSGXRootCA.der",
                    f"{api}/sgx/certification/v3/pckcrl?ca=x",
                    "https://sbx.api.trustedservices.intel.com/sgx/certification/v4/pckcrl?",
                    "https://evilapi.trustedservices.intel.com/sgx/certification/v4/pckcrl?x",
                    "https://a.az.sgxprod.adsdcsp.com/sgx/certification/v4/pckcrl?x",
                    "https://a.az.sgxnp.adsdcsp.com/sgx/certification/v12/pckcrl?x",
                    "https://a.az.sgxqa.adsdcsp.com/sgx/certification/v4/pckcrl?x",
                    f"{intel}/IntelSGXRootCA." + "x" * (2048 - len(intel) - 16),
                    f"{intel}/IntelSGXRootCA." + "x" * (2049 - len(intel) - 16)]
    for base in (V4, V3):
        yield ask.get(group, "no uri", f"{base}/crl")
        for uri in allowed + refused:
            yield ask.get(group, "raw", f"{base}/crl?uri={uri}")
            escaped = uri.replace(":", "%3A").replace("/", "%2F").replace("?", "%3F")
            yield ask.get(group, "escaped", f"{base}/crl?uri={escaped.replace('&', '%26')}")
        yield ask.get(group, "twice", f"{base}/crl?uri={allowed[0]}&uri=x")
        yield ask.get(group, "twice, bad first", f"{base}/crl?uri=x&uri={allowed[0]}")
        yield ask.get(group, "nested", f"{base}/crl?uri[a]={allowed[0]}")
        yield ask.get(group, "others", f"{base}/crl?customParameter=x&uri={allowed[0]}&y=2")


def registration_of_bad_members(ask):
    """(words, body) of registrations of a stranger, one member wrong."""
    stranger = {"qe_id": STRANGER, "pce_id": "0000", "cpu_svn": "01" * 16, "pce_svn": "0D00",
                "enc_ppid": "5A" * 384, "platform_manifest": ""}
    lengths = {"qe_id": 32, "pce_id": 4, "cpu_svn": 32, "pce_svn": 4, "enc_ppid": 768}
    for manifest in ("", "00ff"):
        start = {**stranger, "platform_manifest": manifest}
        words = "with manifest, " if manifest else ""
        for name in start:
            yield f"{words}{name} absent", {k: v for k, v in start.items() if k != name}
            for value in (None, "", 0, 1.5, True, [], {}, [start[name]], " ", "zz"):
                yield f"{words}{name} {value!r}", {**start, name: value}
        for name, size in lengths.items():
            good = start[name]
            for word, value in (("short", good[:-1]), ("long", good + "0"),
                                ("two short", good[:-2]), ("two long", good + "00"),
                                ("not hex", "g" * size), ("lower", good.lower()),
                                ("newline", good + "\n")):
                yield f"{words}{name} {word}", {**start, name: value}
        for size in (259, 260, 261):
            yield f"{words}qe_id of {size}", {**start, "qe_id": "é" * size}
            yield f"{words}qe_id of {size} pairs", {**start, "qe_id": "\U0001F600" * (size // 2)}
        yield f"{words}extra member", {**start, "pckid_filename": "x", "more": {"a": [1]}}
        yield f"{words}names in upper case", {k.upper(): v for k, v in start.items()}
        text = json.dumps(start)
        yield f"{words}pce_id twice", text.replace("{", '{"pce_id": "xx", ', 1).encode()
        yield f"{words}pce_id twice, bad last", (text[:-1] + ', "pce_id": "xx"}').encode()
        yield f"{words}BOM", b"\xef\xbb\xbf" + text.encode()
        yield f"{words}white space around", b" \n\t" + text.encode() + b"\r\n "
    for value in ("F", "0", "0f0", "xyz", "0G", "00 ", "AbCd", " ", "null"):
        yield f"manifest {value!r}", {**stranger, "platform_manifest": value}
    for text in (b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{", b"}", b"{'a':1}", b"{,}",
                 b'{"a":1,}', b"{} {}", b"\xff\xfe", b"NaN", b"[{}]", b'{"a":"\xff"}',
                 b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b'{"a":1e999}', b"[" * 2000,
                 b"\x00{}", b" ", b"{//\n}"):
        yield f"body {text[:12]!r}", text


def body_questions(ask):
    """What the head of a request says of its body, and bodies that are no registration."""
    group = "body"
    good = json.dumps(registration(ask.fleet[0])).encode()
    bad = b'{"qe_id": "x"}'
    types = [None, "", "application/json; charset=utf-8", "application/json;charset=UTF-8",
             'application/json; charset="utf-8"', "application/json; charset=utf8",
             "application/json; charset=iso-8859-1", "application/json; charset=utf-16",
             "APPLICATION/JSON", "application/json;", "application/json; x=y", "application/json ;",
             "text/json", "text/plain", "application/vnd.api+json", "application/*", "application",
             "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
             "application/octet-stream", "application/json, text/plain", "json"]
    for method, path, token in (("POST", "platforms", ask.user),
                                ("PUT", "platformcollateral", ask.admin),
                                ("PUT", "appraisalpolicy", ask.admin)):
        for text in types:
            for body in (good, bad):
                headers = dict(token) if text is None else {**token, "Content-Type": text}
                yield Question(group, f"{path} type {text!r}", method, f"{V4}/{path}", headers,
                               body)
        for coding, body in (("gzip", gzip.compress(bad)), ("gzip", bad), ("identity", bad),
                             ("deflate", bad), ("br", bad), ("x", bad), ("", bad)):
            yield Question(group, f"{path} coding {coding!r}", method, f"{V4}/{path}",
                           {**token, **ask.json, "Content-Encoding": coding}, body)
        yield Question(group, f"{path} chunked", method, f"{V4}/{path}",
                       {**token, **ask.json, "Transfer-Encoding": "chunked"},
                       [bad[:5], bad[5:]], chunked=True)
        for size in (1 << 20, 2097151, 2097152, 2097153, 3 << 20):
            blank = b'{"x":"' + b"y" * (size - 8) + b'"}'
            yield Question(group, f"{path} {size} bytes", method, f"{V4}/{path}",
                           {**token, **ask.json}, blank)
            yield Question(group, f"{path} {size} bytes chunked", method, f"{V4}/{path}",
                           {**token, **ask.json, "Transfer-Encoding": "chunked"}, [blank],
                           chunked=True)
    for path in ("tcb?fmspc=00906EA10000", "rootcacrl", "qe/identity", "nothing"):
        for body in (b"{", b"{}", bad):
            yield Question(group, f"body on GET {path}", "GET", f"{V4}/{path}", ask.json, body)
    for word, body in registration_of_bad_members(ask):
        yield ask.register(group, word, body)
    for query in ("?update=all", "?update=ALL", "?update=x", "?update=", "?update",
                  "?update=all%20", "?update[a]=all", "?update=early&update=x",
                  "?update=x&update=early"):
        yield ask.register(group, f"platforms{query}", {"qe_id": "x"}, query)


def queue_questions(ask):
    """Registrations of strangers and of the fleet, and what the queue says after each."""
    group = "queue"
    sources = ("?source=reg", "?source=reg_na", "?source=[]", "")
    stranger = {"qe_id": "cd" * 16, "pce_id": "00aa", "cpu_svn": "0a" * 16, "pce_svn": "0d00",
                "enc_ppid": "5a" * 384, "platform_manifest": ""}
    for value in (stranger, {**stranger, "cpu_svn": "0B" * 16},
                  {**stranger, "enc_ppid": "6B" * 384},
                  {**stranger, "platform_manifest": "0aFF"},
                  {**stranger, "platform_manifest": "0b"},
                  {**stranger, "qe_id": "a quote \" and \\ é", "platform_manifest": None},
                  {"qe_id": "free form", "pce_id": "0000", "platform_manifest": "AAbb"}):
        yield ask.register(group, "a stranger", value)
        yield ask.register(group, "the same again", value)
    for source in sources:
        yield ask.rows(group, source)
    yield ask.register(group, "after it was handed out", stranger)
    yield ask.rows(group)
    for platform in ask.fleet:
        yield ask.register(group, f"{platform['name']}", registration(platform))
        yield ask.rows(group, "?source=reg_na")
        yield ask.rows(group)
        yield ask.get(group, f"{platform['name']}", pckcert_path(platform))
        yield ask.register(group, f"{platform['name']} again", registration(platform))
        yield ask.register(group, f"{platform['name']} in lower case",
                           {k: v.lower() for k, v in registration(platform).items()})
        yield ask.rows(group, "?source=reg")
        yield ask.register(group, f"{platform['name']} without manifest",
                           {**registration(platform), "platform_manifest": None})
        yield ask.rows(group, "?source=reg_na")
        yield ask.rows(group)
        new = {**registration(platform), "platform_manifest": "", "pce_svn": "FF00"}
        yield ask.register(group, f"{platform['name']} with a new raw TCB", new)
        yield ask.rows(group)
        yield ask.get(group, f"{platform['name']} after all", pckcert_path(platform))
        yield ask.get(group, f"{platform['name']} without PPID",
                      pckcert_path(platform, ppid="0" * 768))
    for update in ("early", "all", "standard"):
        yield ask.register(group, f"update={update}", registration(ask.fleet[0]),
                           f"?update={update}")
    for source in SOURCES:
        yield ask.rows(group, f"?source={source}")
    yield ask.rows(group, "?source[a]=reg")
    yield ask.rows(group, "?source=reg&source=[]")
    yield ask.rows(group, "?SOURCE=[]")
    yield ask.rows(group, base=V3)


SOURCES = ("", "reg", "reg_na", "REG", "Reg_NA", "x", "[", "]", "[]", "[%20]", "%5B%5D", "[,]",
           "[00906EA10000]", "[00906ea10000]", "%5B00906EA10000%5D", "[00906EA10000,20906ED50000]",
           "[00906EA10000,%2020906ED50000]", "[%2000906EA10000%20]", "[00906EA10000,]",
           "[,00906EA10000]", "00906EA10000", "[00906EA1000]", "[00906EA1000g]", "[[00906EA10000]]",
           "[FFFFFFFFFFFF]", "[00906EA10000,00906EA10000]", "[%2200906EA10000%22]", "all", "[all]",
           "null", "[]x", "reg%20", "[%0A]")


def collateral_questions(ask, group="collateral"):
    """Everything that a quote needs, for every FMSPC, in both versions."""
    for base in (V4, V3):
        for fmspc in dict.fromkeys(p["fmspc"] for p in ask.fleet):
            for update in ("", "&update=standard", "&update=early"):
                yield ask.get(group, f"tcb {update}", f"{base}/tcb?fmspc={fmspc}{update}")
                yield ask.get(group, f"tdx tcb {update}", f"{TDX}/tcb?fmspc={fmspc}{update}")
        for update in ("", "?update=standard", "?update=early"):
            for path in ("qe/identity", "qve/identity"):
                yield ask.get(group, path, f"{base}/{path}{update}")
            yield ask.get(group, "tdx qe/identity", f"{TDX}/qe/identity{update}")
        for ca in ("processor", "platform"):
            for encoding in ("", "&encoding=der"):
                yield ask.get(group, "pckcrl", f"{base}/pckcrl?ca={ca}{encoding}")
        yield ask.get(group, "rootcacrl", f"{base}/rootcacrl")
        yield ask.get(group, "crl", f"{base}/crl?uri=http://127.0.0.1:{ask.upstream.port}"
                      "/IntelSGXRootCA.der")
    yield ask.get(group, "a strange FMSPC", f"{V4}/tcb?fmspc=FFFFFFFFFFFF")


def selection_questions(ask, group="selection"):
    """The best certificate for raw TCBs around those of the fleet, and for any."""
    chance = random.Random(1)
    for platform in ask.fleet:
        if not platform["expected_tcbm"]:
            continue
        own = bytes.fromhex(platform["cpu_svn"])
        for number in range(60):
            svn = bytearray(own)
            for _ in range(chance.randrange(4)):
                at = chance.randrange(16)
                svn[at] = max(0, min(255, svn[at] + chance.choice((-8, -3, -2, -1, 1, 2, 250))))
            if number % 20 == 19:
                svn = bytes(chance.randrange(256) for _ in range(16))
            pce = chance.choice((0x0D, 0x0D, 0x0D, 0x0B, 0x0C, 0x0E, 0x05, 0, 0xFF, 0x10D))
            asked = {**platform, "pce_svn": pce.to_bytes(2, "little").hex().upper()}
            yield ask.get(group, platform["name"], pckcert_path(asked, cpu_svn=svn.hex().upper()))


def policy_text(payload, parts=3):
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    middle = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
    return ".".join(["eyJhbGciOiJub25lIn0", middle, "c2ln"][:parts])


CLASSES = {"SGX": "3123ec35-8d38-4ea5-87a5-d6c48b567570",
           "TDX 1.0": "9eec018b-7481-4b1c-8e1a-9f7c0c8c777f",
           "TDX 1.5": "f708b97f-0fb2-4e6b-8b03-8a5bcd1221d3",
           "TD QE": "3769258c-75e6-4bc7-8d72-d2b0e224cad2",
           "unknown": "00000000-0000-0000-0000-000000000000"}


def policy_questions(ask):
    group = "policy"

    def array(*classes):
        return {"policy_payload": json.dumps({"policy_array": [
            {"environment": {"class_id": name}} for name in classes]})}

    def put(word, value):
        return ask.put(group, word, value, "appraisalpolicy")

    fmspc = "00906EA10000"
    read = [ask.get(group, "default", f"{V4}/appraisalpolicy?fmspc={text}")
            for text in (fmspc, fmspc.lower(), "FFFFFFFFFFFF")]
    for name, class_id in CLASSES.items():
        for word, text in (("", class_id), ("upper case ", class_id.upper())):
            value = {"is_default": False, "fmspc": fmspc, "policy": policy_text(array(text))}
            yield put(f"{word}{name}", value)
            yield from read
    good = {"is_default": True, "fmspc": fmspc, "policy": policy_text(array(CLASSES["SGX"]))}
    yield put("default", good)
    yield from read
    yield put("no longer default", {**good, "is_default": False})
    yield from read
    yield put("default, fmspc in lower case", {**good, "fmspc": fmspc.lower()})
    yield from read
    yield put("another default", {**good, "policy": policy_text(array(CLASSES["TD QE"],
                                                                      CLASSES["SGX"]))})
    yield from read
    for name in good:
        yield put(f"{name} absent", {k: v for k, v in good.items() if k != name})
        for value in (None, "", 0, 1, "true", [], {}, "x", " "):
            yield put(f"{name} {value!r}", {**good, name: value})
    for value in ("00906EA1000", "00906EA100000", "00906EA1000g", "[00906EA10000]"):
        yield put(f"fmspc {value}", {**good, "fmspc": value})
    payloads = [b"", b"{}", b"[]", b"null", b"x", b'{"policy_payload":""}',
                b'{"policy_payload":{}}',
                b'{"policy_payload":"x"}', b'{"policy_payload":"{}"}', b'{"policy_payload":"null"}',
                b'{"policy_payload":"[]"}', b'{"policy_payload":"{\\"policy_array\\":[]}"}',
                b'{"policy_payload":"{\\"policy_array\\":{}}"}',
                b'{"policy_payload":"{\\"policy_array\\":1}"}',
                b'{"policy_payload":"{\\"policy_array\\":\\"ab\\"}"}',
                b'{"policy_payload":"{\\"policy_array\\":[{}]}"}',
                b'{"policy_payload":"{\\"policy_array\\":[null]}"}',
                b'{"policy_payload":"{\\"policy_array\\":[{\\"environment\\":{}}]}"}',
                b'{"policy_payload":"{\\"policy_array\\":'
                b'[{\\"environment\\":{\\"class_id\\":1}}]}"}']
    for payload in payloads:
        yield put(f"payload {payload!r}", {**good, "policy": policy_text(payload)})
    for text in ("x", ".", "..", "a.b", "a.b.c", "....", "a.=.c", "a.!!!.c", "a. .c"):
        yield put(f"policy {text!r}", {**good, "policy": text})
    for parts in (2, 1):
        yield put(f"{parts} parts", {**good, "policy": policy_text(array(CLASSES["SGX"]), parts)})
    yield put("4 parts", {**good, "policy": policy_text(array(CLASSES["SGX"])) + ".x"})
    yield put("TD QE, then unknown", {**good, "policy": policy_text(
        array(CLASSES["TD QE"], CLASSES["unknown"]))})
    yield put("SGX, then unknown", {**good, "policy": policy_text(
        array(CLASSES["SGX"], CLASSES["unknown"]))})
    padded = good["policy"].split(".")
    padded[1] += "=" * (-len(padded[1]) % 4)
    yield put("with padding", {**good, "policy": ".".join(padded)})
    yield put("with a newline", {**good, "policy": good["policy"] + "\n"})
    yield put("extra member", {**good, "id": "x", "type": 5, "extra": 1})
    yield from read
    yield ask.put(group, "v3", good, "appraisalpolicy", V3)
    yield ask.get(group, "v3", f"{V3}/appraisalpolicy?fmspc={fmspc}")
    tdx = {**good, "policy": policy_text(array(CLASSES["TDX 1.5"]))}
    yield put("a default of another type", tdx)
    yield from read


def refresh_questions(ask):
    group = "refresh"
    queries = ("", "?type=certs&fmspc=00906EA10000", "?type=certs&fmspc=00906ea10000",
               "?type=certs&fmspc=20906ED50000", "?type=certs&fmspc=FFFFFFFFFFFF",
               "?type=certs", "?type=certs&fmspc=", "?type=certs&fmspc=all",
               "?type=certs&fmspc=[00906EA10000]", "?type=certs&fmspc=%5B00906EA10000%5D",
               "?type=certs&fmspc=00906EA10000,20906ED50000", "?type=certs&fmspc=x", "?type=",
               "?type=x", "?type=CERTS", "?type", "?type[a]=certs", "?fmspc=00906EA10000",
               "?fmspc=x", "?type=certs&type=x&fmspc=00906EA10000", "?TYPE=x",
               "?type=certs&fmspc=00606A000000")
    for base in (V4, V3):
        for method in ("GET", "POST", "HEAD", "PUT"):
            for query in queries:
                yield Question(group, f"{method} {query}", method, f"{base}/refresh{query}",
                               ask.admin)
    yield Question(group, "with a body", "POST", f"{V4}/refresh", {**ask.admin, **ask.json}, b"{}")
    yield Question(group, "with a bad body", "POST", f"{V4}/refresh", {**ask.admin, **ask.json},
                   b"{")


FAULTS = ("tamper", "wrong-signer", "mismatch", "missing-header",
          "garbage", "empty", "expired", "older", "redirect")
STATUSES = (400, 401, 403)
REMEMBERED = ((429, "status"), (500, "status"), (503, "status"), (404, "status"), (410, "status"),
              (0, "drop"), (0, "truncate"))


def fault_questions(ask):
    """What a miss says while the PCS misbehaves: another item for each fault, some may be kept."""
    group = "fault"
    if ask.mode != "LAZY":
        return
    faults = [("status", status) for status in STATUSES] + [(kind, 0) for kind in FAULTS]
    remembered = [(kind, status) for status, kind in REMEMBERED]
    items = [f"{V4}/tcb?fmspc={fmspc}&update={update}"
             for fmspc in dict.fromkeys(p["fmspc"] for p in ask.fleet if p["early"])
             for update in ("standard", "early")]
    single = [p for p in ask.fleet if not p["platform_manifest"] and not p["not_available"]]
    asked = [("tcb-sgx", target, *fault) for target, fault in zip(items, faults)]
    strangers = [{**single[0], "qe_id": f"{number:032X}"} for number in range(len(faults))]
    asked += [("pckcerts", pckcert_path(stranger), *fault)
              for stranger, fault in zip(strangers, faults)]
    asked += [("pckcerts", pckcert_path(platform), *fault)
              for platform, fault in zip(single, remembered)]
    for endpoint, target, kind, status in asked:
        members = {"endpoint": endpoint, "kind": kind, **({"status": status} if status else {})}
        yield Order("fault", members)
        yield ask.get(group, f"{endpoint} {kind} {status or ''}", target)
        yield Order("clear")


GROUPS = {
    "fault": fault_questions, "path": path_questions, "token": token_questions,
    "crl": crl_questions, "parameter": parameter_questions, "body": body_questions,
    "policy": policy_questions, "queue": queue_questions, "collateral": collateral_questions,
    "selection": selection_questions,
    "parameter-cached": lambda ask: parameter_questions(ask, "parameter-cached"),
    "refresh": refresh_questions, "put": put_questions,
    "put-collateral": lambda ask: collateral_questions(ask, "put-collateral"),
}


def all_questions(upstream, arguments):
    ask = Asker(upstream, arguments)
    NOT_AVAILABLE.update(p["qe_id"] for p in ask.fleet if p["not_available"])
    for name, questions in GROUPS.items():
        if not arguments.group or name in arguments.group:
            yield from questions(ask)
