/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How store copy speaks of what it does: a count of everything, a line for each thing that was
 * left, sums at the end. Takes names and verdicts; gives lines, and members of the JSON object.
 * Called by store_copy*.c, on the main thread.
 * Must never show a PPID or a manifest, nor a byte of a name that a terminal would obey, nor keep
 * more than COPY_LISTED_MAX lines in memory for the JSON object.
 */
#include <stdio.h>

#include "base/mem.h"
#include "pccsadmin/store_copy.h"

static const char *const kind_words[COPY_KINDS] = {"items", "platforms", "registrations",
                                                   "policies"};

/* ---- names ---- */

/* A fault's text is printable, whatever is put into it. */
__attribute__((format(printf, 2, 3))) static void
name_make(char out[COPY_NAME_SIZE], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(out, COPY_NAME_SIZE, format, list);
    va_end(list);
    for (char *c = out; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

void
copy_name_item(const struct item_key *key, char out[COPY_NAME_SIZE])
{
    char text[ITEM_KEY_TEXT_SIZE];
    item_key_text(key, text);
    name_make(out, "item %s", text);
}

void
copy_name_platform(const struct platform_id *id, char out[COPY_NAME_SIZE])
{
    name_make(out, "platform %s/%s", id->qeid, id->pceid);
}

void
copy_name_queue_row(const struct queue_row *row, char out[COPY_NAME_SIZE])
{
    name_make(out, "registration %s/%s/%s/%s", row->id.qeid, row->id.pceid, row->cpusvn,
              row->pcesvn);
}

void
copy_name_policy(const struct policy_row *row, char out[COPY_NAME_SIZE])
{
    name_make(out, "policy %s", row->id);
}

/* ---- one thing ---- */

static void
list_add(struct store_copy *copy, const char *name, const char *what, const char *reason)
{
    if (json_array_size(copy->listed) < COPY_LISTED_MAX) {
        json_array_append_new(copy->listed, json_pack("{s:s, s:s, s:s}", "name", name, "verdict",
                                                      what, "reason", reason));
    }
}

void
copy_step(struct store_copy *copy)
{
    copy->progress.done++;
    progress_show(&copy->progress);
}

void
copy_tell_same(struct store_copy *copy, enum copy_kind kind)
{
    copy->counts[kind].same++;
    copy_step(copy);
}

void
copy_tell_copied(struct store_copy *copy, enum copy_kind kind)
{
    copy->counts[kind].copied++;
    copy_step(copy);
}

void
copy_tell_newer(struct store_copy *copy, enum copy_kind kind, const char *name, const char *reason)
{
    copy->counts[kind].newer++;
    progress_clear(&copy->progress);
    say(copy->args, "kept: %s: %s", name, reason);
    list_add(copy, name, "newer", reason);
    copy_step(copy);
}

void
copy_tell_skipped(struct store_copy *copy, enum copy_kind kind, const char *name,
                  const char *reason)
{
    copy->counts[kind].skipped++;
    copy->progress.failed++;
    progress_clear(&copy->progress);
    say_warning("not copied: %s: %s", name, reason);
    list_add(copy, name, "skipped", reason);
    copy_step(copy);
}

void
copy_tell_differs(struct store_copy *copy, enum copy_kind kind, const char *name,
                  enum copy_verdict verdict)
{
    const char *reason =
        verdict == COPY_MISSING ? "the target does not have it" : "the target has something else";
    copy->counts[kind].differs++;
    copy->progress.failed++;
    progress_clear(&copy->progress);
    if (copy->only_verify) {
        say_warning("%s: %s: %s", verdict == COPY_MISSING ? "missing" : "differs", name, reason);
    } else {
        say_error("%s was written, but %s", name, reason);
    }
    list_add(copy, name, verdict == COPY_MISSING ? "missing" : "differs", reason);
    copy_step(copy);
}

void
copy_tell_unread(struct store_copy *copy, enum copy_kind kind, const char *what, uint64_t count,
                 uint64_t met)
{
    if (count <= met) {
        return;
    }
    char name[COPY_NAME_SIZE];
    uint64_t unread = count - met;
    name_make(name, "%llu %s", (unsigned long long)unread, what);
    copy_tell_skipped(copy, kind, name, "the source's rows are damaged and cannot be read");
    copy->counts[kind].skipped += (size_t)unread - 1;
}

/* ---- all ---- */

static json_t *
counts_json(const struct copy_counts *counts)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "copied", (json_int_t)counts->copied, "same",
                     (json_int_t)counts->same, "newer", (json_int_t)counts->newer, "skipped",
                     (json_int_t)counts->skipped, "differs", (json_int_t)counts->differs);
}

static void
counts_say(const struct store_copy *copy, enum copy_kind kind)
{
    const struct copy_counts *counts = &copy->counts[kind];
    if (copy->only_verify) {
        say(copy->args,
            "%-14s %8zu the same %8zu newer in the target %8zu missing or different "
            "%8zu unusable in the source",
            kind_words[kind], counts->same, counts->newer, counts->differs, counts->skipped);
    } else {
        say(copy->args,
            "%-14s %8zu copied %8zu the same already %8zu newer in the target "
            "%8zu not copied",
            kind_words[kind], counts->copied, counts->same, counts->newer,
            counts->skipped + counts->differs);
    }
}

int
copy_tell_end(struct store_copy *copy, const char *from, const char *to)
{
    json_t *object =
        json_pack("{s:s, s:s, s:b}", "from", from, "to", to, "only_verified", copy->only_verify);
    size_t left = 0;
    size_t differs = 0;
    for (int kind = 0; kind < COPY_KINDS; kind++) {
        counts_say(copy, (enum copy_kind)kind);
        json_object_set_new(object, kind_words[kind], counts_json(&copy->counts[kind]));
        left += copy->counts[kind].skipped + copy->counts[kind].differs;
        differs += copy->counts[kind].differs;
    }
    json_object_set_new(object, "complete", json_boolean(left == 0));
    json_object_set(object, "listed", copy->listed);
    say_json(copy->args, object);
    if (differs > 0) {
        say_error("%zu things are not in the target as they are in the source", differs);
    } else if (left > 0) {
        say_error("%zu things of the source were not copied; all else is in the target", left);
    }
    return left == 0 ? ADMIN_DONE : ADMIN_FAILED;
}
