# SPDX-License-Identifier: BSD-3-Clause
"""pccsadmin init --from: what is refused, what is taken from Intel's folder, what is told."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

import pytest

from admin import Admin
from harness import ADMIN_TOKEN, USER_TOKEN, Program, clean_environment, program, sha512
from intel_folder import API_KEY, DEFAULTS, PCS_HOST, IntelFolder, is_root, openssl, tree


@pytest.fixture
def admin(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    return Admin(folder)


@pytest.fixture
def intel(tmp_path):
    return IntelFolder(tmp_path / "intel")


def takeover(admin, source, *arguments, **more):
    return admin.run("init", "--from", source, *arguments, **more)


def taken(admin, source, *arguments, **more):
    """It works, and the old folder is as it was; the report as a list."""
    before = source.snapshot()
    done = takeover(admin, source, "--json", *arguments, **more)
    assert done.status == 0, done
    assert source.snapshot() == before
    return done.json()["report"]


def refused(admin, source, *arguments, **more):
    """It fails, says in a line why, and nothing is written on either side."""
    before = source.snapshot() if isinstance(source, IntelFolder) else None
    files = tree(admin.folder)
    done = takeover(admin, source, *arguments, **more)
    assert done.status == 1, done
    assert done.out == "" and done.err.endswith("nothing was changed\n"), done
    assert len(done.err.splitlines()) == 2, done
    assert tree(admin.folder) == files
    assert before is None or source.snapshot() == before
    return done.err


def lines(report, verdict, item=None):
    return [one["text"] for one in report
            if one["verdict"] == verdict and item in (None, one["item"])]


def configuration(admin, name="default.json"):
    text = (admin.folder / "config" / name).read_text()
    return json.loads("".join(line for line in text.splitlines() if not line.startswith("//")))


def check(admin, *arguments):
    return subprocess.run([str(program("pccsd")), "--check", *arguments], cwd=admin.folder,
                          env=clean_environment(), capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def another_process(code, *arguments):
    """A Python of its own that says when it is ready, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sqlite3, sys\n{code}\nprint('ready', flush=True)\n"
         "sys.stdin.read()", *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(20)


# ---- the folder ----

def test_refuses_what_is_no_folder(admin, tmp_path):
    assert "No such file" in refused(admin, tmp_path / "absent")
    file = tmp_path / "file"
    file.write_text("x")
    assert "folder of Intel's service is wanted" in refused(admin, file)


def test_refuses_a_folder_without_a_configuration(admin, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no config/default.json" in refused(admin, tmp_path / "empty")


def test_refuses_a_folder_that_may_not_be_read():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o777)
        intel = IntelFolder(folder / "intel")
        (folder / "new").mkdir(mode=0o777)
        os.chmod(folder / "new", 0o777)
        shutil.copy(program("pccsadmin"), folder / "pccsadmin")
        who = {"user": 65534, "group": 65534} if is_root() else {}

        def run():
            return subprocess.run([str(folder / "pccsadmin"), "init", "--from", str(intel)],
                                  cwd=folder / "new", env=clean_environment(), text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60, **who)
        os.chmod(intel.folder / "config" / "default.json", 0)
        done = run()
        assert done.returncode == 1 and "cannot be read: Permission denied" in done.stderr, done
        os.chmod(intel.folder, 0)
        done = run()
        assert done.returncode == 1 and "Permission denied" in done.stderr, done
        os.chmod(intel.folder, 0o755)


def test_refuses_its_own_place(admin, intel):
    inside = Admin(intel.folder)
    before = intel.snapshot()
    done = takeover(inside, ".")
    assert done.status == 1 and "names too" in done.err, done
    assert intel.snapshot() == before


def test_dry_run_goes_with_from_only(admin):
    for option in ("--dry-run", "--without-database"):
        done = admin.run("init", option)
        assert done.status == 2 and "--from" in done.err, done


# ---- the configuration ----

@pytest.mark.parametrize("text, said", [
    ("{", "expected JSON"),
    ('{"uri": "x" /* open', "comment is not closed"),
    ("[]", "expected a JSON object"),
    ('{"uri": 1, "uri": 2}', "expected JSON"),
    (" " * (1024 * 1024 + 1), "more than the 1048576 bytes"),
], ids=["JSON", "comment", "array", "twice", "huge"])
def test_refuses_a_broken_configuration(admin, intel, text, said):
    intel.configure(text=text)
    assert said in refused(admin, intel)


