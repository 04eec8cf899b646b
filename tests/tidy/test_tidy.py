#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests tidy.py: a small clean tree passes, and each rule, broken once, is found."""
import shutil
import tempfile
import unittest
from pathlib import Path

import tidy

SPDX = '/* SPDX-License-Identifier: BSD-3-Clause */\n'
FAULTS = '- `busy` (503): come back later.\n'


def source(tag='', body=''):
    return (f'{SPDX}/*\n * Does one thing.\n * {tag}\n * Any thread. Must never do another.\n */\n'
            f'{body}')


CLEAN = {
    'src/base/buf.h': SPDX + '#pragma once\n#include <stddef.h>\nstruct buf { size_t size; };\n',
    'src/base/buf.c': source(body='#include "base/buf.h"\n'),
    'src/base/meson.build': "base_lib = static_library('base', 'buf.c')\n",
    'src/base/log_event.def': 'LOG_EVENT(START, "start", LOG_INFO, "it starts", "none")\n',
    'src/metrics/metrics.def': '/* METRIC(id) */\nMETRIC(A, GAUGE, "pccs_a", "kind", "", "A, b")\n',
    'src/config/schema.def': 'OPTION(URI, "uri", TEXT, uri, 0, 0, "", "", PLAIN, "the PCS")\n',
    'src/request/routes.def': 'ROUTE(TCB, GET, "/sgx/{V}/tcb", NONE, NONE, "tcb")\n',
    'src/pcssim/meson.build': 'deps: [http_dep]\n',
    'src/http/meson.build': "files('http_conn.c'), deps: [base_dep]\n",
    'src/base/fault.def': 'FAULT(BUSY, "busy") /* a ceiling */\n',
    'docs/log-events.md': '| `start` | info | it starts |\n' + FAULTS,
    'docs/metrics.md': '| `pccs_a` | gauge | `kind` | a |\n',
    'docs/configuration.md': '| `uri` | the PCS |\n',
    'docs/api.md': '`GET /sgx/V/tcb`\n',
    'src/collateral/proven.h': SPDX + 'struct proven *proven_new(void);\n',
    'src/collateral/proven.c': source(
        body='struct proven *\nproven_new(void)\n{\n    return 0;\n}\n'),
}
for number, (word, home) in tidy.STEPS.items():
    CLEAN[home + 'store.c' if home.endswith('/') else home] = source(f'Step {number} of 8: {word}.')
