/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET /: one HTML page about the service's state, for a human without tools.
 * Takes what health and the configuration know; gives a finished response. Everything the page
 * needs is in it: no script, no image, no font, nothing from elsewhere, and a content security
 * policy that says so by the hash of its one style sheet.
 * Called on the server's loops; everybody who reaches the port may read it, so it shows counts and
 * states, never an identifier of a platform.
 * Must never wait, and never print a text that did not pass html_add.
 */
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/url.h"
#include "pccsd/daemon.h"
#include "pccsd/pages.h"

enum { DASHBOARD_BYTES_MAX = 64 * 1024, SHA256_SIZE = 32, SHA256_BASE64_SIZE = 44 + 1 };

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--card:#f6f8fa;"
    "--line:#d0d7de;--good:#116329;--bad:#a40e26;--warn:#7d4e00}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--paper:#0d1117;"
    "--card:#161b22;--line:#30363d;--good:#56d364;--bad:#ff7b72;--warn:#e3b341}}"
    "body{margin:0 auto;max-width:64rem;padding:1.5rem;background:var(--paper);color:var(--ink);"
    "font:1rem/1.5 system-ui,sans-serif}"
    "h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:0 0 .5rem}"
    "header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:baseline;margin-bottom:1rem}"
    ".good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}"
    ".state{font-weight:600}"
    ".note{border-left:.3rem solid var(--warn);padding:.5rem 1rem;background:var(--card);"
    "margin:0 0 1rem}.note.bad{border-color:var(--bad)}"
    "main{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(18rem,100%),1fr))}"
    "section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem}"
    "table{width:100%;border-collapse:collapse}"
    "th{text-align:left;font-weight:400;color:var(--soft);padding:.15rem .5rem .15rem 0;"
    "vertical-align:top}"
    "td{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}"
    "footer{margin-top:1.5rem;color:var(--soft)}a{color:inherit}"
    "a:focus-visible{outline:.15rem solid;outline-offset:.15rem}";

static void
html_add(struct buf *b, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            buf_add_text(b, "&amp;");
            break;
        case '<':
            buf_add_text(b, "&lt;");
            break;
        case '>':
            buf_add_text(b, "&gt;");
            break;
        case '"':
            buf_add_text(b, "&quot;");
            break;
        default:
            buf_add_byte(b, (uint8_t)*c);
        }
    }
}

static void
section_start(struct buf *b, const char *id, const char *title)
{
    buf_add_format(b, "<section aria-labelledby=\"%s\"><h2 id=\"%s\">%s</h2><table>", id, id,
                   title);
}

static void
section_end(struct buf *b)
{
    buf_add_text(b, "</table></section>\n");
}

static void
row_text(struct buf *b, const char *name, const char *value)
{
    buf_add_format(b, "<tr><th scope=\"row\">%s</th><td>", name);
    html_add(b, value);
    buf_add_text(b, "</td></tr>");
}

static void
row_number(struct buf *b, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    row_text(b, name, text);
}

static void
row_time(struct buf *b, const char *name, int64_t at)
{
    char text[CLOCK_ISO8601_SIZE];
    if (at <= 0) {
        row_text(b, name, "none");
        return;
    }
    clock_format_iso8601(at, text);
    row_text(b, name, text);
}

/* The host of the upstream, without path or user. */
static void
row_upstream(struct buf *b, const struct config *config)
{
    struct url_parts parts;
    char host[256];
    if (config->mode == CACHE_MODE_OFFLINE) {
        row_text(b, "Upstream", "none (OFFLINE)");
    } else if (url_split(span_of_text(config->uri), &parts) == 0 &&
               span_to_text(parts.host, host, sizeof host)) {
        row_text(b, "Upstream", host);
    }
}

static void
add_service(struct buf *b, struct daemon *daemon, const struct health_state *state)
{
    char fingerprint[65];
    trust_anchors_fingerprint(daemon->anchors, 0, fingerprint);
    section_start(b, "service", "Service");
    row_text(b, "Version", PCCS_VERSION);
    row_text(b, "Mode", cache_mode_word(daemon->config.mode));
    row_upstream(b, &daemon->config);
    row_text(b, "Store", daemon->store->driver->name);
    row_time(b, "Running since", daemon->started_at);
    row_time(b, "Next refresh", state->next_refresh_at);
    row_time(b, "TLS certificate until", state->tls_not_after);
    row_text(b, "Trust anchor",
             trust_anchors_are_builtin(daemon->anchors) ? "Intel SGX Root CA" : "replaced");
    row_text(b, "Its key, SHA-256", fingerprint);
    section_end(b);
}

