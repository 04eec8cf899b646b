# SPDX-License-Identifier: BSD-3-Clause
"""What the packages are made of agrees with the programs, with itself, and with its promises.

Nothing is built or installed here: ./dev package --test does that.
"""
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
UNIT = PACKAGING / "systemd" / "pccs.service"
PROGRAMS = ["pccsd", "pccsadmin", "PCKIDRetrievalTool", "pcs-sim"]
EXPOSURE_MAX = 2.0


def run(*command):
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, check=False
    )


def needs(tool):
    return pytest.mark.skipif(
        shutil.which(tool) is None, reason=f"{tool} is not installed; ./dev package installs it"
    )


def known_variables():
    """Of the configuration's manual, which tidy holds to the table of keys."""
    manual = (ROOT / "docs" / "configuration.md").read_text()
    names = set(re.findall(r"^\| `[^`]+` \| `(PCCS_[A-Z0-9_]+)`", manual, re.M))
    assert len(names) > 40
    return names | {f"{name}_FILE" for name in names}


def version():
    return re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]


# ---- one version everywhere ----


def test_every_package_has_the_version_of_the_programs():
    changelog = (PACKAGING / "debian" / "changelog").read_text()
    spec = (PACKAGING / "rpm" / "pccs.spec").read_text()
    compose = (PACKAGING / "container" / "compose.yaml").read_text()
    assert changelog.startswith(f"pccs ({version()}-")
    assert re.search(r"^Version:\s+(\S+)$", spec, re.M)[1] == version()
    assert f"image: pccs:{version()}\n" in compose


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_in_one_package_of_each_kind_with_its_manual(program):
    lists = list((PACKAGING / "debian").glob("*.install"))
    assert sum(f"usr/bin/{program}\n" in path.read_text() for path in lists) == 1
    spec = (PACKAGING / "rpm" / "pccs.spec").read_text()
    assert spec.count(f"\n/usr/bin/{program}\n") == 1
    pages = [*(ROOT / "docs" / "man").glob(f"{program}.md")]
    pages += (ROOT / "docs" / "man").glob(f"{program}.[18].md")
    assert len(pages) == 1
    assert re.match(rf"# {program}\([18]\): \S", pages[0].read_text())


def test_the_simulator_is_in_no_package_of_the_service():
    for package in ("pccs", "pccs-admin-tool"):
        assert "pcs-sim" not in (PACKAGING / "debian" / f"{package}.install").read_text()


def test_nothing_is_installed_where_intels_packages_are():
    for path in [*PACKAGING.rglob("*.install"), PACKAGING / "rpm" / "pccs.spec"]:
        assert "opt/intel" not in path.read_text()
        assert "usr/local" not in path.read_text()


def test_the_library_that_is_loaded_late_is_a_dependency():
    control = (PACKAGING / "debian" / "control").read_text()
    service = control.split("\nPackage: pccs\n")[1].split("\n\n")[0]
    assert "libcurl4t64 | libcurl4" in service
    assert "libcurl.so.4" in (PACKAGING / "rpm" / "pccs.spec").read_text()


def stanza(package):
    control = (PACKAGING / "debian" / "control").read_text()
    return control.split(f"\nPackage: {package}\n")[1].split("\n\n")[0]


def rpm_part(package):
    spec = (PACKAGING / "rpm" / "pccs.spec").read_text()
    head, *parts = re.split(r"^%package -n (\S+)$", spec, flags=re.M)
    return dict(zip(["pccs", *parts[::2]], [head, *parts[1::2]]))[package].split("%description")[0]


@pytest.mark.parametrize("package", ["pccs", "pccs-admin-tool"])
def test_the_libraries_of_database_servers_are_suggested_and_no_more(package):
    (suggested,) = re.findall(r"^Suggests: (.*)$", stanza(package), re.M)
    assert {"libpq5", "libmariadb3"} <= set(suggested.split(", "))
    weak = rpm_part(package)
    for library in ("libpq.so.5", "libmariadb.so.3"):
        assert re.findall(rf"^(\w+): +{re.escape(library)}", weak, re.M) == ["Suggests"]
    for line in re.findall(r"^(?:Depends|Recommends|Requires):.*(?:\n .*)*", stanza(package), re.M):
        assert "libpq5" not in line and "libmariadb3" not in line


