/* SPDX-License-Identifier: BSD-3-Clause */
/* The three modes as one table: mode x situation -> action (api.md, every endpoint). */
#ifndef CACHE_MODE_H
#define CACHE_MODE_H

#include "terms/terms.h"

enum situation {
    SITUATION_ITEM_MISSING,       /* CRL, root CRL, evaluation numbers ... not cached */
    SITUATION_V4_MISSING,         /* TCB info, identity of API v4 not cached */
    SITUATION_V3_MISSING,         /* the same of API v3 */
    SITUATION_ITEM_EXPIRED,       /* cached, but past its next update, or its signer revoked */
    SITUATION_V3_EXPIRED,         /* the same of API v3: v3 is not refreshed */
    SITUATION_PLATFORM_UNKNOWN,   /* pckcert of a platform that is not cached */
    SITUATION_CERTS_INCOMPLETE,   /* pckcert; some certificates were Not available an hour ago */
    SITUATION_REGISTRATION_NEW,   /* POST platforms of what is not cached */
    SITUATION_REGISTRATION_KNOWN, /* POST platforms of what is cached */
    SITUATION_REFRESH,
    SITUATION_COUNT
};

enum action {
    ACTION_FETCH,           /* ask the PCS now */
    ACTION_QUEUE_AND_FETCH, /* a queue row first, done after the fetch */
    ACTION_QUEUE,           /* a queue row, nothing else */
    ACTION_SERVE,           /* what is cached, stale if need be */
    ACTION_DONE,            /* nothing to do: 200 */
    ACTION_REFUSE_404,
    ACTION_REFUSE_410,
    ACTION_REFUSE_461,
    ACTION_REFUSE_503
};

enum action mode_action(enum cache_mode mode, enum situation situation);

#endif
