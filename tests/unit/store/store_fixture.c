/* SPDX-License-Identifier: BSD-3-Clause */
/* See store_fixture.h. Anything that fails here fails the test that called. */
#include "store_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static int64_t
still_now(void *self)
{
    return ((struct fixture *)self)->now;
}

static int64_t
still_monotonic_ms(void *self)
{
    return ((struct fixture *)self)->monotonic_ms;
}

static void
keep_notice(void *self, const char *text)
{
    struct fixture *f = self;
    size_t size = strlen(f->notices);
    snprintf(f->notices + size, sizeof f->notices - size, "%s\n", text);
}

bool
fixture_is_sqlite(void)
{
    return behind_kind() == BEHIND_SQLITE;
}

bool
fixture_can_run(void)
{
    const char *missing = behind_missing();
    if (missing != NULL) {
        fprintf(stderr, "skipped: %s\n", missing);
    }
    return missing == NULL;
}

int
fixture_group_tear_down(void **state)
{
    (void)state;
    behind_drop();
    return 0;
}

int
fixture_set_up_closed(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/pccs-store-XXXXXX");
    if (mkdtemp(f->folder) == NULL) {
        return -1;
    }
    snprintf(f->path, sizeof f->path, "%s/pckcache.db", f->folder);
    f->now = FIXTURE_NOW;
    f->monotonic_ms = 1000000;
    f->clock = (struct clock){.now = still_now, .monotonic_ms = still_monotonic_ms, .self = f};
    f->options = (struct store_options){
        .path = f->path,
        .server_addr = FIXTURE_HOST,
        .api_version = 4,
        .init_db = true,
        .clock = &f->clock,
        .busy_timeout_ms = 20,
        .on_notice = keep_notice,
        .self = f,
    };
    if (!fixture_is_sqlite()) {
        f->server = *behind_server();
        f->server.database = behind_database();
        f->options.server = &f->server;
        behind_empty();
    }
    *state = f;
    return 0;
}

int
fixture_set_up(void **state)
{
    int failed = fixture_set_up_closed(state);
    if (failed == 0) {
        fixture_open(*state);
    }
    return failed;
}

int
fixture_open_store(struct fixture *f, struct store **ret_store, struct fault *why)
{
    switch (behind_kind()) {
    case BEHIND_SQLITE:
        return store_open_sqlite(&f->options, ret_store, why);
    case BEHIND_POSTGRES:
        return store_open_postgres(&f->options, ret_store, why);
    case BEHIND_MARIADB:
        return store_open_mariadb(&f->options, ret_store, why);
    }
    abort();
}

void
fixture_open(struct fixture *f)
{
    struct fault why = {0};
    if (fixture_open_store(f, &f->store, &why) != 0) {
        fail_msg("%s", why.text);
    }
}

struct store *
fixture_other(struct fixture *f)
{
    if (fixture_is_sqlite()) {
        return f->store;
    }
    struct fault why = {0};
    if (f->other == NULL && fixture_open_store(f, &f->other, &why) != 0) {
        fail_msg("%s", why.text);
    }
    return f->other;
}

void
fixture_close(struct fixture *f)
{
    if (f->store != NULL) {
        store_close(take(&f->store));
    }
}

void
fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

static void
free_item(struct proven *item)
{
    for (size_t i = 0; i < item->pck_count; i++) {
        free(item->pcks[i].pem);
    }
    free(item->pcks);
    free(item->chain_pem);
    free(item->signer_pem);
    free(item->root_pem);
    buf_done(&item->body);
    free(item);
}

int
fixture_tear_down(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    if (f->other != NULL) {
        store_close(f->other);
    }
    behind_let_go(); /* of a file, if the test failed while it was open */
    fixture_fail_no_more(f);
    for (size_t i = 0; i < f->item_count; i++) {
        free_item(f->items[i]);
    }
    DIR *folder = opendir(f->folder);
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        if (e->d_name[0] != '.') {
            (void)unlinkat(dirfd(folder), e->d_name, 0);
        }
    }
    closedir(folder);
    int failed = rmdir(f->folder);
    free(f);
    return failed;
}

/* ---- behind the store ---- */

void
fixture_sql(struct fixture *f, const char *text)
{
    behind_sql(f->path, text);
}

const char *
fixture_text(struct fixture *f, const char *text)
{
    return behind_text(f->path, text);
}

int64_t
fixture_number(struct fixture *f, const char *text)
{
    return strtoll(fixture_text(f, text), NULL, 10);
}

void
fixture_fail(struct fixture *f, const char *verb, const char *table, const char *qeid)
{
    behind_fail(f->path, verb, table, qeid);
}

