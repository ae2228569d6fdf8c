/* The story: with the first reader we subscribe to the gateway. What it tells becomes an event in
 * the ring, and in the next turn of the loop all events of this one are offered to all readers.
 * With the first reader of packets we subscribe to packets too; each is held against the selections
 * and formatted only if one wants it. On a tick, readers get their signs of life, packets that were
 * held back are told, and what nobody wants any longer ends.
 *
 * Failure modes: a reader's slowness is its own (event_reader.h). When many events come in one
 * turn, they are offered early, so that none leaves the ring before everybody had the chance to
 * queue it. An event larger than a quarter of the ring is counted and not told. */
#include "event_publisher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/event_reader.h"
#include "rest/event_ring.h"
#include "rest/event_selection.h"
#include "rest/event_subject.h"

#define TICK           (100 * USEC_PER_MSEC) /* while somebody wants packets, which may be held back */
#define CALM_TICK      (500 * USEC_PER_MSEC)
#define LINGER         SELECTION_LINGER /* at work without readers */
#define EVENT_BYTES    ((size_t) 1024)  /* of an event, as the ring is sized */
#define RING_BYTES_MIN ((size_t) 1 << 20)
#define RING_BYTES_MAX ((size_t) 64 << 20)

struct entry {
    struct event_reader *reader;
    size_t advertisements, rssi; /* its selections; SELECTIONS_MAX: none */
};

struct event_publisher {
    struct gateway *gateway;    /* borrowed */
    struct clients *clients;    /* borrowed */
    struct device_texts *texts; /* borrowed */
    uint32_t boot;
    struct event_ring *ring;
    struct selections *selections;
    struct entry *entries;
    size_t entries_count, entries_capacity;
    struct gateway_subscription *changes; /* NULL: at rest */
    struct gateway_subscription *packets; /* NULL: nobody wants them */
    struct gateway_timer *flush, *tick, *again;
    uint64_t since;       /* the first event of this time at work */
    uint64_t offered;     /* the next event to be offered */
    size_t waiting_bytes; /* of events not yet offered */
    usec_t left;          /* by the last reader */
    struct buffer facts;
    struct writer writer;
    struct event_statistics past; /* of readers that have left, and totals */
    bool is_stopped;
};

/* ---- handing out ---- */

static void offer(struct event_publisher *p)
{
    uint64_t next = event_ring_next(p->ring);
    struct event event;

    for (; p->offered < next; p->offered++) {
        if (!event_ring_get(p->ring, p->offered, &event))
            continue;
        for (size_t i = 0; i < p->entries_count; i++)
            event_reader_offer(p->entries[i].reader, p->offered, &event);
    }
    p->waiting_bytes = 0;
}

static void on_flush(void *user)
{
    struct event_publisher *p = user;

    p->flush = NULL;
    offer(p);
}

/* Half of the ring is offered at once: what follows does not drop it. */
static void offer_in_time(struct event_publisher *p)
{
    if (event_ring_next(p->ring) - p->offered >= event_ring_capacity(p->ring) / 2 ||
        p->waiting_bytes >= event_ring_capacity_bytes(p->ring) / 2)
        offer(p);
    else if (!p->flush)
        p->flush = gateway_timer_start(p->gateway, 0, on_flush, p);
}

static void publish(struct event_publisher *p, enum event_type type, uint64_t selections,
                    const struct event_subject *subject, const struct buffer *data)
{
    const struct event event = {
            .type = type,
            .selections = selections,
            .subject = *subject,
            .data = (const char *) buffer_front(data),
            .data_size = buffer_size(data),
    };

    if (event_ring_push(p->ring, &event) != 0) {
        p->past.published++;
        p->waiting_bytes += event.data_size + subject->facts_size;
        offer_in_time(p);
    } else {
        p->past.dropped++;
    }
}

/* The data are what was written; the writer is empty afterwards. */
static void publish_written(struct event_publisher *p, enum event_type type, uint64_t selections,
                            const struct event_subject *subject)
{
    publish(p, type, selections, subject, &p->writer.text);
    buffer_clear(&p->writer.text);
    p->writer.needs_comma = false;
}

/* ---- what the gateway tells ---- */

static void on_device(void *user, const struct gateway_device_change *change)
{
    struct event_publisher *p = user;
    unsigned reasons = change->reasons, reason;
    struct event_subject subject;

    if (change->device->is_noise)
        return;
    event_subject_of_device(&subject, &p->facts, p->gateway, change->device);
    while ((reason = event_json_take_reason(&reasons))) {
        const struct buffer *text = device_texts_event(p->texts, p->gateway, change, reason);

        publish(p, EVENT_DEVICE, 0, &subject, text);
    }
}

