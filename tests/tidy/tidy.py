#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the tree to its own rules: floors, step tags, sizes, names, banned calls, documents.

Usage: tidy.py [ROOT]. Prints one line per finding and, at the end, "N passed, N failed" counting
checks; exits 1 if any check failed. Needs universal-ctags and a C compiler (CC, else cc).

Each check is a function check_* that yields findings; its first docstring line says the rule. A new
rule is a new function: main() finds it by its name.
"""
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 900
LINE_COLUMNS_MAX = 100
TOP_COMMENT_LINES = (3, 22)

# Lowest floor first: a room includes only rooms before it, and itself.
FLOORS = [
    'base', 'metrics', 'terms', 'json', 'x509', 'request', 'config', 'collateral', 'pcksel',
    'ports', 'http', 'pcs', 'store', 'pccs_client', 'platform', 'schedule', 'cache',
    'setup',
]
PROGRAMS = ['pccsd', 'pccsadmin', 'pckid', 'pcssim']

# What the order alone would allow. The rooms at the edges are strangers to one another; the core
# knows the world through ports/; the simulator stays an independent witness.
FORBIDDEN = {
    'http': set(FLOORS) - {'base'},
    'pcs': {'http'},
    'store': {'http', 'pcs'},
    'pccs_client': set(FLOORS) - {'base'},
    'platform': {'http', 'pcs', 'store', 'pccs_client'},
    'schedule': {'http', 'pcs', 'store', 'pccs_client', 'platform'},
    'cache': {'http', 'pcs', 'store', 'pccs_client', 'platform'},
    'pcssim': {'collateral', 'x509', 'pcksel'},
}

# design.md, The way of one request: step, its word, the only file that bears it. A folder: one file
# in it does.
STEPS = {
    1: ('request', 'src/http/http_conn.c'),
    2: ('validate', 'src/request/request.c'),
    3: ('look up', 'src/cache/lookup.c'),
    4: ('fetch', 'src/pcs/pcs_fetch.c'),
    5: ('verify', 'src/collateral/verify.c'),
    6: ('store', 'src/store/'),
    7: ('publish', 'src/cache/publish.c'),
    8: ('answer', 'src/pccsd/serve.c'),
}

# Tables, and single switches over states. (file, function): why.
LONG_FUNCTIONS = {}

BANNED_CALLS = [
    'strcpy', 'strcat', 'sprintf', 'vsprintf', 'gets', 'atoi', 'atol', 'system', 'popen', 'strtok',
    'alloca',
]

SPDX = 'SPDX-License-Identifier: BSD-3-Clause'


class Tree:
    """The files of the project, read once."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.texts = {}
        for top in ('src', 'tests'):
            for path in sorted((self.root / top).rglob('*')):
                if path.suffix in ('.c', '.h', '.py') and path.is_file():
                    self.texts[path.relative_to(self.root).as_posix()] = path.read_text(
                        encoding='utf-8', errors='replace')

    def files(self, *suffixes, under=''):
        return [name for name in self.texts if name.endswith(suffixes) and name.startswith(under)]

    def read(self, name):
        """The text of any file; None if it is not there."""
        path = self.root / name
        return path.read_text(encoding='utf-8', errors='replace') if path.is_file() else None

    def rooms(self):
        return FLOORS + PROGRAMS


def room_of(name):
    """'src/base/buf.c' -> 'base'; '' for what is in no room."""
    parts = name.split('/')
    return parts[1] if len(parts) > 2 and parts[0] == 'src' else ''


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