def test_refuses_a_configuration_that_is_no_regular_file(admin, intel):
    path = intel.folder / "config" / "default.json"
    path.unlink()
    os.mkfifo(path)
    done = takeover(admin, intel)
    assert done.status == 1 and "no regular file" in done.err, done


def test_does_not_follow_a_link_out_of_the_folder(admin, intel, tmp_path):
    secret = tmp_path / "secret.json"
    shutil.move(intel.folder / "config" / "default.json", secret)
    (intel.folder / "config" / "default.json").symlink_to(secret)
    assert "leads out of the folder" in refused(admin, intel)


def test_follows_a_link_within_the_folder(admin, intel):
    """As Kubernetes mounts a ConfigMap."""
    config = intel.folder / "config"
    (config / "..data").mkdir()
    shutil.move(config / "default.json", config / "..data" / "default.json")
    (config / "default.json").symlink_to("..data/default.json")
    taken(admin, intel)
    assert configuration(admin)["RefreshSchedule"] == DEFAULTS["RefreshSchedule"]


@pytest.mark.parametrize("changes, said", [
    ({"CachingFillMode": "EAGER"}, "CachingFillMode"),
    ({"uri": "http://example.org/sgx/certification/v4/"}, "loopback"),
    ({"DB_CONFIG": "oracle"}, "DB_CONFIG"),
    ({"hosts": "no host"}, "hosts"),
    ({"HTTPS_PORT": 99999}, "HTTPS_PORT"),
    ({"DB_CONFIG": "mysql"}, "mysql.username"),
])
def test_refuses_where_a_default_would_be_another_service(admin, intel, changes, said):
    intel.configure(**changes)
    assert said in refused(admin, intel)


def test_options_stand_in_for_what_is_refused(admin, intel):
    intel.configure(CachingFillMode="EAGER", hosts="no host", HTTPS_PORT=-1)
    taken(admin, intel, "--mode", "req", "--remote", "--port", "8443")
    made = configuration(admin)
    assert (made["CachingFillMode"], made["hosts"], made["HTTPS_PORT"]) == ("req", "0.0.0.0", 8443)


def test_refuses_a_node_env_that_is_a_path(admin, intel):
    assert "NODE_ENV" in refused(admin, intel, environment={"NODE_ENV": "../../etc"})


def test_other_refused_values_are_told_and_left(admin, intel):
    hush = "hush-hush" * 3
    intel.configure(UserTokenHash=hush, RefreshSchedule="now and then", ApiKey=f"{hush} {hush}",
                    proxy="proxy.example.org:3128", KeepAliveTimeoutSeconds=0, Unknown={"a": hush},
                    RefreshBEFORE="1h", mysql="none")
    done = takeover(admin, intel, "--json")
    assert done.status == 0 and hush not in done.out + done.err, done
    report = done.json()["report"]
    for key in ("UserTokenHash", "RefreshSchedule", "ApiKey", "proxy", "KeepAliveTimeoutSeconds"):
        assert "default stands" in lines(report, "not taken", key)[0]
        assert key not in configuration(admin)
    told = " ".join(lines(report, "not taken", "key"))
    assert "unknown key Unknown" in told and "is RefreshBefore meant?" in told
    assert "mysql: expected an object" in told
    assert "there is none" in lines(report, "WARN", "UserTokenHash")[0]
    assert "no effect" in lines(report, "not taken", "sqlite.options.dialect")[0]
    assert check(admin).returncode == 0


def test_everything_known_is_taken_and_no_secret_told(admin, intel):
    done = takeover(admin, intel)
    assert done.status == 0, done
    for secret in (API_KEY, sha512(USER_TOKEN), sha512(ADMIN_TOKEN), "PRIVATE KEY"):
        assert secret not in done.out + done.err
    made = configuration(admin)
    assert made == {key: value for key, value in DEFAULTS.items() if key != "sqlite"}
    for path, mode in (("config/default.json", 0o600), ("ssl_key/private.pem", 0o600),
                       ("ssl_key/file.crt", 0o644), ("pckcache.db", 0o640)):
        assert (admin.folder / path).stat().st_mode & 0o777 == mode, path
    for name in ("private.pem", "file.crt"):
        assert ((admin.folder / "ssl_key" / name).read_bytes()
                == (intel.folder / "ssl_key" / name).read_bytes())
    checked = check(admin)
    assert checked.returncode == 0 and "version 5 of the reference" in checked.stdout, checked
    assert not list(admin.folder.rglob("*taking-over*"))