static void on_proxy(void *user, enum gateway_proxy_reason reason, size_t proxy_index)
{
    struct event_publisher *p = user;
    struct event_subject subject;
    struct gateway_proxy proxy;

    gateway_get_proxy(p->gateway, proxy_index, &proxy);
    event_subject_of_proxy(&subject, &p->facts, proxy.config->name);
    event_json_write_proxy(&p->writer, NULL, p->gateway, reason, proxy_index);
    publish_written(p, EVENT_PROXY, 0, &subject);
}

static void on_window(void *user, const struct gateway_window_change *change)
{
    struct event_publisher *p = user;
    struct event_subject subject;

    event_subject_of_proxy(&subject, &p->facts, change->window->proxy);
    event_json_write_window(&p->writer, NULL, p->gateway, change);
    publish_written(p, EVENT_SCAN_WINDOW, 0, &subject);
}

static void on_link(void *user, const struct gateway_link_change *change)
{
    struct event_publisher *p = user;
    struct event_subject subject;

    if (!change->action)
        return;
    event_subject_of_link(&subject, &p->facts, p->gateway, change);
    event_json_write_connection(&p->writer, NULL, p->gateway, change);
    publish_written(p, EVENT_CONNECTION, 0, &subject);
}

static void on_value(void *user, const struct gateway_gatt_value *value)
{
    struct event_publisher *p = user;
    struct event_subject subject;

    event_subject_of_value(&subject, &p->facts, p->gateway, value);
    event_json_write_notification(&p->writer, NULL, p->gateway, value);
    publish_written(p, EVENT_NOTIFICATION, 0, &subject);
}

static void tell_packet(struct event_publisher *p, const struct gateway_hearing *hearing,
                        uint64_t advertisement, uint64_t rssi)
{
    struct event_subject subject;

    if (!hearing->proxy || (!advertisement && !rssi))
        return;
    event_subject_of_hearing(&subject, &p->facts, p->gateway, hearing);
    if (advertisement) {
        event_json_write_advertisement(&p->writer, NULL, p->gateway, hearing);
        publish_written(p, EVENT_ADVERTISEMENT, advertisement, &subject);
    }
    if (rssi) {
        event_json_write_rssi(&p->writer, NULL, p->gateway, hearing);
        publish_written(p, EVENT_RSSI, rssi, &subject);
    }
}

static void on_hearing(void *user, const struct gateway_hearing *hearing)
{
    struct event_publisher *p = user;
    uint64_t advertisement, rssi;

    selections_hear(p->selections, hearing, &advertisement, &rssi);
    tell_packet(p, hearing, advertisement, rssi);
}

/* The device as it is now, and the packet as it was; none of a proxy that is gone. */
static void on_due(void *user, uint64_t bits, bool is_rssi, const struct selection_packet *packet)
{
    struct event_publisher *p = user;
    struct gateway_device device;
    struct gateway_proxy proxy;
    struct gateway_hearing hearing;
    size_t index;

    if (gateway_find_device(p->gateway, packet->address, &device) != 0 ||
        gateway_find_proxy_id(p->gateway, packet->proxy_id, &index) != 0)
        return;
    gateway_get_proxy(p->gateway, index, &proxy);
    device.address_type = packet->address_type;
    hearing = (struct gateway_hearing){
            .time = packet->time,
            .device = &device,
            .proxy_id = packet->proxy_id,
            .proxy = proxy.config->name,
            .is_owner = packet->is_owner,
            .rssi = packet->rssi,
            .rssi_smoothed = packet->rssi_smoothed,
            .is_parsed = packet->is_parsed,
            .data = packet->data,
            .size = packet->size,
    };
    tell_packet(p, &hearing, is_rssi ? 0 : bits, is_rssi ? bits : 0);
}

/* ---- work and rest ---- */

static void stop_timer(struct gateway_timer **timer)
{
    gateway_timer_stop(*timer);
    *timer = NULL;
}

static void on_tick(void *user);

static void arm_tick(struct event_publisher *p)
{
    stop_timer(&p->tick);
    p->tick = gateway_timer_start(p->gateway, p->packets ? TICK : CALM_TICK, on_tick, p);
}

static void begin_work(struct event_publisher *p)
{
    const struct gateway_subscriber subscriber = {.on_device = on_device,
                                                  .on_proxy = on_proxy,
                                                  .on_window = on_window,
                                                  .on_link = on_link,
                                                  .on_value = on_value,
                                                  .user = p};

    if (p->changes)
        return;
    p->changes = gateway_subscribe(p->gateway, &subscriber);
    p->since = event_ring_next(p->ring);
    arm_tick(p);
}

