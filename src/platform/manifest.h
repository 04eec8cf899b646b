/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The platform manifest as the firmware offers it through efivarfs, and the bit that tells the
 * firmware that it was taken.
 */
#ifndef PLATFORM_MANIFEST_H
#define PLATFORM_MANIFEST_H

#include <stdbool.h>

#include "base/buf.h"
#include "platform/efi_registration.h"
#include "platform/platform_state.h"

#define MANIFEST_EFIVARS "/sys/firmware/efi/efivars"

struct manifest {
    struct buf file;     /* the request variable */
    struct span payload; /* in file; empty unless the state is waiting or reboot-pending */
    uint16_t version;    /* of the request; 0 without one */
    bool has_status;
    struct efi_status status;
    bool has_configuration;
    struct efi_configuration configuration;
    struct finding finding; /* its state */
};

/* Looks at all three variables of the folder; always gives a state. FAULT_MEMORY alone fails. The
 * caller ends it with manifest_done. */
int manifest_read(const char *efivars, struct manifest *ret_manifest, struct fault *why) must_check;
void manifest_done(struct manifest *manifest);

enum manifest_mark {
    MANIFEST_MARKED,         /* set now */
    MANIFEST_MARKED_BEFORE,  /* was set already: nothing was written */
    MANIFEST_MARK_NO_STATUS, /* there is no status variable; none is created */
    MANIFEST_MARK_READ_ONLY, /* the firmware does not take writes */
    MANIFEST_MARK_FIRMWARE,  /* holds an error of the firmware: left alone */
    MANIFEST_MARK_MALFORMED, /* left alone */
    MANIFEST_MARK_FAILED,    /* could not be written; why says how */
};

/* Sets the completion bit: the variable is read, the one bit changed (an earlier program's error
 * cleared), written in one write, read again. Whatever the outcome, why has a line for a human. */
enum manifest_mark manifest_mark_complete(const char *efivars, struct fault *why);

#endif
