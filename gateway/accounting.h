/* Accounts on the loop: what the store kept of them, chance for their secrets, who waits for the
 * disk, and the minute in which sessions end and old rows go. For gateway.c and gateway_accounts.c
 * alone. Thread: the loop's. */
#pragma once

#include "accounts/accounts.h"

struct accounting;
struct gateway;
struct gateway_token_change;
struct store;

/* Reads what the store kept, blocking: before the loop runs. The store is borrowed until
 * accounting_stop(); NULL: nothing is kept. */
struct accounting *accounting_new(struct gateway *g, struct store *store);

/* Lets go of the store, and ends changes that wait (E_SHUTTING_DOWN). */
void accounting_stop(struct accounting *a);
void accounting_free(struct accounting *a); /* accepts NULL */

struct accounts *accounting_accounts(const struct accounting *a);

/* As the functions of gateway.h. */
int accounting_read_tokens(struct accounting *a, const char *path, char *ret_error,
                           size_t error_size);
void accounting_identify(struct accounting *a, const struct account_credentials *credentials,
                         const char *remote, struct account_identity *ret_identity);
int accounting_add_token(struct accounting *a, const char *name, enum account_role role,
                         char ret_secret[SECRET_TOKEN_SIZE], struct gateway_token_change *change);
int accounting_remove_token(struct accounting *a, const char *name,
                            struct gateway_token_change *change);
void accounting_cancel(struct accounting *a, struct gateway_token_change *change);
int accounting_sign_in(struct accounting *a, const char *token, struct account_source source,
                       const char *remote, const struct account_identity *before,
                       char ret_cookie[SECRET_ID_SIZE], struct account_identity *ret_identity);
void accounting_audit(struct accounting *a, const struct audit_entry *entry);
