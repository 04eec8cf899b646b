/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From method and path to a row of routes.def.
 *
 * Takes the two as they stand in the request line; gives the route, the version of the API, who may
 * use it and whether a body is read. Called by the server's loops for every request, before
 * anything else is looked at, so that authentication comes before bodies and parameters.
 * Must never decode a path: a percent escape matches nothing, and so nothing matches twice.
 * api.md, Transport and Authentication.
 */
#include "request/request.h"

#include "base/mem.h"

/* HEAD goes with GET, but not where GET does something: a HEAD never changes anything. */
enum method {
    METHOD_ONLY_GET = 1,
    METHOD_POST = 2,
    METHOD_PUT = 4,
    METHOD_HEAD = 8,
    METHOD_GET = METHOD_ONLY_GET | METHOD_HEAD,
    METHOD_GET_POST = METHOD_ONLY_GET | METHOD_POST
};
enum body { BODY_NONE, BODY_JSON };

struct route_row {
    const char *path;
    size_t path_size;
    unsigned methods; /* enum method, or-ed */
    enum route_auth auth;
    enum body body;
    const char *word;
};

static const struct route_row rows[] = {
#define ROUTE(id, methods, path, auth, body, metric)                                               \
    [ROUTE_##                                                                                      \
        id] = {path, sizeof(path) - 1, METHOD_##methods, ROUTE_AUTH_##auth, BODY_##body, metric},
#include "request/routes.def"
#undef ROUTE
};

/* Other names under which the health routes are asked for by probes in the field. */
static const struct {
    const char *path;
    enum route route;
} aliases[] = {
    {"/healthz", ROUTE_HEALTH_LIVE},       {"/livez", ROUTE_HEALTH_LIVE},
    {"/readyz", ROUTE_HEALTH_READY},       {"/health/live", ROUTE_HEALTH_LIVE},
    {"/health/ready", ROUTE_HEALTH_READY}, {"/health/startup", ROUTE_HEALTH_STARTUP},
};

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static unsigned
method_of(struct span method)
{
    if (span_is(method, "GET")) {
        return METHOD_ONLY_GET;
    }
    if (span_is(method, "HEAD")) {
        return METHOD_HEAD;
    }
    if (span_is(method, "POST")) {
        return METHOD_POST;
    }
    return span_is(method, "PUT") ? METHOD_PUT : 0;
}

static const char *
allow_of(unsigned methods)
{
    static const char *const texts[] = {
        [METHOD_GET] = "GET, HEAD",
        [METHOD_POST] = "POST",
        [METHOD_GET_POST] = "GET, POST",
        [METHOD_GET | METHOD_POST] = "GET, HEAD, POST",
        [METHOD_PUT] = "PUT",
        [METHOD_GET | METHOD_PUT] = "GET, HEAD, PUT",
        [METHOD_POST | METHOD_PUT] = "POST, PUT",
        [METHOD_GET | METHOD_POST | METHOD_PUT] = "GET, HEAD, POST, PUT",
    };
    must(methods < ARRAY_COUNT(texts) && texts[methods] != NULL);
    return texts[methods];
}

/* The digit of "/sgx/certification/vN/..." or "/tdx/...", 3 or 4; 0 if the path has no version. */
static unsigned
version_of(struct span path)
{
    enum { VERSION_AT = sizeof("/sgx/certification/v") - 1 };
    static const char middle[] = "/certification/v";
    size_t middle_size = sizeof(middle) - 1;
    if (path.size <= VERSION_AT) {
        return 0;
    }
    if (!span_is_nocase(span_of(path.data + VERSION_AT - middle_size, middle_size), middle)) {
        return 0;
    }
    uint8_t digit = path.data[VERSION_AT];
    return digit == '3' || digit == '4' ? (unsigned)(digit - '0') : 0;
}

/* Pattern against path; "{V}" stands for v3 or v4 in either case. */
static bool
path_matches(const struct route_row *row, struct span path)
{
    if (path.size != row->path_size && path.size + 1 != row->path_size) {
        return false;
    }
    const char *pattern = row->path;
    size_t at = 0;
    while (*pattern != '\0') {
        if (*pattern == '{') {
            if (at + 2 > path.size || lower(path.data[at]) != 'v' ||
                (path.data[at + 1] != '3' && path.data[at + 1] != '4')) {
                return false;
            }
            pattern += 3;
            at += 2;
            continue;
        }
        if (at == path.size || lower(path.data[at]) != (uint8_t)*pattern) {
            return false;
        }
        pattern++;
        at++;
    }
    return at == path.size;
}

/* platformcollateral and refresh ask for the token whatever the method (api.md, Authentication). */
static bool
guards_every_method(size_t route)
{
    return route == ROUTE_COLLATERAL_PUT || route == ROUTE_REFRESH;
}

static struct route_match
match_of(size_t route, unsigned api_version, bool is_head)
{
    return (struct route_match){.route = (enum route)route,
                                .api_version = api_version,
                                .auth = rows[route].auth,
                                .takes_body = rows[route].body == BODY_JSON,
                                .is_head = is_head};
}

static int
match_methods(unsigned at_path, size_t route, unsigned api_version, struct route_match *ret_match)
{
    *ret_match = match_of(route, api_version, false);
    ret_match->allow = allow_of(at_path);
    ret_match->takes_body = false;
    if (!guards_every_method(route)) {
        ret_match->auth = ROUTE_AUTH_NONE;
    }
    return FAULT_METHOD;
}

static int
alias_find(struct span method, struct span path, struct route_match *ret_match)
{
    for (size_t i = 0; i < ARRAY_COUNT(aliases); i++) {
        if (!span_is_nocase(path, aliases[i].path)) {
            continue;
        }
        if ((method_of(method) & METHOD_GET) == 0) {
            return match_methods(METHOD_GET, aliases[i].route, 0, ret_match);
        }
        *ret_match = match_of(aliases[i].route, 0, span_is(method, "HEAD"));
        return 0;
    }
    return FAULT_NO_ROUTE;
}

int
route_find(struct span method, struct span path, unsigned upstream_version,
           struct route_match *ret_match)
{
    if (path.size > 1 && path.data[path.size - 1] == '/') {
        path.size--;
        if (path.size == 1) { /* "//" is not "/" */
            return FAULT_NO_ROUTE;
        }
    }
    unsigned api_version = version_of(path);
    if (api_version == 4 && upstream_version == 3) {
        return FAULT_NO_ROUTE;
    }
    unsigned at_path = 0;
    size_t found = 0;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (!path_matches(&rows[i], path)) {
            continue;
        }
        if ((rows[i].methods & method_of(method)) != 0) {
            *ret_match = match_of(i, api_version, span_is(method, "HEAD"));
            return 0;
        }
        at_path |= rows[i].methods;
        found = i;
    }
    if (at_path != 0) {
        return match_methods(at_path, found, api_version, ret_match);
    }
    return alias_find(method, path, ret_match);
}

const char *
route_word(enum route route)
{
    must((size_t)route < ARRAY_COUNT(rows));
    return rows[route].word;
}