def code_only(text):
    """Comments, strings and characters blanked out, newlines kept, so that offsets stay."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r'[^\n]', ' ', m.group()), text, flags=re.S)


def may_use(room, other):
    """Whether a room may include, or link, another."""
    if room == other:
        return True
    if other in PROGRAMS or other in FORBIDDEN.get(room, ()):
        return False
    if room in PROGRAMS:
        return True
    return FLOORS.index(other) < FLOORS.index(room)


def check_rooms(tree):
    """Every folder in src/ is a room with a floor."""
    for path in sorted((tree.root / 'src').iterdir()):
        if path.is_dir() and path.name not in tree.rooms():
            yield f'src/{path.name}: a room without a floor'


def check_includes(tree):
    """A room includes only rooms on lower floors, by path, and foreign _priv.h never."""
    for name in tree.files('.c', '.h', under='src/'):
        room = room_of(name)
        if room not in tree.rooms():
            continue
        for match in re.finditer(r'^\s*#\s*include\s+"([^"]+)"', tree.texts[name], re.M):
            where = f'{name}:{line_of(tree.texts[name], match.start())}'
            target = match.group(1)
            other = target.split('/')[0]
            if '..' in target or '/' not in target or other not in tree.rooms():
                yield f'{where}: "{target}" is not of the form "room/file"'
            elif not may_use(room, other):
                yield f'{where}: {room} may not include {other} ("{target}")'
            elif target.endswith('_priv.h') and other != room:
                yield f'{where}: "{target}" is private to {other}'


def room_links(tree):
    """Which rooms each room's meson.build names as dependencies."""
    links = {}
    for room in tree.rooms():
        text = re.sub(r'#.*', '', tree.read(f'src/{room}/meson.build') or '')
        found = set(re.findall(r'\b([a-z0-9_]+)_dep\b', text))
        links[room] = {other for other in found if other in tree.rooms() and other != room}
    return links


def check_links(tree):
    """A room links only what it may include; pcssim not even through others."""
    links = room_links(tree)
    for room, others in links.items():
        for other in sorted(others):
            if not may_use(room, other):
                yield f'src/{room}/meson.build: {room} may not link {other}'
    reached, todo = set(), ['pcssim']
    while todo:
        for other in links[todo.pop()] - reached:
            reached.add(other)
            todo.append(other)
    for other in sorted(reached & FORBIDDEN['pcssim'] - links['pcssim']):
        yield f'src/pcssim/meson.build: pcssim links {other} through another room'


def check_steps(tree):
    """Exactly one file per step of design.md bears its tag; headers point to it without a ':'."""
    bearers = {}
    for name in tree.files('.c', '.h', under='src/'):
        for match in re.finditer(r'Step\s+(\d+)\s+of\s+(\d+):\s*([a-z ]*)', tree.texts[name]):
            where = f'{name}:{line_of(tree.texts[name], match.start())}'
            number = int(match.group(1))
            if int(match.group(2)) != len(STEPS) or number not in STEPS:
                yield f'{where}: there is no step {number} of {match.group(2)}'
                continue
            bearers.setdefault(number, []).append(name)
            word = STEPS[number][0]
            if not match.group(3).startswith(word):
                yield f'{where}: step {number} is called "Step {number} of {len(STEPS)}: {word}"'
    for number, (word, home) in STEPS.items():
        names = bearers.get(number, [])
        if not names:
            yield f'{home}: nobody bears "Step {number} of {len(STEPS)}: {word}"'
        elif len(names) > 1:
            yield f'{names[1]}: step {number} is borne by {len(names)} files: {", ".join(names)}'
        elif not (names[0] == home or (home.endswith('/') and names[0].startswith(home))):
            yield f'{names[0]}: step {number} belongs to {home}'


