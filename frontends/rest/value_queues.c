/* The story: a queue is a reader of the gateway's, kept under the lease that pays for it. Who asks
 * for a value looks it up each time, and keeps nothing.
 *
 * Failure modes: a lease that ends takes its queues with it. That is told from inside the gateway,
 * where no reader may be closed: such a queue is not found any more, and closed in the next turn of
 * the loop. */
#include "value_queues.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct value_queue {
    struct value_queue *next;
    uint64_t address;
    uint16_t handle;
    char *lease;
    bool is_over;
    struct gateway_gatt_reader *reader;
};

struct value_queues {
    struct gateway *gateway; /* borrowed */
    struct gateway_subscription *subscription;
    struct gateway_timer *sweep; /* NULL: nothing is over */
    struct value_queue *first;
};

static void release(struct value_queue *queue)
{
    gateway_gatt_reader_close(queue->reader);
    free(queue->lease);
    free(queue);
}

static void sweep(struct value_queues *q)
{
    struct value_queue **place = &q->first;

    while (*place) {
        struct value_queue *queue = *place;

        if (!queue->is_over) {
            place = &queue->next;
            continue;
        }
        *place = queue->next;
        release(queue);
    }
}

static void on_sweep(void *user)
{
    struct value_queues *q = user;

    q->sweep = NULL;
    sweep(q);
}

static void on_lease_ended(void *user, uint64_t address, const char *lease)
{
    struct value_queues *q = user;

    for (struct value_queue *queue = q->first; queue; queue = queue->next) {
        if (queue->address != address || strcmp(queue->lease, lease) != 0)
            continue;
        queue->is_over = true;
        if (!q->sweep)
            q->sweep = gateway_timer_start(q->gateway, 0, on_sweep, q);
    }
}

static struct value_queue *find(const struct value_queues *q, uint64_t address, uint16_t handle,
                                const char *lease)
{
    for (struct value_queue *queue = q->first; queue; queue = queue->next) {
        if (queue->address == address && queue->handle == handle && !queue->is_over &&
            strcmp(queue->lease, lease) == 0)
            return queue;
    }
    return NULL;
}

struct value_queues *value_queues_new(struct gateway *g)
{
    struct value_queues *q = xnew(struct value_queues, 1);
    const struct gateway_subscriber subscriber = {.on_lease_ended = on_lease_ended, .user = q};

    q->gateway = g;
    q->subscription = gateway_subscribe(g, &subscriber);
    return q;
}

void value_queues_free(struct value_queues *q)
{
    if (!q)
        return;
    gateway_unsubscribe(q->subscription);
    gateway_timer_stop(q->sweep);
    for (struct value_queue *queue = q->first; queue; queue = queue->next)
        queue->is_over = true;
    sweep(q);
    free(q);
}

int value_queues_keep(struct value_queues *q, uint64_t address, uint16_t handle, const char *lease,
                      struct gateway_gatt_reader *reader)
{
    struct value_queue *queue;
    int rc = 0;

    if (find(q, address, handle, lease)) {
        gateway_gatt_reader_close(reader);
        return 0;
    }
    if (!reader)
        rc = gateway_gatt_reader_open(q->gateway, address, handle, NULL, NULL, &reader);
    if (rc < 0)
        return rc;
    queue = xnew(struct value_queue, 1);
    *queue = (struct value_queue){.next = q->first,
                                  .address = address,
                                  .handle = handle,
                                  .lease = memory_copy_text(lease),
                                  .reader = reader};
    q->first = queue;
    return 0;
}

struct gateway_gatt_reader *value_queues_find(const struct value_queues *q, uint64_t address,
                                              uint16_t handle, const char *lease)
{
    const struct value_queue *queue = find(q, address, handle, lease);

    return queue ? queue->reader : NULL;
}

void value_queues_drop(struct value_queues *q, uint64_t address, uint16_t handle, const char *lease)
{
    for (struct value_queue *queue = q->first; queue; queue = queue->next) {
        if (queue->address == address && queue->handle == handle &&
            (!lease || strcmp(queue->lease, lease) == 0))
            queue->is_over = true;
    }
    sweep(q);
}
