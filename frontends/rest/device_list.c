/* The story: one walk over the table keeps the first limit + 1 devices of the order in a heap whose
 * root is the last of them; a device that comes before the root takes its place. Then the heap is
 * sorted and written. The one too many says that there is a next page. Nothing is kept between
 * pages: the cursor says all. */
#include "device_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/cursor.h"
#include "json/device_json.h"

#define LIMIT_STANDARD  100
#define RSSI_UNKNOWN    (-1000)
#define CURSOR_KEY_SIZE 15 /* order, number, address; the text follows */

struct heap {
    const struct device_list *list;
    struct device_key *keys; /* ours */
    size_t count, capacity;
};

/* ---- order ---- */

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_texts(const struct device_key *a, const struct device_key *b)
{
    size_t common = a->text_size < b->text_size ? a->text_size : b->text_size;
    int result = common > 0 ? memcmp(a->text, b->text, common) : 0;

    return result != 0 ? result : (a->text_size > b->text_size) - (a->text_size < b->text_size);
}

/* Descending is the exact reverse, also among equals. */
static int compare_keys(const struct device_list *l, const struct device_key *a,
                        const struct device_key *b)
{
    int result = compare_numbers(a->number, b->number);

    if (result == 0)
        result = compare_texts(a, b);
    if (result == 0)
        result = compare_numbers((int64_t) a->address, (int64_t) b->address);
    return l->is_descending ? -result : result;
}

static struct device_key key_of(const struct device_list *l, const struct gateway_device *d)
{
    struct device_key key = {.address = d->address};

    switch (l->sort) {
    case DEVICE_SORT_ADDRESS:
        break;
    case DEVICE_SORT_NAME:
        key.text = d->name;
        key.text_size = d->name ? d->name_size : 0;
        if (key.text_size > DEVICE_LIST_NAME_MAX)
            key.text_size = DEVICE_LIST_NAME_MAX;
        break;
    case DEVICE_SORT_RSSI:
        key.number = d->rssi == 0 ? RSSI_UNKNOWN : d->rssi;
        break;
    case DEVICE_SORT_LAST_SEEN:
        key.number = (int64_t) d->last_seen;
        break;
    }
    return key;
}

/* ---- cursor ---- */

static void put_be(uint8_t *octets, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0; value >>= 8)
        octets[i] = (uint8_t) value;
}

static uint64_t get_be(const uint8_t *octets, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | octets[i];
    return value;
}

static uint8_t order_octet(const struct device_list *l)
{
    return (uint8_t) ((unsigned) l->sort << 1 | l->is_descending);
}

static char *encode_key(const struct device_list *l, const struct device_key *key)
{
    uint8_t data[CURSOR_KEY_SIZE + DEVICE_LIST_NAME_MAX];

    data[0] = order_octet(l);
    put_be(data + 1, (uint64_t) key->number, 8);
    put_be(data + 9, key->address, 6);
    if (key->text_size > 0)
        memcpy(data + CURSOR_KEY_SIZE, key->text, key->text_size);
    return cursor_encode(data, CURSOR_KEY_SIZE + key->text_size);
}

static void read_cursor(struct device_list *l, const char *text, struct faults *faults)
{
    uint8_t data[CURSOR_SIZE_MAX];
    size_t size;

    if (!cursor_decode(data, text, &size) || size < CURSOR_KEY_SIZE ||
        size > CURSOR_KEY_SIZE + DEVICE_LIST_NAME_MAX) {
        faults_add_unreadable(faults, "cursor is not one of this list");
        return;
    }
    if (data[0] != order_octet(l)) {
        faults_add_query(faults, "cursor", "belongs to a list in another order");
        return;
    }
    l->has_after = true;
    l->after.number = (int64_t) get_be(data + 1, 8);
    l->after.address = get_be(data + 9, 6);
    l->after.text_size = size - CURSOR_KEY_SIZE;
    l->after.text = l->after_text;
    memcpy(l->after_text, data + CURSOR_KEY_SIZE, l->after.text_size);
}

static void read_order(struct device_list *l, const char *value)
{
    static const struct {
        const char *name;
        enum device_sort sort;
    } orders[] = {{"address", DEVICE_SORT_ADDRESS},
                  {"name", DEVICE_SORT_NAME},
                  {"rssi", DEVICE_SORT_RSSI},
                  {"last_seen", DEVICE_SORT_LAST_SEEN}};

    if (!value)
        return;
    l->is_descending = value[0] == '-';
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        if (strcmp(value + l->is_descending, orders[i].name) == 0)
            l->sort = orders[i].sort;
    }
}