# ---- systemd ----


def unit_settings():
    rows = re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.M)
    return {name: [value for key, value in rows if key == name] for name, _ in rows}


def test_the_unit_waits_for_ready_and_feeds_the_watchdog():
    settings = unit_settings()
    assert settings["Type"] == ["notify"]
    assert settings["WatchdogSec"] == ["30s"]
    assert settings["User"] == ["pccs"]
    assert settings["CapabilityBoundingSet"] == [""]


def test_the_unit_lets_the_service_install_its_own_filter():
    # systemd 252 does not count seccomp(2) to @system-service
    assert "seccomp" in unit_settings()["SystemCallFilter"]


@needs("systemd-analyze")
def test_the_unit_is_exposed_below_the_limit():
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    found = re.search(r"Overall exposure level for pccs.service: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) < EXPOSURE_MAX


@needs("systemd-analyze")
@pytest.mark.parametrize("with_credentials", [False, True])
def test_the_unit_has_no_mistakes(tmp_path, with_credentials):
    program = tmp_path / "pccsd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "pccs.service"
    text = UNIT.read_text().replace("/usr/bin/pccsd", str(program))
    if with_credentials:
        text += (PACKAGING / "systemd" / "credentials.conf").read_text()
    unit.write_text(text)
    done = run("systemd-analyze", "verify", "--man=no", unit)
    # what other units of this machine lack is not ours
    assert [line for line in done.stderr.splitlines() if "pccs.service" in line] == []


def test_credentials_are_read_by_keys_that_exist():
    text = (PACKAGING / "systemd" / "credentials.conf").read_text()
    pattern = (r"^LoadCredential=([a-z-]+):\S+\n"
               r"Environment=(PCCS_\w+)=/run/credentials/pccs\.service/(\S+)$")
    pairs = re.findall(pattern, text, re.M)
    assert len(pairs) == text.count("\nLoadCredential=") == 4
    for credential, variable, file in pairs:
        assert credential == file
        assert variable in known_variables()


# ---- the container ----


def instructions(stage):
    """(word, arguments) of the stage, continuation lines joined."""
    text = (PACKAGING / "container" / "Containerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    stages, rows = [], []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        word, arguments = line.split(None, 1)
        if word == "FROM":
            rows = []
            stages.append(rows)
        rows.append((word, arguments))
    return stages[stage]


def arguments_of(word, stage=-1):
    return [arguments for name, arguments in instructions(stage) if name == word]


def test_the_container_uses_only_plain_instructions():
    plain = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL", "USER",
             "ENTRYPOINT", "CMD"}
    for stage in (0, -1):
        assert {word for word, _ in instructions(stage)} <= plain


def test_the_container_runs_as_a_number_that_is_not_root():
    users = arguments_of("USER")
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[0])
    words = [word for word, _ in instructions(-1)]
    assert "RUN" not in words[words.index("USER"):]
    assert f"-o {users[0].split(':')[0]} " in arguments_of("RUN")[0]


def test_the_container_has_a_fixed_base_and_no_leftovers():
    for stage in (0, -1):
        base = arguments_of("FROM", stage)[0].split()[0]
        assert re.search(r":\S*\d", base), "a base without a version"
        for command in arguments_of("RUN", stage):
            if "apt-get install" in command:
                assert "--no-install-recommends" in command
                assert "rm -rf /var/lib/apt/lists/*" in command


def test_the_container_starts_the_program_itself_so_that_signals_reach_it():
    assert arguments_of("ENTRYPOINT") == ['["/usr/bin/pccsd"]']
    assert arguments_of("CMD") == ['["-c", "/etc/pccs/pccs.json"]']