def test_layers_are_merged_as_node_does(admin, intel):
    intel.configure("production.json", LogLevel="warn", HTTPS_PORT=1, mysql={"database": "x"})
    intel.configure("local.json", HTTPS_PORT=2, mysql={"options": {"host": "db.example.org"}})
    intel.configure("local-production.json", HTTPS_PORT=3)
    intel.configure("development.json", HTTPS_PORT=4)
    intel.configure("custom-environment-variables.json", ApiKey="KEY")
    report = taken(admin, intel)
    made = configuration(admin)
    assert (made["HTTPS_PORT"], made["LogLevel"]) == (3, "warn")
    assert made["mysql"] == {"database": "x", "options": {"host": "db.example.org"}}
    for name in ("development.json", "custom-environment-variables.json"):
        assert lines(report, "not taken", f"config/{name}")
    assert lines(report, "taken", "HTTPS_PORT") == ["3 (config/local-production.json)"]
    report = taken(admin, intel, "--overwrite", environment={"NODE_ENV": "development"})
    assert lines(report, "taken", "HTTPS_PORT") == ["2 (config/local.json)"]
    assert lines(report, "not taken", "config/production.json")


def test_loose_types_are_said_our_way(admin, intel):
    intel.configure(HTTPS_PORT="8443", hosts="", MaxRequestBodySize="1.5mb",
                    HeadersTimeoutSeconds=9.5, RequestTimeoutSeconds="20", OPENSSL_FIPS_MODE=0,
                    TrustAnchors=["certs/root.pem"],
                    mysql={"options": {"port": "3307", "pool": {"max": "7"}},
                           "ssl": {"required": "yes", "ca": "certs/db.pem"}})
    intel.configure("local.json", TlsKey="elsewhere.pem", DataDirectory="/nowhere", LogFile="x")
    report = taken(admin, intel)
    made = configuration(admin)
    assert made["HTTPS_PORT"] == 8443 and made["hosts"] in ("::", "0.0.0.0")
    assert made["MaxRequestBodySize"] == 1536 * 1024
    assert (made["HeadersTimeoutSeconds"], made["RequestTimeoutSeconds"]) == (10, 20)
    assert made["OPENSSL_FIPS_MODE"] is False
    assert made["TrustAnchors"] == [f"{intel}/certs/root.pem"]
    assert made["mysql"]["options"] == {"port": "3307", "pool": {"max": 7}}
    assert made["mysql"]["ssl"] == {"required": True, "ca": f"{intel}/certs/db.pem"}
    for key in ("TlsKey", "DataDirectory", "LogFile"):
        assert "place of the old" in lines(report, "not taken", key)[0] and key not in made


def test_a_configuration_that_is_there_stays_below_local_json(admin, intel):
    """As on a machine where the package was installed."""
    data = admin.folder / "data"
    data.mkdir()
    (admin.folder / "etc").mkdir()
    kept = admin.write("etc/pccs.json", {"DataDirectory": str(data), "HTTPS_PORT": 9})
    os.chmod(kept, 0o640)
    before = kept.read_bytes()
    taken(admin, intel, "-c", "etc/pccs.json")
    assert kept.read_bytes() == before
    local = admin.folder / "etc" / "local.json"
    assert local.stat().st_mode & 0o777 == 0o640
    assert (data / "pckcache.db").exists() and (data / "ssl_key" / "private.pem").exists()
    assert check(admin, "-c", "etc/pccs.json").returncode == 0


