/* SPDX-License-Identifier: BSD-3-Clause */
/* The handler behind the HTTP server: every request enters here and every answer leaves here. */
#ifndef PCCSD_SERVE_H
#define PCCSD_SERVE_H

#include "http/http.h"

struct daemon;
/* The callbacks for http_server_options; daemon outlives the server. */
struct http_handler serve_handler(struct daemon *daemon);

#endif
