/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin doctor: is all there that a service needs? Configuration, tokens, TLS key pair and
 * names, store, PCS or proxy, API key, clock, disk, file permissions: a line each, with the cure.
 * Takes a configuration as pccsd reads it; changes nothing. Exit status 1 if anything would keep
 * the service from working; warnings alone are 0.
 * Called by main.c. Must never print a secret, nor stop at the first trouble.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/reader.h"
#include "base/url.h"
#include "pccsadmin/pcs_side.h"
#include "pcs/pcs.h"
#include "setup/options.h"
#include "setup/store_open.h"
#include "setup/tls_files.h"
#include "setup/trust_files.h"

enum {
    DAY_S = 86400,
    TLS_WARN_DAYS = 30,
    DISK_LEAST_MB = 64,
    DISK_WARN_MB = 1024,
    PCS_TIMEOUT_S = 20,
    NOTICE_SIZE = 512,
};
/* 2025-01-01: a clock before this is not set. */
static const int64_t CLOCK_LEAST = 1735689600;

enum health { HEALTH_OK, HEALTH_WARNING, HEALTH_FAILURE };

struct doctor {
    const struct arguments *args;
    struct options options;
    struct config config;
    json_t *findings;
    size_t counts[3];
};

/* ---- telling ---- */

__attribute__((format(printf, 5, 6))) static void
tell(struct doctor *doctor, enum health health, const char *what, const char *cure,
     const char *format, ...)
{
    static const char *const words[] = {"ok", "WARN", "FAIL"};
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    say(doctor->args, "%-5s %-14s %s", words[health], what, text);
    if (health != HEALTH_OK && cure[0] != '\0') {
        say(doctor->args, "      %-14s -> %s", "", cure);
    }
    json_array_append_new(doctor->findings,
                          json_pack("{s:s, s:s, s:s, s:s}", "verdict", words[health], "check", what,
                                    "finding", text, "cure", health != HEALTH_OK ? cure : ""));
    doctor->counts[health]++;
}

/* ---- configuration and tokens ---- */

static bool
configuration_check(struct doctor *doctor)
{
    static const char cure[] = "correct it; docs/configuration.md has every key; pccsadmin init "
                               "makes a configuration, init --from DIR takes over Intel's";
    auto_cleanup(buf_done) struct buf warnings = BUF_INIT(OPTIONS_WARNINGS_BYTES_MAX);
    struct fault why;
    if (options_find(doctor->args->values[ADMIN_CONFIG], &doctor->options, &why) != 0 ||
        options_read(&doctor->options, &doctor->config, &warnings, &why) != 0) {
        tell(doctor, HEALTH_FAILURE, "configuration", cure, "%s", why.text);
        return false;
    }
    tell(doctor, HEALTH_OK, "configuration", "", "%s, mode %s, port %d on %s",
         doctor->options.config_path, cache_mode_word(doctor->config.mode),
         doctor->config.https_port, doctor->config.hosts);
    struct reader reader = reader_of(buf_span(&warnings));
    struct span line;
    while (reader_until(&reader, '\n', &line)) {
        tell(doctor, HEALTH_WARNING, "configuration", "correct its spelling or remove it", "%.*s",
             SPAN_ARGS(line));
    }
    return true;
}

static void
token_check(struct doctor *doctor, const char *name, const char *hash, const char *purpose)
{
    char cure[160];
    snprintf(cure, sizeof cure, "put what pccsadmin hash-token prints into %s", name);
    if (hash[0] == '\0') {
        tell(doctor, HEALTH_WARNING, "tokens", cure, "%s is empty: %s is refused to everybody",
             name, purpose);
    } else {
        tell(doctor, HEALTH_OK, "tokens", "", "%s is set", name);
    }
}

/* ---- TLS ---- */

static X509 *
certificate_read(const char *path)
{
    FILE *stream = fopen(path, "re");
    X509 *certificate = stream != NULL ? PEM_read_X509(stream, NULL, NULL, NULL) : NULL;
    if (stream != NULL) {
        fclose(stream);
    }
    return certificate;
}

/* Clients compare the name in their pccs_url with those of the certificate. */
static void
names_check(struct doctor *doctor)
{
    static const char cure[] = "pccsadmin init --name HOST makes a certificate with it";
    X509 *certificate = certificate_read(doctor->config.tls_certificate);
    char host[256] = "";
    if (certificate == NULL || gethostname(host, sizeof host - 1) != 0) {
        X509_free(certificate);
        return;
    }
    bool is_local = span_is(span_of_text(doctor->config.hosts), "127.0.0.1");
    const char *name = is_local ? "localhost" : host;
    if (X509_check_host(certificate, name, strlen(name), 0, NULL) == 1) {
        tell(doctor, HEALTH_OK, "TLS names", "", "the certificate is for %s", name);
    } else {
        tell(doctor, HEALTH_WARNING, "TLS names", cure,
             "the certificate is not for %s: clients that check names and use this one refuse it",
             name);
    }
    X509_free(certificate);
}