CLEAN['src/collateral/verify.c'] += 'int x(void)\n{\n    return proven_new() != 0;\n}\n'


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix='tidy-'))
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / 'tests').mkdir()
        for name, text in CLEAN.items():
            self.put(name, text)

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')

    def assert_found(self, check, *words):
        """The tree breaks this one rule, and the finding says where."""
        findings, failed, _ = tidy.run(self.root)
        self.assertEqual(failed, [check], '\n'.join(findings))
        for word in words:
            self.assertTrue(any(word in finding for finding in findings), findings)

    def test_finds_an_option_that_the_manual_of_a_tool_lacks(self):
        self.put('src/pcssim/sim_option.def', 'SIM_OPTION(A, "alpha", NULL, "a")\n')
        self.put('docs/man/pcs-sim.md', '| `--beta` | b |\n')
        self.assert_found('check_documented_tool_options', 'docs/man/pcs-sim.md', '--alpha')

    def test_finds_an_option_that_stands_with_another_command(self):
        self.put('src/pccsadmin/option.def',
                 'ADMIN_OPTION(A, C(GET) | C(HASH_TOKEN), \'a\', "alpha", NULL, "a")\n'
                 'ADMIN_OPTION(Q, C_ALL, 0, "quiet", NULL, "q")\n')
        self.put('docs/man/pccsadmin.md', '## Options of all commands\n\n| `--quiet` | q |\n\n'
                 '## get\n\n| `-a`, `--alpha` | a |\n| `--beta` | b |\n\n'
                 '## hash-token\n\n| `--alpha` | a |\n')
        self.assert_found('check_documented_admin_options', 'get has --beta')

    def test_clean_tree_passes(self):
        findings, failed, count = tidy.run(self.root)
        self.assertEqual(findings, [])
        self.assertEqual(failed, [])
        self.assertGreaterEqual(count, 15)

    def test_room_without_a_floor(self):
        (self.root / 'src/attic').mkdir()
        self.assert_found('check_rooms', 'src/attic')

    def test_lower_room_looks_up(self):
        self.put('src/base/buf.c', source(body='#include "json/json_scan.h"\n'))
        self.assert_found('check_includes', 'src/base/buf.c:7: base may not include json')

    def test_edges_are_strangers(self):
        self.put('src/store/store.c', source('Step 6 of 8: store', '#include "http/http.h"\n'))
        self.assert_found('check_includes', 'store may not include http')

    def test_core_knows_no_edge(self):
        self.put('src/cache/publish.c',
                 source('Step 7 of 8: publish', '#include "store/store.h"\n'))
        self.assert_found('check_includes', 'cache may not include store')

    def test_programs_are_not_included(self):
        self.put('src/pccsadmin/main.c', source(body='#include "pccsd/serve.h"\n'))
        self.assert_found('check_includes', 'pccsadmin may not include pccsd')

    def test_witness_stays_independent(self):
        self.put('src/pcssim/sim.c', source(body='#include "x509/x509_chain.h"\n'))
        self.put('src/pcssim/meson.build', "files('sim.c')\n")
        self.assert_found('check_includes', 'pcssim may not include x509')

    def test_witness_stays_independent_through_others(self):
        self.put('src/pcssim/meson.build', 'deps: [ports_dep]\n')
        self.put('src/ports/meson.build', 'deps: [collateral_dep]\n')
        self.assert_found('check_links', 'pcssim links collateral through another room')

    def test_private_header_of_another_room(self):
        self.put('src/json/json_value.c', source(body='#include "base/buf_priv.h"\n'))
        self.assert_found('check_includes', 'private to base')

    def test_include_without_a_room(self):
        self.put('src/base/buf.c', source(body='#include "buf.h"\n#include "../json/a.h"\n'))
        self.assert_found('check_includes', '"buf.h"', '"../json/a.h"')

    def test_step_missing(self):
        self.put('src/cache/lookup.c', source())
        self.assert_found('check_steps', 'src/cache/lookup.c: nobody bears "Step 3 of 8: look up"')

    def test_step_twice(self):
        self.put('src/cache/other.c', source('Step 3 of 8: look up'))
        self.assert_found('check_steps', 'borne by 2 files')

    def test_step_in_the_wrong_file_or_with_the_wrong_word(self):
        self.put('src/cache/lookup.c', source())
        self.put('src/cache/other.c', source('Step 3 of 8: find'))
        self.assert_found('check_steps', 'belongs to src/cache/lookup.c', 'is called')

    def test_step_that_does_not_exist(self):
        self.put('src/cache/other.c', source('Step 9 of 9: rest'))
        self.assert_found('check_steps', 'there is no step 9 of 9')

    def test_header_may_point_to_a_step(self):
        self.put('src/cache/lookup.h', SPDX + '/* Step 3 of 8 is lookup.c. */\n')
        self.assertEqual(tidy.run(self.root)[0], [])

    def function(self, lines):
        return source(body='int\nlong_one(void)\n{\n' + '    ;\n' * (lines - 3) + '}\n')

    def test_long_function(self):
        self.put('src/base/buf.c', self.function(tidy.FUNCTION_LINES_MAX))
        self.assertEqual(tidy.run(self.root)[0], [])
        self.put('src/base/buf.c', self.function(tidy.FUNCTION_LINES_MAX + 1))
        self.assert_found('check_function_length', 'long_one has 71 lines')

    def test_exception_that_is_not_needed(self):
        tidy.LONG_FUNCTIONS[('src/base/buf.c', 'gone')] = 'a table'
        self.addCleanup(tidy.LONG_FUNCTIONS.clear)
        self.assert_found('check_function_length', 'gone needs no exception')

    def test_long_file(self):
        self.put('src/base/buf.c', source(body='\n' * tidy.FILE_LINES_MAX))
        self.assert_found('check_file_length', 'src/base/buf.c')

    def test_long_line(self):
        self.put('tests/a.py', '# ' + SPDX[3:-4] + '\n' + '#' * 101 + '\n')
        self.assert_found('check_line_length', 'tests/a.py:2: 101 columns')

    def test_name_taken_twice(self):
        self.put('src/json/buf.c', source())
        self.put('src/pccsd/main.c', source())
        self.put('src/pcssim/main.c', source())
        self.put('src/pcssim/meson.build', "files('main.c')\n")
        self.assert_found('check_unique_names', 'src/json/buf.c: the name is taken')

    def test_banned_call(self):
        self.put('src/base/buf.c', source(body='void f(void) { strcpy(a, b); }\n'))
        self.assert_found('check_banned_calls', 'src/base/buf.c:7: strcpy is banned')

    def test_banned_names_in_words_strings_and_longer_names_are_none(self):
        self.put('src/base/buf.c', source(
            body='/* atoi(x) */\n// gets(x)\nconst char *s = "popen(1)";\n'
                 'int t = clock_system(), u = a.system(1), v = b->gets(2);\n'))
        self.assertEqual(tidy.run(self.root)[0], [])

    def test_proven_made_elsewhere(self):
        self.put('src/cache/publish.c', source('Step 7 of 8: publish',
                                               'int f(void) { return proven_new() != 0; }\n'))
        self.assert_found('check_proven_new', 'src/cache/publish.c:7')

    def test_licence_missing(self):
        self.put('src/base/buf.h', 'struct buf;\n')
        self.put('tests/a.py', 'pass\n')
        self.assert_found('check_licence', 'src/base/buf.h:1', 'tests/a.py:1')

    def test_top_comment_missing_or_too_short(self):
        self.put('src/base/buf.c', SPDX + 'int x;\n')
        self.assert_found('check_top_comment', 'src/base/buf.c:2: no top comment')
        self.put('src/base/buf.c', SPDX + '/* Buffers. */\n')
        self.assert_found('check_top_comment', 'a top comment of 1 lines')

    def test_header_that_does_not_stand_alone(self):
        self.put('src/base/buf.h', SPDX + 'size_t buf_size(void);\n')
        self.assert_found('check_headers_alone', 'src/base/buf.h')

    def test_dead_file(self):
        self.put('src/base/dead.c', source())
        self.assert_found('check_dead_files', 'src/base/dead.c')

    def test_event_without_a_page_row(self):
        self.put('docs/log-events.md', '| `restart` | info | it starts |\n' + FAULTS)
        self.assert_found('check_documented_events', 'start of src/base/log_event.def',
                          'restart is no event')

    def test_event_with_another_level(self):
        self.put('docs/log-events.md', '| `start` | error | it starts |\n' + FAULTS)
        self.assert_found('check_documented_events', 'has the level info, not error')

    def test_fault_that_is_not_listed(self):
        self.put('docs/log-events.md', CLEAN['docs/log-events.md'].replace('busy', 'lazy'))
        self.assert_found('check_documented_faults', 'fault busy is not listed', 'lazy is no fault')

    def test_metric_without_its_label(self):
        self.put('docs/metrics.md', '| `pccs_a` | gauge | | a |\n')
        self.assert_found('check_documented_metrics', 'pccs_a lacks its label kind')

    def test_metric_hidden_in_a_longer_name(self):
        self.put('docs/metrics.md', 'pccs_a_b, xpccs_a, pccs_a-b\n')
        self.assert_found('check_documented_metrics', 'pccs_a of')

    def test_option_without_a_page_row(self):
        self.put('docs/configuration.md', 'uris, uri.options, /uri\n')
        self.assert_found('check_documented_options', 'uri of src/config/schema.def')

    def test_route_without_a_page_row(self):
        self.put('docs/api.md', '`GET /sgx/v4/tcb/x`\n')
        self.assert_found('check_documented_routes', '/sgx/{V}/tcb of src/request/routes.def')

    def test_page_missing(self):
        (self.root / 'docs/api.md').unlink()
        self.assert_found('check_documented_routes', 'docs/api.md: missing')

    def test_table_without_rows(self):
        self.put('src/config/schema.def', 'OPTIONS(uri)\n')
        self.assert_found('check_documented_options', 'no rows OPTION')


if __name__ == '__main__':
    unittest.main()
