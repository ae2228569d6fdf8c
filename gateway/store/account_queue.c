#include "account_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool is_of_token(const struct account_op *op)
{
    return op->kind <= ACCOUNT_DROP_TOKEN;
}

static bool is_same_thing(const struct account_op *a, const struct account_op *b)
{
    if (is_of_token(a) != is_of_token(b))
        return false;
    return is_of_token(a) ? strcmp(a->token.name, b->token.name) == 0
                          : memcmp(a->session.id, b->session.id, sizeof a->session.id) == 0;
}

static void drop_at(struct account_queue *q, size_t i)
{
    q->ops_count--;
    memmove(&q->ops[i], &q->ops[i + 1], (q->ops_count - i) * sizeof *q->ops);
}

static struct account_op *find_same(struct account_queue *q, const struct account_op *op)
{
    for (size_t i = 0; i < q->ops_count; i++) {
        if (is_same_thing(&q->ops[i], op))
            return &q->ops[i];
    }
    return NULL;
}

static void free_texts(const struct audit_entry *e)
{
    free((char *) e->actor);
    free((char *) e->remote);
    free((char *) e->action);
    free((char *) e->changed);
}

static void drop_oldest_audit(struct account_queue *q)
{
    free_texts(&q->audit[0]);
    q->audit_count--;
    memmove(&q->audit[0], &q->audit[1], q->audit_count * sizeof *q->audit);
}

/* Takes the texts. */
static void add_audit(struct account_queue *q, const struct audit_entry *entry)
{
    if (q->audit_count == ACCOUNT_AUDIT_MAX)
        drop_oldest_audit(q);
    if (q->audit_count == q->audit_capacity) {
        q->audit_capacity = q->audit_capacity ? 2 * q->audit_capacity : 16;
        q->audit = memory_resize(q->audit, q->audit_capacity, sizeof *q->audit);
    }
    q->audit[q->audit_count++] = *entry;
}

void account_queue_clear(struct account_queue *q)
{
    for (size_t i = 0; i < q->audit_count; i++)
        free_texts(&q->audit[i]);
    q->ops_count = q->audit_count = 0;
}

void account_queue_done(struct account_queue *q)
{
    account_queue_clear(q);
    free(q->ops);
    free(q->audit);
    *q = (struct account_queue){0};
}

void account_queue_push(struct account_queue *q, const struct account_op *op)
{
    struct account_op *same = find_same(q, op);

    if (same && op->kind == ACCOUNT_USE_TOKEN) {
        same->token.last_used = op->token.last_used;
        return;
    }
    if (same)
        drop_at(q, (size_t) (same - q->ops));
    if (q->ops_count == ACCOUNT_OPS_MAX)
        drop_at(q, 0);
    if (q->ops_count == q->ops_capacity) {
        q->ops_capacity = q->ops_capacity ? 2 * q->ops_capacity : 16;
        q->ops = memory_resize(q->ops, q->ops_capacity, sizeof *q->ops);
    }
    q->ops[q->ops_count++] = *op;
}

void account_queue_push_audit(struct account_queue *q, const struct audit_entry *entry)
{
    struct audit_entry copy = *entry;

    copy.actor = memory_copy_text(entry->actor);
    copy.remote = memory_copy_text(entry->remote);
    copy.action = memory_copy_text(entry->action);
    copy.changed = memory_copy_text(entry->changed);
    add_audit(q, &copy);
}

void account_queue_put_back(struct account_queue *q, struct account_queue *older)
{
    struct account_queue newer = *q;

    *q = *older;
    *older = (struct account_queue){0};
    for (size_t i = 0; i < newer.ops_count; i++)
        account_queue_push(q, &newer.ops[i]);
    for (size_t i = 0; i < newer.audit_count; i++)
        add_audit(q, &newer.audit[i]);
    newer.audit_count = 0;
    account_queue_done(&newer);
}

bool account_queue_is_empty(const struct account_queue *q)
{
    return q->ops_count == 0 && q->audit_count == 0;
}

bool account_queue_has_tokens(const struct account_queue *q)
{
    for (size_t i = 0; i < q->ops_count; i++) {
        if (q->ops[i].kind == ACCOUNT_ADD_TOKEN || q->ops[i].kind == ACCOUNT_DROP_TOKEN)
            return true;
    }
    return false;
}
