/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the simulator share: one simulator per test program, no server, no network.
 *
 * Gives answers as sim_handle makes them. Must never hide a failure: whatever goes wrong here fails
 * the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/mem.h"
#include "sim_fixture.h"

static int64_t
fixture_now(void *self)
{
    return ((struct sim_fixture *)self)->now;
}

static int64_t
fixture_monotonic(void *self)
{
    return ((struct sim_fixture *)self)->now * 1000;
}

int
sim_fixture_setup(void **state)
{
    struct sim_fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->now = FIXTURE_NOW;
    fixture->clock =
        (struct clock){.now = fixture_now, .monotonic_ms = fixture_monotonic, .self = fixture};
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/pcs-sim-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    struct sim *sim = &fixture->sim;
    snprintf(sim->url, sizeof(sim->url), "http://127.0.0.1:8099");
    sim->clock = &fixture->clock;
    sim->stats = sim_stats_new();
    assert_int_equal(
        sim_fleet_parse(span_of_text(sim_fleet_default_text()), NULL, &sim->fleet, NULL), 0);
    assert_int_equal(sim_pki_open(fixture->folder, sim->url, &sim->pki, NULL), 0);
    *state = fixture;
    return 0;
}

int
sim_fixture_reset(void **state)
{
    struct sim_fixture *fixture = *state;
    fixture->now = FIXTURE_NOW;
    fixture->sim.key_required = false;
    return sim_reset(&fixture->sim, NULL);
}

int
sim_fixture_teardown(void **state)
{
    static const char *const names[] = {"root.key",         "processor_ca.key", "platform_ca.key",
                                        "tcb_signing.key",  "pck.key",          "root.pem",
                                        "processor_ca.pem", "platform_ca.pem",  "tcb_signing.pem"};
    struct sim_fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", fixture->folder, names[i]);
        unlink(path);
    }
    rmdir(fixture->folder);
    sim_pki_free(fixture->sim.pki);
    sim_fleet_free(fixture->sim.fleet);
    sim_stats_free(fixture->sim.stats);
    free(fixture);
    return 0;
}

struct sim_answer *
fixture_get(struct sim_fixture *fixture, const char *path, const char *query)
{
    const struct http_request request = {
        .method = HTTP_GET,
        .method_text = span_of_text("GET"),
        .path = span_of_text(path),
        .query = span_of_text(query),
        .peer = "127.0.0.1",
        .peer_is_loopback = true,
    };
    struct sim_answer *answer = sim_handle(&fixture->sim, &request);
    assert_non_null(answer);
    return answer;
}

struct sim_answer *
fixture_post(struct sim_fixture *fixture, const char *path, const char *type, struct span body)
{
    const struct header header = {span_of_text("content-type"), span_of_text(type)};
    const struct http_request request = {
        .method = HTTP_POST,
        .method_text = span_of_text("POST"),
        .path = span_of_text(path),
        .headers = &header,
        .header_count = 1,
        .body = body,
        .peer = "127.0.0.1",
        .peer_is_loopback = true,
    };
    struct sim_answer *answer = sim_handle(&fixture->sim, &request);
    assert_non_null(answer);
    return answer;
}

int
fixture_order(struct sim_fixture *fixture, const char *order)
{
    struct sim_answer *answer =
        fixture_post(fixture, "/sim/control", "application/json", span_of_text(order));
    int status = answer->status;
    sim_answer_free(answer);
    return status;
}

int
fixture_status(struct sim_fixture *fixture, const char *path, const char *query)
{
    struct sim_answer *answer = fixture_get(fixture, path, query);
    int status = answer->status;
    sim_answer_free(answer);
    return status;
}

char *
fixture_header(const struct sim_answer *answer, const char *name)
{
    char start[96];
    snprintf(start, sizeof(start), "%s: ", name);
    const char *found = strstr(buf_text(&answer->head), start);
    if (found == NULL) {
        return NULL;
    }
    found += strlen(start);
    return strndup(found, strcspn(found, "\r"));
}

bool
fixture_body_has(const struct sim_answer *answer, const char *text)
{
    return strstr(buf_text(&answer->body), text) != NULL;
}

char *
fixture_ppid_query(struct sim_fixture *fixture, const char *platform)
{
    const struct sim_fleet *fleet = fixture->sim.fleet;
    struct sim_platform found;
    uint8_t enc_ppid[SIM_ENC_PPID_SIZE];
    struct buf text = BUF_INIT(2048);
    size_t index = 0;
    assert_true(sim_fleet_find_name(fleet, platform, &index));
    sim_fleet_platform(fleet, index, &found);
    sim_platform_enc_ppid(fleet, &found, enc_ppid);
    buf_add_text(&text, "encrypted_ppid=");
    hex_add_upper(&text, span_of(enc_ppid, sizeof(enc_ppid)));
    assert_int_equal(buf_add_text(&text, "&pceid=0000"), 0);
    return buf_take(&text, NULL);
}

char *
fixture_manifest_body(struct sim_fixture *fixture, const char *platform)
{
    const struct sim_fleet *fleet = fixture->sim.fleet;
    struct sim_platform found;
    struct buf text = BUF_INIT(256 * 1024);
    struct buf manifest = BUF_INIT(64 * 1024);
    size_t index = 0;
    assert_true(sim_fleet_find_name(fleet, platform, &index));
    sim_fleet_platform(fleet, index, &found);
    assert_int_equal(sim_platform_add_manifest(&manifest, fleet, &found), 0);
    buf_add_text(&text, "{\"platformManifest\":\"");
    hex_add_lower(&text, buf_span(&manifest));
    assert_int_equal(buf_add_text(&text, "\",\"pceid\":\"0000\"}"), 0);
    buf_done(&manifest);
    return buf_take(&text, NULL);
}
