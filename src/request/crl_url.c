/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The allow-list of GET crl?uri=: an open endpoint that makes this service fetch something must
 * never let a caller choose from where.
 *
 * Takes an absolute URL; says yes or no. Two kinds of paths exist, each with its own hosts: the
 * root's CRL (/IntelSGXRootCA....) and the PCK CRLs (/sgx/certification/vN/pckcrl?...). Besides
 * Intel's hosts, which stand here, the origins of the configuration are taken. Called while a
 * request is parsed and when an upload names its root CRL's place. Must never normalise: what is
 * judged is what is fetched, byte for byte. api.md, GET crl.
 */
#include "base/limits.h"
#include "base/url.h"
#include "request/request.h"

/* Only characters that RFC 3986 allows somewhere in a URL; no backslash, which some parsers take
 * for a slash, and no fragment. */
static bool
has_only_url_characters(struct span url)
{
    static const char refused[] = "\"#<>\\^`{|}";
    for (size_t i = 0; i < url.size; i++) {
        uint8_t c = url.data[i];
        if (c <= 0x20 || c >= 0x7f || memchr(refused, c, sizeof(refused) - 1) != NULL) {
            return false;
        }
    }
    return true;
}

/* Only letters, digits and hyphens: a part of one host label, no dot. */
static bool
is_label(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '-') {
            return false;
        }
    }
    return true;
}

/* What stands before suffix. */
static bool
cut_suffix(struct span host, const char *suffix, struct span *ret_before)
{
    size_t size = strlen(suffix);
    if (host.size < size || !span_is(span_of(host.data + host.size - size, size), suffix)) {
        return false;
    }
    *ret_before = span_of(host.data, host.size - size);
    return true;
}

/* The host of the root CA's CRL: "sbx-certificates.trustedservices.intel.com" is one too. */
static bool
is_root_crl_host(struct span host)
{
    struct span before;
    if (cut_suffix(host, "certificates.trustedservices.intel.com", &before)) {
        return is_label(before);
    }
    return span_is(host, "certprx.adsdcsp.com");
}

/* The host of the PCK CRLs: "api...", "sbx.api...", "NAME.az.sgxprod...". */
static bool
is_pck_crl_host(struct span host)
{
    struct span before;
    if (cut_suffix(host, "api.trustedservices.intel.com", &before)) {
        if (before.size > 1 && before.data[before.size - 1] == '.') {
            before.size--;
        }
        return is_label(before);
    }
    return (cut_suffix(host, ".az.sgxprod.adsdcsp.com", &before) ||
            cut_suffix(host, ".az.sgxnp.adsdcsp.com", &before)) &&
           before.size > 0 && is_label(before);
}

/* "/IntelSGXRootCA." and anything, but no dot segments: those would lead to another path. */
static bool
is_root_crl_path(struct span path)
{
    if (!span_starts_with(path, "/IntelSGXRootCA.")) {
        return false;
    }
    const uint8_t *query = memchr(path.data, '?', path.size);
    size_t size = query != NULL ? (size_t)(query - path.data) : path.size;
    for (size_t i = 0; i + 1 < size; i++) {
        struct span next = span_of(path.data + i + 1, size - i - 1);
        bool dot =
            next.data[0] == '.' || (next.size >= 3 && span_is_nocase(span_of(next.data, 3), "%2e"));
        if (path.data[i] == '/' && dot) {
            return false;
        }
    }
    return true;
}

/* "/sgx/certification/vN/pckcrl?" and anything. */
static bool
is_pck_crl_path(struct span path)
{
    static const char before[] = "/sgx/certification/v";
    if (!span_starts_with(path, before)) {
        return false;
    }
    size_t first = sizeof(before) - 1;
    size_t at = first;
    while (at < path.size && path.data[at] >= '0' && path.data[at] <= '9') {
        at++;
    }
    return at > first && path.data[first] != '0' &&
           span_starts_with(span_of(path.data + at, path.size - at), "/pckcrl?");
}

static bool
same_host(struct span a, struct span b)
{
    char text[256];
    return span_to_text(b, text, sizeof text) && span_is_nocase(a, text);
}

static bool
is_extra_origin(const struct url_parts *parts, const struct request_policy *policy)
{
    for (size_t i = 0; policy != NULL && i < policy->extra_origin_count; i++) {
        struct url_parts origin;
        if (url_split(policy->extra_origins[i], &origin) == 0 && origin.https == parts->https &&
            origin.port == parts->port && same_host(origin.host, parts->host)) {
            return true;
        }
    }
    return false;
}

bool
crl_url_is_allowed(struct span url, const struct request_policy *policy)
{
    struct url_parts parts;
    if (url.size == 0 || url.size > LIMIT_URL_CHARS || !has_only_url_characters(url) ||
        url_split(url, &parts) != 0) {
        return false;
    }
    bool root_path = is_root_crl_path(parts.path);
    if (!root_path && !is_pck_crl_path(parts.path)) {
        return false;
    }
    /* Intel's: written out as "https://" + host + path, without a port */
    bool plain = span_starts_with(url, "https://") && parts.host.data == url.data + 8 &&
                 parts.path.data == parts.host.data + parts.host.size;
    if (plain && (root_path ? is_root_crl_host(parts.host) : is_pck_crl_host(parts.host))) {
        return true;
    }
    return is_extra_origin(&parts, policy);
}