void
fixture_fail_no_more(struct fixture *f)
{
    behind_fail_no_more(f->path);
}

void
fixture_apply(struct fixture *f, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", VECTORS, name);
    struct buf script = BUF_INIT(1 << 20);
    assert_int_equal(0, file_read(path, &script, NULL));
    fixture_sql(f, buf_text(&script));
    buf_done(&script);
}

/* ---- keys ---- */

struct item_key
fixture_tcb_key(enum product product, unsigned version, enum update_type update, const char *fmspc)
{
    struct item_key key = {
        .kind = ITEM_TCBINFO, .api_version = version, .product = product, .update = update};
    assert_true(fmspc_parse(span_of_text(fmspc), &key.fmspc));
    return key;
}

struct item_key
fixture_identity_key(enum enclave enclave, enum update_type update)
{
    return (struct item_key){
        .kind = ITEM_IDENTITY, .api_version = 4, .enclave = enclave, .update = update};
}

struct platform_id
fixture_platform(const char *qeid)
{
    struct platform_id id;
    assert_true(qeid_parse(span_of_text(qeid), &id));
    assert_true(pceid_parse(span_of_text("0000"), &id));
    return id;
}

struct raw_tcb
fixture_raw(unsigned number)
{
    struct raw_tcb raw;
    snprintf(raw.cpusvn, sizeof raw.cpusvn, "%032X", number);
    snprintf(raw.pcesvn, sizeof raw.pcesvn, "0A00");
    return raw;
}

struct store_mapping
fixture_mapping(unsigned number, const char *tcbm)
{
    struct store_mapping mapping = {.raw = fixture_raw(number)};
    snprintf(mapping.tcbm, sizeof mapping.tcbm, "%s", tcbm);
    return mapping;
}

/* ---- items ---- */

const char *
fixture_pem(const char *name)
{
    static char pems[4][256];
    static unsigned turn;
    char *pem = pems[turn++ % 4];
    snprintf(pem, sizeof pems[0], "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n",
             name);
    return pem;
}

static struct proven *
new_item(struct fixture *f)
{
    struct proven *item = calloc(1, sizeof *item);
    assert_non_null(item);
    assert_true(f->item_count < sizeof f->items / sizeof f->items[0]);
    f->items[f->item_count++] = item;
    item->body = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES);
    item->references = 1;
    return item;
}

static void
give_chain(struct proven *item, const char *signer, const char *root)
{
    item->signer_pem = strdup(fixture_pem(signer));
    item->root_pem = strdup(fixture_pem(root));
    assert_true(asprintf(&item->chain_pem, "%s%s", item->signer_pem, item->root_pem) > 0);
}

struct proven *
fixture_item(struct fixture *f, const struct item_key *key, const char *body, const char *signer,
             const char *root)
{
    struct proven *item = new_item(f);
    item->key = *key;
    assert_int_equal(0, buf_add_text(&item->body, body));
    if (signer != NULL) {
        give_chain(item, signer, root);
    }
    return item;
}

struct proven *
fixture_pcks(struct fixture *f, const char *qeid, enum pck_ca ca, size_t count)
{
    struct proven *item = new_item(f);
    item->key = (struct item_key){.kind = ITEM_PCK, .platform = fixture_platform(qeid)};
    item->ca = ca;
    assert_true(fmspc_parse(span_of_text("00906EA10000"), &item->fmspc));
    give_chain(item, ca == PCK_CA_PLATFORM ? "platform" : "processor", "root");
    item->pcks = calloc(count, sizeof item->pcks[0]);
    item->pck_count = count;
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "leaf %zu of %s", i, qeid);
        item->pcks[i].pem = strdup(fixture_pem(name));
        snprintf(item->pcks[i].tcbm, sizeof item->pcks[i].tcbm, "%s%02X00", FIXTURE_CPUSVN,
                 (unsigned)(0x0A + i));
    }
    return item;
}

int
fixture_put_item(struct fixture *f, const struct proven *item)
{
    const struct store_batch batch = {.items = &item, .item_count = 1};
    struct fault why = {0};
    return store_put(f->store, &batch, &why);
}

int
fixture_put_platform(struct fixture *f, const char *qeid, size_t count)
{
    struct store_mapping mapping = fixture_mapping(1, FIXTURE_TCBM);
    const struct store_platform_put put = {
        .id = fixture_platform(qeid),
        .manifest = span_of_text("0A0B0C"),
        .enc_ppid = span_of_text("ABCDEF"),
        .certs = fixture_pcks(f, qeid, PCK_CA_PROCESSOR, count),
        .mappings = &mapping,
        .mapping_count = 1,
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    struct fault why = {0};
    return store_put(f->store, &batch, &why);
}