static void
tls_check(struct doctor *doctor)
{
    static const char cure[] = "pccsadmin init makes a development pair; or put your own there";
    SSL_CTX *tls = NULL;
    int64_t not_after = 0;
    struct fault why;
    char text[CLOCK_ISO8601_SIZE];
    if (tls_files_load(&doctor->config, &tls, &not_after, &why) != 0) {
        tell(doctor, HEALTH_FAILURE, "TLS key pair", cure, "%s", why.text);
        return;
    }
    SSL_CTX_free(tls);
    int64_t days = (not_after - clock_now(clock_system())) / DAY_S;
    clock_format_iso8601(not_after, text);
    if (days < 0) {
        tell(doctor, HEALTH_FAILURE, "TLS key pair", "renew it, then send SIGHUP to pccsd",
             "the certificate has expired at %s", text);
    } else if (days < TLS_WARN_DAYS) {
        tell(doctor, HEALTH_WARNING, "TLS key pair", "renew it, then send SIGHUP to pccsd",
             "the certificate expires in %lld days, at %s", (long long)days, text);
    } else {
        tell(doctor, HEALTH_OK, "TLS key pair", "", "it fits together; certificate until %s", text);
    }
    names_check(doctor);
}

/* ---- files ---- */

static void
secret_file_check(struct doctor *doctor, const char *path, bool is_critical)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return; /* told elsewhere */
    }
    if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        tell(doctor, is_critical ? HEALTH_FAILURE : HEALTH_WARNING, "permissions",
             "chmod o-rwx,g-w the file", "%s holds secrets, and its mode is %04o", path,
             (unsigned)(status.st_mode & 07777));
    } else {
        tell(doctor, HEALTH_OK, "permissions", "", "%s, mode %04o", path,
             (unsigned)(status.st_mode & 07777));
    }
}

static void
disk_check(struct doctor *doctor)
{
    struct statvfs disk;
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", doctor->config.sqlite_storage);
    const char *folder = dirname(copy);
    if (statvfs(folder, &disk) != 0) {
        tell(doctor, HEALTH_FAILURE, "disk", "make the folder, writable for the service's user",
             "%s: %s", folder, strerror(errno));
        return;
    }
    uint64_t megabytes = (uint64_t)disk.f_bavail * disk.f_frsize / (1024 * 1024);
    bool is_writable = access(folder, W_OK | X_OK) == 0;
    if (!is_writable) {
        tell(doctor, HEALTH_WARNING, "disk",
             "run doctor as the service's user, or chown the folder",
             "%s is not writable for user %u", folder, (unsigned)getuid());
    }
    enum health health = megabytes < DISK_LEAST_MB  ? HEALTH_FAILURE
                         : megabytes < DISK_WARN_MB ? HEALTH_WARNING
                                                    : HEALTH_OK;
    tell(doctor, health, "disk", "free some space: a full disk stops every write",
         "%llu MB free in %s", (unsigned long long)megabytes, folder);
}

static void
on_notice(void *self, const char *text)
{
    snprintf(self, NOTICE_SIZE, "%s", text);
}

static void
store_look(struct doctor *doctor)
{
    char notice[NOTICE_SIZE] = "it opens";
    struct fault why;
    if (store_check_with(&doctor->config, clock_system(), on_notice, notice, &why) != 0) {
        tell(doctor, HEALTH_FAILURE, "store", "see docs/configuration.md, the database's keys",
             "%s", why.text);
    } else {
        tell(doctor, HEALTH_OK, "store", "", "%s", notice);
    }
}

/* ---- the PCS ---- */

static int
side_make(struct doctor *doctor, struct pcs_side *side, struct fault *why)
{
    const struct config *config = &doctor->config;
    struct pcs_options options = {.uri = config->uri,
                                  .api_key = config->api_key,
                                  .proxy = config->proxy,
                                  .ca_file = config->upstream_ca_file,
                                  .timeout_s = PCS_TIMEOUT_S,
                                  .retries = 0};
    *side =
        (struct pcs_side){.version = config->upstream_version, .now = clock_now(clock_system())};
    int failed = trust_files_read(config, &side->anchors, why);
    if (failed == 0 && !trust_anchors_are_builtin(side->anchors)) {
        tell(doctor, HEALTH_WARNING, "trust anchor", "remove TrustAnchors in production",
             "TrustAnchors replaces Intel's root key");
    }
    return failed != 0 ? failed : pcs_client_new(&options, &side->upstream, why);
}

/* A request for a platform that cannot be: 404 or 400 says that the key was taken. */
static void
key_check(struct doctor *doctor, struct pcs_side *side)
{
    static char ppid[LIMIT_PPID_HEX + 1];
    struct item_key key = {.kind = ITEM_PCK, .api_version = 4};
    struct upstream_query query = {.key = &key};
    struct proven *proven = NULL;
    struct fault why;
    if (doctor->config.api_key[0] == '\0') {
        tell(doctor, HEALTH_OK, "API key", "", "none: Intel asks none");
        return;
    }
    memset(ppid, '0', LIMIT_PPID_HEX);
    memcpy(key.platform.pceid, "0000", 5);
    query.encrypted_ppid = span_of(ppid, LIMIT_PPID_HEX);
    int failed = pcs_side_get(side, &query, NULL, &proven, &why);
    proven_unref(proven);
    if (failed == FAULT_UPSTREAM_REFUSED && why.number != 400) {
        tell(doctor, HEALTH_FAILURE, "API key",
             "put a valid key of the subscription into ApiKey, or leave it empty", "%s", why.text);
    } else if (failed == FAULT_UPSTREAM_DOWN) {
        tell(doctor, HEALTH_WARNING, "API key", "see PCS", "could not be tried: %s", why.text);
    } else {
        tell(doctor, HEALTH_OK, "API key", "", "the PCS takes it");
    }
}