@pytest.mark.skipif(not is_root(), reason="only root can give files to others")
def test_root_writes_as_the_owner_of_the_data(admin, intel):
    data = admin.folder / "data"
    data.mkdir()
    (admin.folder / "etc").mkdir()
    kept = admin.write("etc/pccs.json", {"DataDirectory": str(data)})
    for path in (admin.folder, admin.folder.parent, admin.folder.parent.parent,
                 admin.folder.parent.parent.parent):
        os.chmod(path, path.stat().st_mode | 0o055)
    os.chown(data, 65534, 65534)
    os.chown(kept, 0, 65534)
    os.chmod(kept, 0o640)
    taken(admin, intel, "-c", "etc/pccs.json")
    for name in ("pckcache.db", "ssl_key", "ssl_key/private.pem", "ssl_key/file.crt"):
        status = (data / name).stat()
        assert (status.st_uid, status.st_gid) == (65534, 65534), name
    status = (admin.folder / "etc" / "local.json").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 65534, 0o640)


# ---- the TLS key pair ----

def break_tls(intel, how):
    key, certificate = (intel.folder / "ssl_key" / name for name in ("private.pem", "file.crt"))
    if how == "encrypted":
        openssl("rsa", "-in", key, "-aes256", "-passout", "pass:hush-hush", "-out", f"{key}.2")
        shutil.move(f"{key}.2", key)
    elif how == "other":
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    elif how == "expired":
        request = intel.folder.parent / "request.pem"
        openssl("req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", request)
        usage = subprocess.run(["openssl", "x509", "-help"], capture_output=True, check=False)
        past = ["-days", "-1"]  # not taken any more by what knows the others
        if b"-not_after" in usage.stderr:
            past = ["-not_before", "20250101000000Z", "-not_after", "20250102000000Z"]
        openssl("x509", "-req", "-in", request, "-signkey", key, *past, "-out", certificate)
    elif how == "weak":
        intel.make_tls(key=("-newkey", "rsa:1024"))
    elif how == "no key":
        key.unlink()
    elif how == "no certificate":
        certificate.write_text("nothing")
    elif how == "huge":
        key.write_bytes(b"x" * (1024 * 1024 + 1))
    elif how == "link":
        outside = intel.folder.parent / "outside.pem"
        shutil.move(key, outside)
        key.symlink_to(outside)


@pytest.mark.parametrize("how, said", [
    ("encrypted", "the key is encrypted"), ("other", "does not belong"),
    ("expired", "has expired"), ("weak", "too weak"), ("no key", "is not there"),
    ("no certificate", "no PEM certificate"), ("huge", "more than the"),
    ("link", "leads out of the folder")])
def test_a_pair_that_cannot_serve_is_left_and_another_made(admin, intel, how, said):
    break_tls(intel, how)
    report = taken(admin, intel)
    assert said in lines(report, "not taken", "TLS key pair")[0]
    assert "development pair" in lines(report, "made", "TLS key pair")[0]
    assert check(admin).returncode == 0
    assert (admin.folder / "ssl_key" / "ca.crt").exists()


def test_a_pair_that_is_there_stays_if_none_is_taken(admin, intel):
    taken(admin, intel)
    key = (admin.folder / "ssl_key" / "private.pem").read_bytes()
    break_tls(intel, "no key")
    report = taken(admin, intel, "--overwrite")
    assert "stays" in lines(report, "made", "TLS key pair")[0]
    assert (admin.folder / "ssl_key" / "private.pem").read_bytes() == key


