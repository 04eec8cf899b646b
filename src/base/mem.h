/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ownership in a word: auto_free for local owners, take() where ownership leaves, must() for what
 * only a fault of ours can break.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdlib.h>

static inline void
mem_free_pointed(void *pointer_address)
{
    void **pointer = pointer_address;
    free(*pointer);
}

/* auto_free char *text = NULL;  -- freed when the scope ends */
#define auto_free __attribute__((cleanup(mem_free_pointed)))

/* auto_cleanup(buf_done) struct buf b = BUF_INIT(...); -- any destructor taking the address */
#define auto_cleanup(function) __attribute__((cleanup(function)))

/* Yields *pointer_address and sets it to NULL: ownership leaves this scope. */
#define take(pointer_address)                                                                      \
    __extension__({                                                                                \
        __typeof__(*(pointer_address)) taken_ = *(pointer_address);                                \
        *(pointer_address) = NULL;                                                                 \
        taken_;                                                                                    \
    })

/* Asserts what only our own mistake can break; on in release. Outside bytes never reach it. */
#define must(expression) ((expression) ? (void)0 : must_failed(#expression, __FILE__, __LINE__))

_Noreturn void must_failed(const char *expression, const char *file, int line);

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
