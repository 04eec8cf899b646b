/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes and queries: the input is "METHOD PATH?QUERY"; the query also goes to every route. What is
 * accepted is in normal form, and no CRL comes from a host of the caller's choosing.
 */
#include "base/mem.h"
#include "request/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span
cut(struct span *rest, uint8_t delimiter)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, delimiter, rest->size) : NULL;
    struct span before = span_of(rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size);
    size_t used = end != NULL ? before.size + 1 : before.size;
    *rest = span_of(rest->data + used, rest->size - used);
    return before;
}

static void
check_request(const struct request *request)
{
    struct span url = span_of_text(request->key.url);
    if (request->route == ROUTE_CRL) {
        static const char local[] = "http://localhost:9000/";
        struct span start = span_of(url.data, sizeof(local) - 1); /* allowed ones are longer */
        must(span_starts_with(url, "https://") || span_is_nocase(start, local));
        must(memchr(url.data, '@', strcspn(request->key.url + 8, "/") + 8) == NULL);
    }
    if (request->route == ROUTE_PCKCERT) {
        must(strlen(request->key.platform.pceid) == 4 && request->key.platform.qeid[0] != '\0');
        must(strlen(request->key.raw.cpusvn) == 32 && strlen(request->key.raw.pcesvn) == 4);
    }
    size_t position = 0;
    size_t count = 0;
    struct fmspc fmspc;
    while (request_next_fmspc(request, &position, &fmspc)) {
        count++;
    }
    must(count == (strlen(request->fmspc_list) + 1) / 13);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request request;
    struct request_policy policy = {.extra_origin_count = 1};
    policy.extra_origins[0] = span_of_text("http://localhost:9000");
    struct span rest = span_of(data, size);
    struct span method = cut(&rest, ' ');
    struct span path = cut(&rest, '?');
    struct route_match match;
    (void)!route_find(method, path, 4, &match);
    for (int i = 0; i < ROUTE_COUNT; i++) {
        match = (struct route_match){.route = (enum route)i, .api_version = 4, .is_head = i & 1};
        if (request_parse(&match, rest, &policy, &request, NULL) == 0) {
            check_request(&request);
        }
    }
    return 0;
}