/* ---- heap: the root comes last in the order ---- */

static void swap_keys(struct heap *h, size_t a, size_t b)
{
    struct device_key key = h->keys[a];

    h->keys[a] = h->keys[b];
    h->keys[b] = key;
}

static bool is_before(const struct heap *h, size_t a, size_t b)
{
    return compare_keys(h->list, &h->keys[a], &h->keys[b]) < 0;
}

static void sift_up(struct heap *h, size_t at)
{
    while (at > 0 && is_before(h, (at - 1) / 2, at)) {
        swap_keys(h, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct heap *h, size_t at)
{
    for (;;) {
        size_t last = at, left = 2 * at + 1;

        if (left < h->count && is_before(h, last, left))
            last = left;
        if (left + 1 < h->count && is_before(h, last, left + 1))
            last = left + 1;
        if (last == at)
            return;
        swap_keys(h, at, last);
        at = last;
    }
}

static void heap_offer(struct heap *h, const struct device_key *key)
{
    if (h->count < h->capacity) {
        h->keys[h->count++] = *key;
        sift_up(h, h->count - 1);
    } else if (compare_keys(h->list, key, &h->keys[0]) < 0) {
        h->keys[0] = *key;
        sift_down(h, 0);
    }
}

/* Empties the heap from the back, which leaves the keys in order. */
static void heap_sort(struct heap *h)
{
    size_t count = h->count;

    while (h->count > 1) {
        swap_keys(h, 0, --h->count);
        sift_down(h, 0);
    }
    h->count = count;
}

static void collect(struct heap *h, const struct gateway *g)
{
    struct gateway_device device;
    size_t position = 0;

    while (gateway_next_device(g, &position, &device)) {
        struct device_key key;

        if (!device_list_includes(h->list, g, &device))
            continue;
        key = key_of(h->list, &device);
        heap_offer(h, &key);
    }
    heap_sort(h);
}

void device_list_read(struct device_list *ret_list, const struct query *query,
                      struct faults *faults)
{
    const char *cursor = query_text(query, "cursor");

    *ret_list = (struct device_list){
            .limit = (size_t) query_integer(query, "limit", LIMIT_STANDARD),
    };
    read_order(ret_list, query_text(query, "sort"));
    if (cursor)
        read_cursor(ret_list, cursor, faults);
    device_filter_read(&ret_list->filter, query, faults);
}

void device_list_done(struct device_list *l)
{
    device_filter_done(&l->filter);
}

void device_list_move(struct device_list *target, struct device_list *source)
{
    *target = *source;
    target->after.text = target->after_text;
    *source = (struct device_list){0};
}

bool device_list_includes(const struct device_list *l, const struct gateway *g,
                          const struct gateway_device *device)
{
    struct device_key key;

    if (l->has_after) {
        key = key_of(l, device);
        if (compare_keys(l, &key, &l->after) <= 0)
            return false;
    }
    return device_filter_matches(&l->filter, g, device);
}

size_t device_list_write_items(const struct device_list *l, struct writer *w,
                               const struct gateway *g, char **ret_next)
{
    struct heap heap = {
            .list = l,
            .keys = xnew(struct device_key, l->limit + 1),
            .capacity = l->limit + 1,
    };
    size_t items;

    collect(&heap, g);
    items = heap.count < l->limit ? heap.count : l->limit;
    writer_begin_array(w, "items");
    for (size_t i = 0; i < items; i++) {
        struct gateway_device device;

        if (gateway_find_device(g, heap.keys[i].address, &device) == 0)
            device_json_write(w, NULL, g, &device);
    }
    writer_end_array(w);
    *ret_next = heap.count > items ? encode_key(l, &heap.keys[items - 1]) : NULL;
    free(heap.keys);
    return items;
}

size_t device_list_write(const struct device_list *l, struct writer *w, const struct gateway *g)
{
    char *next AUTO_FREE = NULL;
    size_t items;

    writer_begin_object(w, NULL);
    items = device_list_write_items(l, w, g, &next);
    writer_text(w, "next", next);
    writer_end_object(w);
    return items;
}
