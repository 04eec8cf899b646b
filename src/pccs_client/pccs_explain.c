/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened to a request, in words that lead somewhere.
 *
 * Takes a request and what came of it; gives lines: what was tried, what came back, and, where no
 * PCCS was reached, what that means and what to look at. Called by the tools when something failed,
 * on their only thread. Must never show a token, nor let a foreign byte reach the terminal raw.
 *
 * tools.md, All (errors; TLS trust failures are named as such).
 */
#include "base/mem.h"
#include "base/url.h"
#include "pccs_client/pccs_client_priv.h"

enum { SHOWN_BYTES_MAX = 300 };

/* One line of foreign text, cut and made printable. */
static void
add_foreign(struct buf *out, struct span text)
{
    size_t size = text.size < SHOWN_BYTES_MAX ? text.size : (size_t)SHOWN_BYTES_MAX;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = text.data[i];
        uint8_t shown = byte >= 0x20 && byte <= 0x7e ? byte : '?';
        buf_add_byte(out, byte == '\n' || byte == '\r' || byte == '\t' ? ' ' : shown);
    }
    buf_add_text(out, text.size > size ? "..." : "");
}

static void
add_row(struct buf *out, const char *name, struct span value)
{
    if (value.size > 0) {
        buf_add_format(out, "  %s: ", name);
        add_foreign(out, value);
        buf_add_byte(out, '\n');
    }
}

static void
add_answer(struct buf *out, const struct pccs_reply *reply)
{
    buf_add_format(out, "  answer: %d ", reply->status);
    add_foreign(out, buf_span(&reply->body));
    buf_add_byte(out, '\n');
    static const char *const names[] = {"PCCS-Error-Detail", "Request-ID", "Location"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct span value;
        if (pccs_reply_header(reply, names[i], &value)) {
            add_row(out, names[i], value);
        }
    }
}

static void
add_tls(struct buf *out, const struct pccs_reply *reply)
{
    add_row(out, "certificate's subject", span_of_text(reply->tls_subject));
    add_row(out, "certificate's issuer", span_of_text(reply->tls_issuer));
    add_row(out, "certificate's names", span_of_text(reply->tls_names));
    add_row(out, "reason", span_of_text(reply->tls_reason));
    if (reply->is_misnamed) {
        buf_add_text(out,
                     "  The server's certificate is trusted, but made for other names. Use one "
                     "of its names in\n  the URL, or give the server a certificate for the "
                     "name that the URL has.\n");
    } else if (strstr(reply->tls_reason, "expired") != NULL ||
               strstr(reply->tls_reason, "not yet valid") != NULL) {
        buf_add_text(out, "  The server's certificate is outside its period of validity. Renew it, "
                          "or set this\n  machine's clock.\n");
    } else {
        buf_add_text(
            out,
            "  The server's certificate is not trusted here. --ca FILE (or CURL_CA_BUNDLE) wants "
            "the\n  certificate of that issuer as PEM; for a self-signed certificate, the "
            "certificate\n  itself. pccsd --init-tls leaves it as ssl_key/ca.crt on the PCCS's "
            "machine.\n");
    }
}

static const char *
advice_of(enum fault_code code, long number)
{
    if (code == FAULT_TIMEOUT) {
        return "  No answer in time. Look at the PCCS's log, and whether a firewall or proxy lies "
               "between.\n";
    }
    if (number == CURLE_COULDNT_RESOLVE_HOST) {
        return "  The host name is not known here: check the URL and the name service.\n";
    }
    if (number == CURLE_COULDNT_RESOLVE_PROXY) {
        return "  The proxy's host name is not known here: check the proxy settings.\n";
    }
    if (number == CURLE_SSL_CONNECT_ERROR) {
        return "  No TLS handshake: is the port the one of the PCCS, and does it speak https?\n";
    }
    if (code == FAULT_UPSTREAM_DOWN) {
        return "  No connection: is the PCCS running, are host and port right, does a firewall or "
               "a "
               "proxy\n  lie between? (Environment proxies are followed, except for loopback.)\n";
    }
    if (code == FAULT_UPSTREAM_ODD) {
        return "  What answered is no PCCS, or was cut short: is the port the right one?\n";
    }
    return "";
}

int
pccs_reply_explain(const struct pccs_request *request, const struct pccs_reply *reply,
                   const struct fault *why, struct buf *out)
{
    buf_add_format(out, "  tried: %s ", pccs_method_word(request->method));
    add_foreign(out, span_of_text(request->url));
    buf_add_byte(out, '\n');
    if (why == NULL) {
        add_answer(out, reply);
        return out->failed;
    }
    buf_add_text(out, "  no answer: ");
    add_foreign(out, span_of_text(why->text));
    buf_add_byte(out, '\n');
    if (why->code == FAULT_CHAIN) {
        add_tls(out, reply);
    }
    buf_add_text(out, advice_of(why->code, why->number));
    return out->failed;
}