def test_the_container_keeps_no_secret_and_sets_only_known_keys():
    variables = dict(row.split("=", 1) for row in arguments_of("ENV")[0].split())
    assert set(variables) <= known_variables()
    assert not [name for name in variables if re.search("KEY|TOKEN|PASSWORD", name)]


def compose():
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
    return yaml.safe_load((PACKAGING / "container" / "compose.yaml").read_text())


def test_compose_gives_the_service_no_more_than_it_needs():
    service = compose()["services"]["pccs"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == arguments_of("USER")[0]
    assert "privileged" not in service and "cap_add" not in service


def test_compose_names_only_keys_and_secrets_that_exist():
    whole = compose()
    service = whole["services"]["pccs"]
    assert set(service["environment"]) <= known_variables()
    places = {value.split("/")[-1] for value in service["environment"].values()
              if str(value).startswith("/run/secrets/")}
    assert places == set(service["secrets"]) == set(whole["secrets"])
    for name, value in service["environment"].items():
        assert not re.search("API_KEY$|TOKEN|PASSWORD$", name.removesuffix("_FILE")) or \
            name.endswith("_FILE"), f"{name} would show {value}"
    assert (PACKAGING / "container" / service["build"]["context"]).resolve() == ROOT


@needs("yamllint")
def test_compose_is_clean_yaml():
    rules = "{extends: default, rules: {line-length: {max: 100}}}"
    done = run("yamllint", "--strict", "-d", rules, PACKAGING / "container" / "compose.yaml")
    assert done.returncode == 0, done.stdout


# ---- the rest ----


@needs("rpmspec")
def test_the_spec_parses():
    done = run("rpmspec", "-q", "--qf", "%{NAME} %{VERSION}\n", PACKAGING / "rpm" / "pccs.spec")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split("\n")) >= {
        f"{name} {version()}"
        for name in ("pccs", "pccs-admin-tool", "sgx-pck-id-retrieval-tool-c", "pcs-sim")
    }


@needs("shellcheck")
def test_the_scripts_are_clean():
    scripts = [*PACKAGING.glob("*.sh"), *(PACKAGING / "debian").glob("*.post*")]
    assert len(scripts) >= 6
    done = run("shellcheck", *scripts)
    assert done.returncode == 0, done.stdout


@needs("lowdown")
def test_a_manual_without_a_title_line_is_refused(tmp_path):
    page = tmp_path / "x.md"
    page.write_text("# x\n")
    done = run(PACKAGING / "man.sh", "lowdown", "1", page, tmp_path / "x.1")
    assert done.returncode == 1
    assert "first line" in done.stderr


@needs("lowdown")
@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "man").glob("*.md")), ids=lambda p: p.name)
def test_a_manual_becomes_a_page_that_whatis_knows(tmp_path, page):
    out = tmp_path / "page"
    done = run(PACKAGING / "man.sh", "lowdown", version(), page, out)
    assert done.returncode == 0, done.stderr
    name, what = re.match(r"# (\S+)\(\d\): (.*)", page.read_text()).groups()
    lines = out.read_text().splitlines()
    assert lines[0] == "'\\\" t"
    at = next(i for i, line in enumerate(lines) if line in ("NAME", ".SH NAME"))
    text = next(line for line in lines[at + 1:] if not line.startswith("."))
    plain = re.sub(r"\\\(cq|\\\[u2019\]", "'", text).replace("\\-", "-")
    assert plain.startswith(f"{name} - {what[:20]}")


def test_an_edited_configuration_survives_meson_install(tmp_path):
    target = tmp_path / "etc" / "pccs" / "pccs.json"
    new = tmp_path / "new.json"
    new.write_text('{"new": 1}\n')
    script = PACKAGING / "install-config.sh"
    assert run(script, new, target.parent).returncode == 0
    assert target.read_text() == new.read_text()
    target.write_text('{"mine": 1}\n')
    assert run(script, new, target.parent).returncode == 0
    assert target.read_text() == '{"mine": 1}\n'
    assert (target.parent / "pccs.json.new").read_text() == new.read_text()
