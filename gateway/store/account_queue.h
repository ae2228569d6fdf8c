/* What became of accounts and is not in the file yet: tokens, sessions, and who changed what.
 *
 * Of one token and one session only the last word waits. Thread: the owner's. */
#pragma once

#include <stddef.h>

#include "accounts/account.h"
#include "accounts/audit.h"

#define ACCOUNT_OPS_MAX   4096 /* beyond that the oldest go; a disk that is full for long */
#define ACCOUNT_AUDIT_MAX 4096 /* the same */

enum account_op_kind {
    ACCOUNT_ADD_TOKEN,
    ACCOUNT_USE_TOKEN, /* it counts as used, if it is there: somebody else may have removed it */
    ACCOUNT_DROP_TOKEN,
    ACCOUNT_PUT_SESSION,
    ACCOUNT_DROP_SESSION,
};

struct account_op {
    enum account_op_kind kind;
    struct account_token token;     /* of the first three; the third has a name alone */
    struct account_session session; /* of the others; the last has an id alone */
};

/* Valid when zeroed. */
struct account_queue {
    struct account_op *ops;
    size_t ops_count, ops_capacity;
    struct audit_entry *audit; /* texts are ours */
    size_t audit_count, audit_capacity;
};

void account_queue_clear(struct account_queue *q);
void account_queue_done(struct account_queue *q);

void account_queue_push(struct account_queue *q, const struct account_op *op);
void account_queue_push_audit(struct account_queue *q, const struct audit_entry *entry);

/* What could not be written: goes in front, but for what was said anew since. older is empty then.
 */
void account_queue_put_back(struct account_queue *q, struct account_queue *older);

bool account_queue_is_empty(const struct account_queue *q);
/* A token was added or removed: what the file says of tokens is older than what we know. */
bool account_queue_has_tokens(const struct account_queue *q);