def functions_of(tree, names):
    """(file, function, first line, last line) of every function, by universal-ctags."""
    command = ['ctags', '-f', '-', '--language-force=C', '--kinds-C=f', '--fields=+ne',
               '--excmd=number', '-L', '-']
    listing = subprocess.run(command, cwd=tree.root, input='\n'.join(names), text=True, check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for row in listing.splitlines():
        fields = row.split('\t')
        if row.startswith('!') or len(fields) < 4:
            continue
        tags = dict(field.split(':', 1) for field in fields[4:] if ':' in field)
        first = int(tags.get('line', 0))
        yield fields[1], fields[0], first, int(tags.get('end', first))


def check_function_length(tree):
    """A function has at most 70 lines; the exceptions are named and needed."""
    needed = set()
    for name, function, first, last in functions_of(tree, tree.files('.c', '.h', under='src/')):
        lines = last - first + 1
        if lines <= FUNCTION_LINES_MAX:
            continue
        if (name, function) in LONG_FUNCTIONS:
            needed.add((name, function))
        else:
            yield f'{name}:{first}: {function} has {lines} lines, more than {FUNCTION_LINES_MAX}'
    for name, function in sorted(set(LONG_FUNCTIONS) - needed):
        yield f'{name}: {function} needs no exception from the length of functions any more'


def check_file_length(tree):
    """A source file has at most 900 lines."""
    for name in tree.files('.c', '.h', '.py'):
        lines = tree.texts[name].count('\n')
        if lines > FILE_LINES_MAX:
            yield f'{name}: {lines} lines, more than {FILE_LINES_MAX}'


def check_line_length(tree):
    """A line has at most 100 columns."""
    for name in tree.files('.c', '.h', '.py'):
        for number, line in enumerate(tree.texts[name].split('\n'), 1):
            if len(line) > LINE_COLUMNS_MAX:
                yield f'{name}:{number}: {len(line)} columns, more than {LINE_COLUMNS_MAX}'


def check_unique_names(tree):
    """A .c file's name stands once in src/ (main.c excepted)."""
    homes = {}
    for name in tree.files('.c', under='src/'):
        homes.setdefault(name.rsplit('/', 1)[1], []).append(name)
    for short, names in homes.items():
        if short != 'main.c' and len(names) > 1:
            yield f'{names[1]}: the name is taken by {names[0]}'


def check_banned_calls(tree):
    """Nobody calls what cannot be called safely."""
    pattern = re.compile(r'(?<![\w.>])(' + '|'.join(BANNED_CALLS) + r')\s*\(')
    for name in tree.files('.c', '.h'):
        code = code_only(tree.texts[name])
        for match in pattern.finditer(code):
            yield f'{name}:{line_of(code, match.start())}: {match.group(1)} is banned'


def check_proven_new(tree):
    """Only collateral/verify.c makes a struct proven."""
    definition = re.compile(r'^proven_new\s*\([^;{]*\)\s*\{', re.M)
    for name in tree.files('.c', '.h'):
        code = code_only(tree.texts[name])
        if name == 'src/collateral/verify.c':
            continue
        is_home = name.endswith('.h') and room_of(name) == 'collateral'
        for match in re.finditer(r'\bproven_new\b', code):
            if is_home or definition.match(code, match.start()):
                continue
            yield (f'{name}:{line_of(code, match.start())}: proven_new is for '
                   'collateral/verify.c alone')


def check_licence(tree):
    """Every source file says its licence, in C on the first line."""
    for name in tree.files('.c', '.h', '.py'):
        lines = tree.texts[name].split('\n')
        if name.endswith('.py'):
            if not any(SPDX in line for line in lines[:2]):
                yield f'{name}:1: no "# {SPDX}" in the first two lines'
        elif lines[0] != f'/* {SPDX} */':
            yield f'{name}:1: the first line is not "/* {SPDX} */"'


def check_top_comment(tree):
    """Every .c says below its licence what it is for."""
    for name in tree.files('.c'):
        match = re.match(r'/\*[^\n]*\n\s*/\*(.*?)\*/', tree.texts[name], re.S)
        if match is None:
            yield f'{name}:2: no top comment'
        elif name.startswith('src/'):
            lines = match.group(1).count('\n') + 1
            least, most = TOP_COMMENT_LINES
            if not least <= lines <= most:
                yield f'{name}:2: a top comment of {lines} lines, not {least} to {most}'


def compiler_command(tree):
    """The compiler with the flags of the libraries that headers include."""
    command = shlex.split(os.environ.get('CC', 'cc'))
    flags = []
    for package in ('openssl', 'jansson', 'libcurl', 'sqlite3', 'libpq', 'libmariadb', 'liburcu'):
        got = subprocess.run(['pkg-config', '--cflags', package], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
        flags += shlex.split(got.stdout) if got.returncode == 0 else []
    return command + ['-std=gnu17', '-D_GNU_SOURCE', '-fsyntax-only', '-I', str(tree.root / 'src'),
                      '-x', 'c'] + flags


def check_headers_alone(tree):
    """Every header compiles by itself."""
    command = compiler_command(tree)
    for name in tree.files('.h', under='src/'):
        got = subprocess.run(command + [str(tree.root / name)], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        if got.returncode != 0:
            first = next((line for line in got.stdout.splitlines() if 'error' in line), '?')
            yield f'{name}: does not compile alone: {first.strip()}'


def check_dead_files(tree):
    """Every .c is named in the meson.build of its folder."""
    for name in tree.files('.c'):
        folder, short = name.rsplit('/', 1)
        build = tree.read(f'{folder}/meson.build')
        if build is None:
            continue
        stem = short[:-len('.c')]
        if not re.search(r"['/]" + re.escape(stem) + r"(\.c)?'", build):
            yield f'{name}: not named in {folder}/meson.build'


def table_rows(tree, table, macro):
    """The arguments of each row of a .def; strings come without their quotes."""
    text = re.sub(r'/\*.*?\*/', '', tree.read(table) or '', flags=re.S)
    for match in re.finditer(r'^\s*' + macro + r'\(((?:"(?:\\.|[^"\\])*"|[^")])*)\)', text, re.M):
        pieces = re.findall(r'"((?:\\.|[^"\\])*)"|([^",\s][^",]*)', match.group(1))
        yield [text or word.strip() for text, word in pieces]


def check_rows(tree, table, macro, page, mentions):
    """Findings for each row that the page does not mention in one of its accepted forms."""
    rows = list(table_rows(tree, table, macro))
    if not rows:
        yield f'{table}: no rows {macro}(...)'
    text = tree.read(page)
    if text is None:
        yield f'{page}: missing'
        return
    for row in rows:
        forms = mentions(row)
        if not any(is_mentioned(text, form) for form in forms):
            yield f'{page}: {forms[0]} of {table} is not mentioned'


def is_mentioned(text, form):
    """As a word of its own: no name may hide in a longer one."""
    return re.search(r'(?<![\w/.-])' + re.escape(form) + r'(?![\w-]|\.\w|/\w)', text) is not None


def check_documented_options(tree):
    """Every option stands in docs/configuration.md."""
    yield from check_rows(tree, 'src/config/schema.def', 'OPTION', 'docs/configuration.md',
                          lambda row: [row[1]])


# Tools with one table of options: the table, what its rows are called, the manual, what stands
# before the word on the command line.
TOOL_OPTIONS = [
    ('src/pckid/pckid_option.def', 'PCKID_OPTION', 'docs/man/PCKIDRetrievalTool*.md', ''),
    ('src/pcssim/sim_option.def', 'SIM_OPTION', 'docs/man/pcs-sim*.md', '--'),
]


def check_documented_tool_options(tree):
    """Every option of a tool stands in its manual."""
    for table, macro, pattern, dashes in TOOL_OPTIONS:
        if tree.read(table) is None:
            continue
        pages = sorted(tree.root.glob(pattern))
        if not pages:
            yield f'{pattern}: missing'
            continue
        yield from check_rows(tree, table, macro, pages[0].relative_to(tree.root).as_posix(),
                              lambda row: [dashes + row[1]])


def admin_options(tree):
    """Of each command of pccsadmin the options, '' being what all have: {section: {option}}."""
    text = tree.read('src/pccsadmin/option.def') or ''
    found = {}
    for match in re.finditer(r'^ADMIN_OPTION\(\w+, (.+?), (?:0|\'(.)\'), "([\w-]+)",', text, re.M):
        names = {'--' + match.group(3)} | ({'-' + match.group(2)} if match.group(2) else set())
        for command in re.findall(r'C\((\w+)\)', match.group(1)) or ['']:
            found.setdefault(command.lower().replace('_', '-'), set()).update(names)
    return found


def check_documented_admin_options(tree):
    """In the manual of pccsadmin each command's section has its options, and no others."""
    page = 'docs/man/pccsadmin.md'
    if tree.read('src/pccsadmin/option.def') is None:
        return
    sections = dict(re.findall(r'^## (.+?)\n(.*?)(?=^## |\Z)', tree.read(page) or '', re.M | re.S))
    for command, options in sorted(admin_options(tree).items()):
        heading = command or 'Options of all commands'
        section = sections.get(heading, '')
        rows = re.findall(r'^\| (`-.*?) \|', section, re.M)
        listed = set(re.findall(r'`(--?[\w-]+)', ' '.join(rows)))
        for option in sorted(options - listed):
            yield f'{page}: {heading} lacks {option}'
        for option in sorted(listed - options):
            yield f'{page}: {heading} has {option}, which is no option of it'


def check_documented_routes(tree):
    """Every route stands in docs/api.md."""
    def forms(row):
        versions = ('{V}', 'V', 'v4') if '{V}' in row[2] else ('',)
        return [row[2].replace('{V}', version) for version in versions]
    yield from check_rows(tree, 'src/request/routes.def', 'ROUTE', 'docs/api.md', forms)


def documented_names(tree, page):
    """The names in the first column of a page's tables, and in its headings."""
    text = tree.read(page) or ''
    return set(re.findall(r'^(?:\| *|#+ +)`([\w-]+)`', text, re.M))


def check_documented_events(tree):
    """Every log event stands in docs/log-events.md with its level, and nothing else does."""
    page = 'docs/log-events.md'
    yield from check_rows(tree, 'src/base/log_event.def', 'LOG_EVENT', page, lambda row: [row[1]])
    rows = {row[1]: row[2] for row in table_rows(tree, 'src/base/log_event.def', 'LOG_EVENT')}
    for name in sorted(documented_names(tree, page) - set(rows)):
        yield f'{page}: {name} is no event'
    for name, level in rows.items():
        told = re.search(r'^\| *`' + re.escape(name) + r'` *\| *(\w+)', tree.read(page) or '', re.M)
        word = level.replace('LOG_', '').lower()
        if told is not None and told.group(1) != word:
            yield f'{page}: {name} has the level {word}, not {told.group(1)}'


def check_documented_faults(tree):
    """Every fault is listed in docs/log-events.md, and nothing else is."""
    page = 'docs/log-events.md'
    listed = set(re.findall(r'^- `([a-z-]+)` \(\d{3}\):', tree.read(page) or '', re.M))
    words = {row[1] for row in table_rows(tree, 'src/base/fault.def', 'FAULT')}
    for word in sorted(words - listed):
        yield f'{page}: fault {word} is not listed'
    for word in sorted(listed - words):
        yield f'{page}: {word} is no fault'


def check_documented_metrics(tree):
    """Every metric stands in docs/metrics.md with its labels, and nothing else does."""
    page = 'docs/metrics.md'
    table = 'src/metrics/metrics.def'
    yield from check_rows(tree, table, 'METRIC', page, lambda row: [row[2]])
    rows = {row[2]: row[3:5] for row in table_rows(tree, table, 'METRIC')}
    for name in sorted(documented_names(tree, page) - set(rows)):
        yield f'{page}: {name} is no metric'
    for name, labels in rows.items():
        line = re.search(r'^\| *`' + re.escape(name) + r'`.*$', tree.read(page) or '', re.M)
        for label in labels:
            if line is not None and label and f'`{label}`' not in line.group():
                yield f'{page}: {name} lacks its label {label}'


def checks():
    return [(name, function) for name, function in sorted(globals().items())
            if name.startswith('check_') and name != 'check_rows']


def run(root):
    """(findings, names of failed checks, number of checks)."""
    tree = Tree(root)
    findings, failed = [], []
    for name, function in checks():
        found = list(function(tree))
        findings += [f'{finding} [{name[len("check_"):]}]' for finding in found]
        failed += [name] if found else []
    return findings, failed, len(checks())


def main(arguments):
    root = arguments[1] if len(arguments) > 1 else Path(__file__).resolve().parents[2]
    findings, failed, count = run(root)
    for finding in findings:
        print(finding)
    print(f'{count - len(failed)} passed, {len(failed)} failed')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
