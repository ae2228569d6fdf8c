/* The certificate of the HTTP listeners, which may change while they run. Internal to this folder;
 * the one home of GnuTLS. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* TLS 1.2 and 1.3, and what GnuTLS takes for safe. */
#define CERTIFICATE_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

#define CERTIFICATE_KEPT_MAX 64 /* pairs of before, for connections that began with them */

struct certificate_pair; /* what two files held: a chain and its key */

/* Reads two PEM files, and sees that they belong together. Blocks; thread: any. 0, or a negative
 * errno (-EBADMSG: what is in them is wrong), with a sentence that names the file. */
int certificate_read(const char *chain_path, const char *key_path,
                     struct certificate_pair **ret_pair, char *ret_error, size_t error_size);
void certificate_pair_free(struct certificate_pair *pair); /* accepts NULL */

/* Whether others may read the key. */
bool certificate_is_exposed(const struct certificate_pair *pair);

/* When files are what they were: to be compared with memcmp(), valid when zeroed. */
struct certificate_stamp {
    unsigned long long facts[2][4];
};
/* Of files that cannot be looked at it is zero. Blocks; thread: any. */
void certificate_look(const char *chain_path, const char *key_path,
                      struct certificate_stamp *ret_stamp);

/* What is shown to clients. Thread: the loop's. */
struct certificate;
struct certificate *certificate_new(struct certificate_pair *pair); /* takes it */
void certificate_free(struct certificate *c); /* no connection may be left; accepts NULL */
/* Shows this pair from now on, and takes it. */
void certificate_use(struct certificate *c, struct certificate_pair *pair);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK: shows what the caller of the connection is to be shown. */
typedef int certificate_handshake_fn(void);
certificate_handshake_fn *
certificate_get_handshake(void); /* of GnuTLS's own type, which stays here */