/* Intel signs its lists about daily: their dates tell a clock that is wrong by more. */
static void
clock_check(struct doctor *doctor, const struct proven *crl)
{
    static const char cure[] = "set the clock, and keep it by NTP";
    char now_text[CLOCK_ISO8601_SIZE];
    int64_t now = clock_now(clock_system());
    clock_format_iso8601(now, now_text);
    if (now < CLOCK_LEAST || (crl != NULL && now < crl->issued_at)) {
        tell(doctor, HEALTH_FAILURE, "clock", cure, "%s is behind: Intel has signed later",
             now_text);
    } else if (crl != NULL && now > crl->next_update_at) {
        tell(doctor, HEALTH_FAILURE, "clock", cure, "%s is past the end of what the PCS gives now",
             now_text);
    } else {
        tell(doctor, HEALTH_OK, "clock", "", "%s%s", now_text,
             crl != NULL ? ", within the dates of what the PCS gives" : "");
    }
}

static const char *
pcs_cure(const struct fault *why)
{
    switch (trouble_of(why, true)) {
    case TROUBLE_TLS:
        return "if a proxy inspects TLS, name its CA in UpstreamCaFile";
    case TROUBLE_FORGED:
        return "SECURITY: find out who answers in Intel's place; or set TrustAnchors if it is no "
               "PCS of Intel's";
    case TROUBLE_UNREGISTERED:
    case TROUBLE_UNKNOWN:
    case TROUBLE_BAD_REQUEST:
        return "is uri the PCS's base, .../sgx/certification/v4/ ?";
    case TROUBLE_REFUSED:
        return "check ApiKey and uri";
    case TROUBLE_NONE:
    case TROUBLE_DOWN:
    case TROUBLE_COUNT:
        break;
    }
    return "check network, name service and proxy (`proxy`, https_proxy)";
}

static void
pcs_check(struct doctor *doctor)
{
    auto_cleanup(pcs_side_done) struct pcs_side side = {0};
    static const char *const names[] = {"PCK CRL (Processor)", "PCK CRL (Platform)", "root CA CRL"};
    struct fault why;
    if (doctor->config.mode == CACHE_MODE_OFFLINE) {
        tell(doctor, HEALTH_OK, "PCS", "", "not asked in OFFLINE mode");
        clock_check(doctor, NULL);
        return;
    }
    if (side_make(doctor, &side, &why) != 0) {
        tell(doctor, HEALTH_FAILURE, "PCS", "see docs/configuration.md", "%s", why.text);
        return;
    }
    bool has_all = pcs_side_get_crls(&side);
    for (size_t i = 0; !has_all && i < ARRAY_COUNT(names); i++) {
        if (side.crl_why[i].code != FAULT_NONE) {
            tell(doctor, HEALTH_FAILURE, "PCS", pcs_cure(&side.crl_why[i]), "%s: %s", names[i],
                 side.crl_why[i].text);
        }
    }
    if (has_all) {
        tell(doctor, HEALTH_OK, "PCS", "", "%s answers, and what it gives verifies",
             doctor->config.uri);
    }
    key_check(doctor, &side);
    clock_check(doctor, side.pck_crls[PCK_CA_PROCESSOR]);
}

int
cmd_doctor(const struct arguments *args)
{
    struct doctor doctor = {.args = args, .findings = json_array()};
    if (configuration_check(&doctor)) {
        token_check(&doctor, "AdminTokenHash", doctor.config.admin_token_hash, "administration");
        token_check(&doctor, "UserTokenHash", doctor.config.user_token_hash, "registration");
        tls_check(&doctor);
        secret_file_check(&doctor, doctor.config.tls_key, true);
        if (doctor.config.api_key[0] != '\0') {
            secret_file_check(&doctor, doctor.options.config_path, false);
        }
        disk_check(&doctor);
        store_look(&doctor);
        pcs_check(&doctor);
        config_done(&doctor.config);
    }
    options_done(&doctor.options);
    say(args, "%zu ok, %zu warnings, %zu failures", doctor.counts[HEALTH_OK],
        doctor.counts[HEALTH_WARNING], doctor.counts[HEALTH_FAILURE]);
    say_json(args, json_pack("{s:i, s:i, s:i, s:o}", "ok", (int)doctor.counts[HEALTH_OK],
                             "warnings", (int)doctor.counts[HEALTH_WARNING], "failures",
                             (int)doctor.counts[HEALTH_FAILURE], "findings", doctor.findings));
    return doctor.counts[HEALTH_FAILURE] == 0 ? ADMIN_DONE : ADMIN_FAILED;
}
