/* Requests that wait for a backup that is made, or for one that is checked. */
#pragma once

#include "rest/pending.h"

/* passphrase NULL: without secrets. 0: the request waits; REST_ANSWERED: it could not begin. */
int backup_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                      const char *passphrase);

/* Restores the body of the request, which is a file. As above. */
int restore_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request);
