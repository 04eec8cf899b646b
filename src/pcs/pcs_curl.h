/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libcurl as a table of functions, loaded when it is first needed: with all that it brings along it
 * is a third of the memory of a service that answers from its cache and rarely fetches
 * (docs/decisions/0001-curl-on-demand.md).
 */
#ifndef PCS_PCS_CURL_H
#define PCS_PCS_CURL_H

#include <curl/curl.h>

#include "base/fault.h"

/* FUNCTION(member, name in libcurl) */
#define PCS_CURL_FUNCTIONS(FUNCTION)                                                               \
    FUNCTION(global_init, curl_global_init)                                                        \
    FUNCTION(getdate, curl_getdate)                                                                \
    FUNCTION(slist_append, curl_slist_append)                                                      \
    FUNCTION(slist_free_all, curl_slist_free_all)                                                  \
    FUNCTION(easy_init, curl_easy_init)                                                            \
    FUNCTION(easy_cleanup, curl_easy_cleanup)                                                      \
    FUNCTION(easy_reset, curl_easy_reset)                                                          \
    FUNCTION(easy_setopt, curl_easy_setopt)                                                        \
    FUNCTION(easy_getinfo, curl_easy_getinfo)                                                      \
    FUNCTION(easy_strerror, curl_easy_strerror)                                                    \
    FUNCTION(multi_init, curl_multi_init)                                                          \
    FUNCTION(multi_cleanup, curl_multi_cleanup)                                                    \
    FUNCTION(multi_add_handle, curl_multi_add_handle)                                              \
    FUNCTION(multi_remove_handle, curl_multi_remove_handle)                                        \
    FUNCTION(multi_perform, curl_multi_perform)                                                    \
    FUNCTION(multi_poll, curl_multi_poll)                                                          \
    FUNCTION(multi_info_read, curl_multi_info_read)

struct pcs_curl {
#define FUNCTION(member, name) __typeof__(name) *member;
    PCS_CURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/* Whole once pcs_curl_load has returned 0, and never changed after. */
extern struct pcs_curl pcs_curl;

/* Loads libcurl if nobody has yet; FAULT_UPSTREAM_DOWN says why it cannot be. Any thread. */
int pcs_curl_load(struct fault *why) must_check;

#endif