static void end_work(struct event_publisher *p)
{
    gateway_unsubscribe(p->changes);
    gateway_unsubscribe(p->packets);
    p->changes = p->packets = NULL;
    stop_timer(&p->flush);
    stop_timer(&p->tick);
    stop_timer(&p->again);
}

static void listen_to_packets(struct event_publisher *p)
{
    const struct gateway_subscriber subscriber = {.on_hearing = on_hearing, .user = p};
    bool is_wanted = selections_any(p->selections);

    if (is_wanted && !p->packets) {
        p->packets = gateway_subscribe(p->gateway, &subscriber);
        arm_tick(p);
    }
    if (is_wanted)
        return;
    gateway_unsubscribe(p->packets);
    p->packets = NULL;
}

static void on_tick(void *user)
{
    struct event_publisher *p = user;
    usec_t now = gateway_now(p->gateway);

    p->tick = NULL;
    selections_advance(p->selections, now);
    listen_to_packets(p);
    for (size_t i = 0; i < p->entries_count; i++)
        p->past.cut += event_reader_tick(p->entries[i].reader, now);
    if (p->entries_count == 0 && now - p->left >= LINGER)
        end_work(p);
    if (p->changes)
        arm_tick(p);
}

/* ---- readers ---- */

static void on_again_time(void *user)
{
    struct event_publisher *p = user;

    p->again = NULL;
    for (size_t i = 0; i < p->entries_count; i++)
        event_reader_again(p->entries[i].reader);
}

static void on_again(void *user)
{
    struct event_publisher *p = user;

    if (!p->again)
        p->again = gateway_timer_start(p->gateway, 0, on_again_time, p);
}

static void leave(struct event_publisher *p, size_t selection)
{
    if (selection < SELECTIONS_MAX)
        selections_leave(p->selections, selection, gateway_now(p->gateway));
}

static void on_free(void *user, struct event_reader *reader)
{
    struct event_publisher *p = user;
    const struct client *client = event_reader_client(reader);
    size_t i = 0;

    while (p->entries[i].reader != reader)
        i++;
    leave(p, p->entries[i].advertisements);
    leave(p, p->entries[i].rssi);
    p->entries[i] = p->entries[--p->entries_count];
    p->left = gateway_now(p->gateway);
    p->past.delivered += client->messages;
    p->past.dropped += client->dropped;
    clients_remove(p->clients, event_reader_client(reader));
    if (p->is_stopped && p->entries_count == 0)
        end_work(p);
}

/* Streams must leave connections for requests that wait and for those that do not, on each
 * listener. */
static size_t readers_max(const struct config *config)
{
    size_t listeners = config->http_listen.count > 0 ? config->http_listen.count : 1;
    size_t share = (size_t) config->limits_http_connections / listeners * 7 / 16;
    size_t max = (size_t) config->limits_sse_clients;

    if (share == 0)
        share = 1;
    return share < max ? share : max;
}

