/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whom crl?uri= may make this service ask, besides Intel's own hosts: whoever the operator named,
 * as upstream or as trust anchor, so that a simulator or a sandbox works (api.md, GET crl).
 * Takes configuration and anchors; gives the policy that request_parse wants. Called at start.
 * Must never take a host from a request.
 */
#include "pccsd/origins.h"

#include "base/url.h"

/* The part of url before its path; empty if url is none. */
static struct span
origin_of(const char *url)
{
    struct url_parts parts;
    struct span all = span_of_text(url);
    if (url_split(all, &parts) != 0) {
        return span_of(NULL, 0);
    }
    return span_of(all.data, all.size - parts.path.size);
}

static void
add_origin(struct request_policy *policy, const char *url)
{
    struct span origin = origin_of(url);
    if (origin.size != 0 && policy->extra_origin_count < REQUEST_EXTRA_ORIGINS_MAX) {
        policy->extra_origins[policy->extra_origin_count++] = origin;
    }
}

struct request_policy
origins_of(const struct config *config, const struct trust_anchors *anchors)
{
    struct request_policy policy = {.extra_origin_count = 0};
    add_origin(&policy, config->uri);
    for (size_t i = 0; i < trust_anchors_count(anchors); i++) {
        add_origin(&policy, trust_anchors_crl_url(anchors, i));
    }
    return policy;
}