static void
add_cache(struct buf *b, const struct cache_counts *counts)
{
    section_start(b, "cache", "Answers");
    row_number(b, "From memory", counts->hits);
    row_number(b, "Looked up or fetched", counts->misses);
    row_number(b, "Served although expired", counts->stale);
    row_number(b, "Being fetched now", counts->flights);
    row_number(b, "Jobs waiting", counts->jobs_waiting);
    row_number(b, "Responses in memory", counts->memory_items);
    row_number(b, "Bytes in memory", counts->memory_bytes);
    section_end(b);
}

static void
add_store(struct buf *b, const struct cache_counts *counts)
{
    section_start(b, "store", "Stored");
    row_number(b, "Platforms", counts->store.platforms);
    row_number(b, "Raw TCBs of platforms", counts->store.raw_tcbs);
    row_number(b, "PCK certificates", counts->store.pck_certs);
    row_number(b, "TCB infos", counts->store.tcb_infos);
    row_number(b, "Enclave identities", counts->store.identities);
    row_number(b, "Revocation lists", counts->store.crls);
    section_end(b);
    section_start(b, "queue", "Registration queue");
    row_number(b, "New", counts->queue[0]);
    row_number(b, "Not available", counts->queue[1]);
    row_number(b, "Handed out or done", counts->queue[2]);
    section_end(b);
}

static void
add_notes(struct buf *b, struct daemon *daemon, const struct health_state *state,
          const struct fault *why)
{
    if (why->code != FAULT_NONE) {
        buf_add_text(b, "<p class=\"note bad\" role=\"alert\">Not ready: ");
        html_add(b, why->text);
        buf_add_text(b, "</p>\n");
    }
    if (!trust_anchors_are_builtin(daemon->anchors)) {
        buf_add_text(b, "<p class=\"note\">TrustAnchors replaces Intel's root key: what this "
                        "service calls verified is not what Intel signed.</p>\n");
    }
    if (state->has_counts && state->counts.store.platforms == 0) {
        buf_add_text(b, "<p class=\"note\">No platform is cached yet. Register one with "
                        "PCKIDRetrievalTool, or upload collateral with pccsadmin put.</p>\n");
    }
}

static void
add_page(struct buf *b, struct daemon *daemon)
{
    struct health_state state;
    struct fault why = {0};
    char now[CLOCK_ISO8601_SIZE];
    health_read(&daemon->health, &state);
    bool ready = health_ready(&state, clock_monotonic_ms(daemon->clock), &why) == 0;
    clock_format_iso8601(clock_now(daemon->clock), now);
    buf_add_text(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                    "<title>PCCS</title><style>");
    buf_add_text(b, style);
    buf_add_format(b,
                   "</style></head>\n<body><header><h1>PCCS</h1><span class=\"state %s\">%s</span>"
                   "<span>as of <time datetime=\"%s\">%s</time></span></header>\n",
                   ready ? "good" : "bad", ready ? "ready" : "not ready", now, now);
    add_notes(b, daemon, &state, &why);
    buf_add_text(b, "<main>\n");
    add_service(b, daemon, &state);
    if (state.has_counts) {
        add_cache(b, &state.counts);
        add_store(b, &state.counts);
    }
    buf_add_text(b, "</main>\n<footer><a href=\"/\">Reload</a> &middot; "
                    "<a href=\"/healthz/ready\">health</a> &middot; "
                    "<a href=\"/metrics\">metrics</a></footer></body></html>\n");
}

/* Content-Security-Policy: nothing but this page's own style sheet, named by its hash. */
static void
add_head(struct buf *b)
{
    uint8_t digest[SHA256_SIZE] = {0};
    uint8_t text[SHA256_BASE64_SIZE];
    EVP_Digest(style, sizeof style - 1, digest, NULL, EVP_sha256(), NULL);
    EVP_EncodeBlock(text, digest, sizeof digest);
    buf_add_format(b,
                   "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
                   "Content-Security-Policy: default-src 'none'; style-src 'sha256-%s'; "
                   "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
                   "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n",
                   (const char *)text);
}

struct response *
dashboard_page(struct daemon *daemon)
{
    auto_cleanup(buf_done) struct buf head = BUF_INIT(4096);
    auto_cleanup(buf_done) struct buf body = BUF_INIT(DASHBOARD_BYTES_MAX);
    add_head(&head);
    add_page(&body, daemon);
    if (head.failed != 0 || body.failed != 0) {
        return NULL;
    }
    return response_new(200, buf_span(&head), buf_span(&body));
}
