/* Accounts as JSON: never with a secret, but for the one time when a token is made. Pure. */
#pragma once

#include "accounts/accounts.h"
#include "json/writer.h"

/* Schema Token; secret not NULL: TokenCreated. */
void account_json_write_token(struct writer *w, const char *key, const struct account_token *token,
                              const char *secret);

/* Schema Session. auth_required: there are tokens. */
void account_json_write_session(struct writer *w, const char *key,
                                const struct account_identity *identity, bool auth_required);

/* Schema AuditEntry. */
void account_json_write_audit(struct writer *w, const char *key, const struct audit_entry *entry);
