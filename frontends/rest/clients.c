#include "clients.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/cursor.h"

struct clients {
    struct client *first, *last; /* in order of arrival */
    size_t count;
    uint64_t numbered; /* so far */
};

static const char *const kind_names[] = {
        [CLIENT_SSE] = "sse",
        [CLIENT_MQTT] = "mqtt",
        [CLIENT_ESPHOME] = "esphome",
        [CLIENT_MATTER] = "matter",
};

static void write_client(struct writer *w, const struct gateway *g, const struct client *client)
{
    char id[24];

    snprintf(id, sizeof id, "c%llu", (unsigned long long) client->number);
    writer_begin_object(w, NULL);
    writer_text(w, "id", id);
    writer_text(w, "kind", kind_names[client->kind]);
    writer_text(w, "name", client->name);
    writer_text(w, "remote", client->remote);
    writer_time(w, "since", gateway_wall(g, client->since));
    writer_unsigned(w, "messages", client->messages);
    writer_unsigned(w, "bytes", client->bytes);
    writer_unsigned(w, "dropped", client->dropped);
    writer_unsigned(w, "queued", client->queued);
    writer_unsigned(w, "links", client->links);
    writer_text(w, "wanted_mode", client->wanted_mode);
    writer_end_object(w);
}

/* The next one of the kind behind that number. */
static const struct client *find_next(const struct client *client, const enum client_kind *kind,
                                      uint64_t after)
{
    while (client && (client->number <= after || (kind && client->kind != *kind)))
        client = client->next;
    return client;
}

static void write_next(struct writer *w, uint64_t last)
{
    char *text = cursor_encode((const uint8_t *) &last, sizeof last);

    writer_text(w, "next", text);
    free(text);
}

void client_set_name(struct client *client, const char *name)
{
    size_t size = name ? strlen(name) : 0;

    if (size > CLIENT_NAME_SIZE - 1)
        size = CLIENT_NAME_SIZE - 1;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char) name[i];

        client->name[i] = c < 0x20 || c >= 0x7f ? '?' : (char) c;
    }
    client->name[size] = '\0';
}

struct clients *clients_new(void)
{
    return xnew(struct clients, 1);
}

void clients_free(struct clients *clients)
{
    assert(!clients || clients->count == 0);
    free(clients);
}

void clients_add(struct clients *clients, struct client *client)
{
    client->number = ++clients->numbered;
    client->next = NULL;
    client->previous = clients->last;
    if (clients->last)
        clients->last->next = client;
    else
        clients->first = client;
    clients->last = client;
    clients->count++;
}

void clients_remove(struct clients *clients, struct client *client)
{
    if (client->previous)
        client->previous->next = client->next;
    else
        clients->first = client->next;
    if (client->next)
        client->next->previous = client->previous;
    else
        clients->last = client->previous;
    clients->count--;
}

size_t clients_count(const struct clients *clients)
{
    return clients->count;
}

bool clients_parse_kind(const char *text, enum client_kind *ret_kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *ret_kind = (enum client_kind) i;
            return true;
        }
    }
    return false;
}

int clients_write(const struct clients *clients, struct writer *w, const struct gateway *g,
                  const enum client_kind *kind, const char *cursor, size_t limit)
{
    uint8_t position[CURSOR_SIZE_MAX];
    const struct client *client;
    uint64_t after = 0;
    size_t size;

    if (cursor && (!cursor_decode(position, cursor, &size) || size != sizeof after))
        return E_INVALID_REQUEST;
    if (cursor)
        memcpy(&after, position, sizeof after);
    writer_begin_object(w, NULL);
    writer_begin_array(w, "items");
    client = find_next(clients->first, kind, after);
    for (; client && limit > 0; limit--) {
        write_client(w, g, client);
        after = client->number;
        client = find_next(client->next, kind, after);
    }
    writer_end_array(w);
    if (client)
        write_next(w, after);
    else
        writer_null(w, "next");
    writer_end_object(w);
    return 0;
}