def test_the_end_of_a_pair_is_told(admin, intel):
    assert "RSA 2048, until" in lines(taken(admin, intel, "--dry-run"), "taken",
                                      "TLS certificate")[0]
    intel.make_tls(days=10, key=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"))
    report = taken(admin, intel)
    assert "EC 256" in lines(report, "taken", "TLS certificate")[0]
    assert "expires in" in lines(report, "WARN", "TLS certificate")[0]


# ---- the database ----

def rows(path, question="SELECT count(*) FROM platforms"):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(question).fetchall()


def spoil(intel, how):
    with contextlib.closing(intel.open()) as database:
        if how == "newer":
            database.execute("UPDATE pcs_version SET db_version = 6")
        elif how == "host":
            database.execute("UPDATE pcs_version SET server_addr = 'sbx.example.org'")
        elif how == "no host":
            database.execute("DELETE FROM pcs_version")
        database.commit()
    if how == "text":
        intel.database.write_text("no database at all" * 100)
    elif how == "other":
        intel.database.unlink()
        with contextlib.closing(intel.open()) as database:
            database.execute("CREATE TABLE cookies (name)")
            database.commit()
    elif how == "damaged":
        data = bytearray(intel.database.read_bytes())
        data[8192:12288] = b"\xa5" * 4096
        intel.database.write_bytes(data)
    elif how == "folder":
        intel.database.unlink()
        intel.database.mkdir()
    elif how == "link":
        outside = intel.folder.parent / "outside.db"
        shutil.move(intel.database, outside)
        intel.database.symlink_to(outside)


@pytest.mark.parametrize("how, said", [
    ("newer", "version 6.0 is not known here"), ("host", "'sbx.example.org', but uri names"),
    ("no host", "does not say from which PCS"), ("text", "no sound SQLite database"),
    ("other", "of another program"), ("damaged", "no sound SQLite database"),
    ("folder", "no regular file"), ("link", "leads out of the folder")])
def test_refuses_a_database_that_pccsd_would_refuse(admin, intel, how, said):
    spoil(intel, how)
    told = refused(admin, intel)
    assert said in told and "taking-over" not in told, told
    assert said in refused(admin, intel, "--dry-run")
    report = taken(admin, intel, "--without-database")
    assert lines(report, "not taken", "database")
    assert not (admin.folder / "pckcache.db").exists()


def test_refuses_a_database_that_a_service_has_open(admin, intel):
    with another_process("kept = sqlite3.connect(sys.argv[1])\n"
                         "kept.execute('SELECT * FROM platforms').fetchall()",
                         intel.database) as process:
        told = refused(admin, intel)
        assert f"process {process.pid} (python" in told and "systemctl stop pccs" in told, told
        report = taken(admin, intel, "--dry-run")
        assert str(process.pid) in lines(report, "next", "stop")[0]
        assert "version 5" in lines(report, "taken", "database")[0]
    taken(admin, intel)


def test_refuses_a_database_that_somebody_writes_to(admin, intel):
    with another_process("kept = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                         "kept.execute('BEGIN EXCLUSIVE')", intel.database) as process:
        assert f"process {process.pid} (python" in refused(admin, intel)


def test_refuses_while_pccsd_runs_on_the_place(admin, intel):
    taken(admin, intel, "--port", "1")
    service = Program([program("pccsd")],
                      clean_environment({"PCCS_HTTPS_PORT": "0", "PCCS_LOG_FILE": "-"}),
                      admin.folder)
    try:
        service.wait_for_port()
        done = takeover(admin, intel, "--overwrite")
        assert done.status == 1 and f"process {service.process.pid} (pccsd)" in done.err, done
    finally:
        assert service.end() == 0


def test_what_is_in_the_way_is_kept(admin, intel):
    taken(admin, intel)
    admin.write("pckcache.db-wal", "an old log")
    before = tree(admin.folder)
    assert "--overwrite" in refused(admin, intel)
    report = taken(admin, intel, "--dry-run")
    assert len(lines(report, "WARN", "exists")) == 3
    assert tree(admin.folder) == before
    report = taken(admin, intel, "--overwrite")
    assert len(lines(report, "made", "kept")) == 3
    after = tree(admin.folder)
    assert "pckcache.db-wal" not in after
    assert after.pop("config/default.json") == before.pop("config/default.json")
    for name, content in before.items():
        base, wal = (name[:-4], "-wal") if name.endswith("-wal") else (name, "")
        assert after[f"{base}.before-takeover{wal}"] == content, name
    taken(admin, intel, "--yes")
    kept = {name for name in after if "before-takeover" in name}
    assert len(kept) == 4 and all(tree(admin.folder)[name] == after[name] for name in kept)
    for name in ("pckcache.db.before-takeover.2", "config/local.json.before-takeover"):
        assert name in tree(admin.folder)


def test_a_log_that_a_crash_left_is_in_the_copy(admin, intel):
    write_and_die(intel, "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0",
                  "INSERT INTO crl_cache VALUES ('http://x', x'00', 'now', 'now')")
    assert pathlib.Path(f"{intel.database}-wal").stat().st_size > 0
    taken(admin, intel, "--dry-run")
    taken(admin, intel)
    assert rows(admin.folder / "pckcache.db",
                "SELECT count(*) FROM crl_cache WHERE cdp_url = 'http://x'") == [(1,)]
    assert not (admin.folder / "pckcache.db-wal").exists()


def test_a_transaction_that_a_crash_cut_off_is_not_in_the_copy(admin, intel):
    # one page of cache: pages of an open transaction go to the file, the old ones to the journal
    write_and_die(intel, "PRAGMA cache_size = 1", "BEGIN", "DELETE FROM platforms",
                  "DELETE FROM pck_cert", "CREATE TABLE half AS SELECT randomblob(100000) AS x",
                  "CREATE TABLE more AS SELECT * FROM half")
    journal = pathlib.Path(f"{intel.database}-journal")
    assert journal.stat().st_size > 4096 and any(journal.read_bytes()[:8])
    taken(admin, intel)
    assert rows(admin.folder / "pckcache.db") == [(2,)]
    assert rows(admin.folder / "pckcache.db",
                "SELECT count(*) FROM sqlite_master WHERE name = 'half'") == [(0,)]


def write_and_die(intel, *statements):
    code = ("import os, sqlite3, sys\nkept = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "for one in sys.argv[2:]:\n    kept.execute(one)\n"
            "os.kill(os.getpid(), 9)")
    done = subprocess.run([sys.executable, "-c", code, str(intel.database), *statements],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done


def test_an_absent_database_is_told(admin, intel):
    intel.database.unlink()
    assert "is not there" in lines(taken(admin, intel), "not taken", "database")[0]


def test_a_database_elsewhere_is_copied_to_the_new_place(admin, intel, tmp_path):
    """The container layout: config mounted, data on a volume."""
    elsewhere = tmp_path / "data" / "cache.sqlite"
    elsewhere.parent.mkdir()
    shutil.move(intel.database, elsewhere)
    intel.configure(sqlite={"options": {"storage": str(elsewhere)}})
    report = taken(admin, intel)
    assert f"{elsewhere} -> {admin.folder}/pckcache.db" in lines(report, "taken", "database")[0]
    assert rows(admin.folder / "pckcache.db") == [(2,)] == rows(elsewhere)


def test_refuses_a_database_that_is_named_by_dots(admin, intel):
    shutil.copy(intel.database, intel.folder.parent / "above.db")
    intel.configure(sqlite={"options": {"storage": "../above.db"}})
    assert "leads out of the folder" in refused(admin, intel)


def test_a_database_server_is_named_and_not_touched(admin, intel):
    intel.configure(DB_CONFIG="mysql", mysql={
        "database": "pckcache", "username": "pccs", "password": "hush-hush",
        "options": {"host": "127.0.0.1", "port": "1", "dialect": "mysql",
                    "pool": {"max": 5, "min": 0}}})
    done = takeover(admin, intel)
    assert done.status == 0 and "hush-hush" not in done.out + done.err, done
    assert "in place" in done.out and "back it up" in done.out, done
    assert configuration(admin)["mysql"]["password"] == "hush-hush"
    assert not (admin.folder / "pckcache.db").exists()


# ---- the whole ----

def test_dry_run_changes_nothing(admin, intel):
    report = taken(admin, intel, "--dry-run")
    assert tree(admin.folder) == {} and list(admin.folder.iterdir()) == []
    wet = taken(admin, intel)
    assert [one for one in report if one["verdict"] == "taken"] == [
        one for one in wet if one["verdict"] == "taken"]


def test_the_report_says_what_is_next_and_how_to_go_back(admin, intel):
    done = takeover(admin, intel)
    assert done.status == 0, done
    words = [line[:11].strip() for line in done.out.splitlines()[:-1]]
    assert words == sorted(words, key=["taken", "made", "not taken", "WARN", "next",
                                       "going back"].index), words
    assert f"systemctl start pccs, or pccsd -c {admin.folder}/config/default.json" in done.out
    assert f"{intel} is unchanged" in done.out and PCS_HOST in done.out


def test_a_disk_without_room_leaves_everything_as_it_was(admin, intel):
    with contextlib.closing(intel.open()) as database:
        database.execute("CREATE TABLE large AS SELECT randomblob(4000000) AS x")
        database.commit()
    before = tree(admin.folder)
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; ulimit -f 2000; exec {program('pccsadmin')} init --from "
         f"{intel}"], cwd=admin.folder, env=clean_environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "cannot write" in done.stderr, done
    assert "nothing was changed" in done.stderr and tree(admin.folder) == before