static int join(struct event_publisher *p, const struct event_wish *wish, struct entry *entry)
{
    uint64_t next = event_ring_next(p->ring);
    int result = 0;

    entry->advertisements = entry->rssi = SELECTIONS_MAX;
    if (wish->types & 1u << EVENT_ADVERTISEMENT)
        result =
                selections_join(p->selections, &wish->advertisements, next, &entry->advertisements);
    if (result == 0 && wish->types & 1u << EVENT_RSSI)
        result = selections_join(p->selections, &wish->rssi, next, &entry->rssi);
    if (result != 0)
        leave(p, entry->advertisements);
    return result;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t since(const struct event_publisher *p, size_t selection)
{
    return selection < SELECTIONS_MAX ? selections_since(p->selections, selection) : 0;
}

/* The first event from which on we have all that this reader could want. */
static uint64_t first_for(const struct event_publisher *p, const struct entry *entry)
{
    uint64_t kept = (uint64_t) gateway_config(p->gateway)->limits_event_ring;
    uint64_t next = event_ring_next(p->ring);
    uint64_t first = later(p->since, event_ring_oldest(p->ring));

    first = later(first, next > kept ? next - kept : 0);
    return later(first, later(since(p, entry->advertisements), since(p, entry->rssi)));
}

static uint64_t bits_of(const struct entry *entry)
{
    uint64_t bits = 0;

    if (entry->advertisements < SELECTIONS_MAX)
        bits |= (uint64_t) 1 << entry->advertisements;
    if (entry->rssi < SELECTIONS_MAX)
        bits |= (uint64_t) 1 << entry->rssi;
    return bits;
}

static void add(struct event_publisher *p, const struct entry *entry)
{
    if (p->entries_count == p->entries_capacity) {
        p->entries_capacity = p->entries_capacity > 0 ? 2 * p->entries_capacity : 8;
        p->entries = memory_resize(p->entries, p->entries_capacity, sizeof *p->entries);
    }
    p->entries[p->entries_count++] = *entry;
}

static void set_remote(struct client *client, const char *remote)
{
    size_t size = remote ? strnlen(remote, CLIENT_REMOTE_SIZE - 1) : 0;

    if (size > 0)
        memcpy(client->remote, remote, size);
    client->remote[size] = '\0';
}

/* Enough for replay and for every reader's queue. */
static struct event_ring *make_ring(const struct config *config)
{
    size_t events = (size_t) later((uint64_t) config->limits_event_ring,
                                   (uint64_t) config->limits_sse_queue);
    size_t bytes = events * EVENT_BYTES;

    if (bytes < RING_BYTES_MIN)
        bytes = RING_BYTES_MIN;
    if (bytes > RING_BYTES_MAX)
        bytes = RING_BYTES_MAX;
    return event_ring_new(events, bytes);
}

static struct selections *make_selections(struct event_publisher *p)
{
    size_t devices_max = (size_t) gateway_config(p->gateway)->limits_devices;

    return selections_new(devices_max, /* seed= */ p->boot, on_due, p);
}

struct event_publisher *event_publisher_new(struct gateway *g, struct clients *clients,
                                            struct device_texts *texts)
{
    struct event_publisher *p = xnew(struct event_publisher, 1);

    p->gateway = g;
    p->clients = clients;
    p->texts = texts;
    p->ring = make_ring(gateway_config(g));
    p->offered = event_ring_next(p->ring);
    p->selections = make_selections(p);
    return p;
}

void event_publisher_stop(struct event_publisher *p)
{
    p->is_stopped = true;
    for (size_t i = 0; i < p->entries_count; i++)
        event_reader_end(p->entries[i].reader);
    end_work(p);
}

void event_publisher_free(struct event_publisher *p)
{
    if (!p)
        return;
    assert(p->entries_count == 0);
    end_work(p);
    selections_free(p->selections);
    event_ring_free(p->ring);
    buffer_done(&p->facts);
    writer_done(&p->writer);
    free(p->entries);
    free(p);
}

void event_publisher_set_boot(struct event_publisher *p, uint32_t boot)
{
    assert(!p->changes);
    p->boot = boot;
    selections_free(p->selections);
    p->selections = make_selections(p);
}

int event_publisher_open(struct event_publisher *p, struct event_wish *wish, const char *name,
                         const char *remote, struct answer_stream **ret_stream)
{
    struct entry entry;
    struct event_reader_setup setup;
    struct client *client;

    if (p->is_stopped || p->entries_count >= readers_max(gateway_config(p->gateway)))
        return E_OVERLOADED;
    begin_work(p);
    offer(p); /* what came before is missed, not offered */
    if (join(p, wish, &entry) != 0)
        return E_OVERLOADED;
    listen_to_packets(p);
    setup = (struct event_reader_setup){
            .gateway = p->gateway,
            .ring = p->ring,
            .boot = p->boot,
            .first = first_for(p, &entry),
            .queue_max = (size_t) gateway_config(p->gateway)->limits_sse_queue,
            .selections = bits_of(&entry),
            .on_again = on_again,
            .on_free = on_free,
            .user = p,
    };
    entry.reader = event_reader_new(&setup, wish);
    add(p, &entry);
    client = event_reader_client(entry.reader);
    client_set_name(client, name);
    set_remote(client, remote);
    clients_add(p->clients, client);
    *ret_stream = event_reader_stream(entry.reader);
    return 0;
}

void event_publisher_log(struct event_publisher *p, const struct event_log_line *line)
{
    struct event_subject subject;
    const char *proxy = NULL;

    if (!p->changes || (strcmp(line->level, "warning") != 0 && strcmp(line->level, "error") != 0))
        return;
    for (size_t i = 0; i < line->fields_count; i++) {
        if (strcmp(line->fields[i].name, "proxy") == 0)
            proxy = line->fields[i].value;
    }
    event_subject_of_proxy(&subject, &p->facts, proxy);
    event_json_write_log(&p->writer, NULL, line);
    publish_written(p, EVENT_LOG, 0, &subject);
}

void event_publisher_get_statistics(const struct event_publisher *p,
                                    struct event_statistics *ret_statistics)
{
    *ret_statistics = p->past;
    ret_statistics->readers = p->entries_count;
    ret_statistics->ring_events = (size_t) (event_ring_next(p->ring) - event_ring_oldest(p->ring));
    ret_statistics->ring_bytes = event_ring_bytes(p->ring);
    for (size_t i = 0; i < p->entries_count; i++) {
        const struct client *client = event_reader_client(p->entries[i].reader);

        ret_statistics->delivered += client->messages;
        ret_statistics->dropped += client->dropped;
    }
}
