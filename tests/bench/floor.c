/* bench-floor: the least that a program can do with the streams of many proxies.
 *
 *   bench-floor [--key] PORT…
 *
 * This file is a yardstick and does not change any more: what is measured against it stays
 * comparable. It therefore shares nothing with the gateway, not even a decoder.
 *
 * The story: it connects to each port, reads into a large buffer of the connection, takes the
 * frames where they lie (decrypting them there with --key), reads the entries of message 93 by
 * hand, and notes each in one hash table with a row for each device at each proxy. There are no
 * sessions: a connection begins with the 32 octets of its key, and everything behind is frames.
 * "count" on standard input is answered by one line of JSON.
 *
 * Failure modes: whatever is not as expected ends the program. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_SIZE  (256 * 1024)
#define STREAMS_MAX  64
#define KEY_SIZE     crypto_aead_chacha20poly1305_ietf_KEYBYTES
#define TAG_SIZE     crypto_aead_chacha20poly1305_ietf_ABYTES
#define MESSAGE      93
#define PAYLOAD_MAX  62
#define NOT_COMPLETE SIZE_MAX

struct row {
    uint64_t key; /* address and proxy; 0: free */
    uint64_t time;
    uint32_t count;
    int8_t rssi;
    uint8_t type, size;
    uint8_t payload[PAYLOAD_MAX];
};

struct stream {
    int socket;
    uint64_t proxy;
    bool has_key;
    uint8_t key[KEY_SIZE];
    uint64_t nonce;
    uint8_t *data;
    size_t end;
};

struct floor {
    bool is_encrypted;
    struct stream streams[STREAMS_MAX];
    size_t streams_count;
    struct row *rows;
    size_t rows_count, mask;
    uint64_t now, advertisements, reads;
};

__attribute__((noreturn)) static void fail(const char *why)
{
    (void) fprintf(stderr, "bench-floor: %s\n", why);
    exit(1);
}

/* ---- the table ---- */

static struct row *locate(struct row *rows, size_t mask, uint64_t key)
{
    size_t i = (size_t) ((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;

    while (rows[i].key && rows[i].key != key)
        i = (i + 1) & mask;
    return &rows[i];
}

static void grow(struct floor *f)
{
    size_t mask = f->rows ? 2 * f->mask + 1 : 1023;
    struct row *rows = calloc(mask + 1, sizeof *rows);

    if (!rows)
        fail("no memory");
    for (size_t i = 0; f->rows && i <= f->mask; i++) {
        if (f->rows[i].key)
            *locate(rows, mask, f->rows[i].key) = f->rows[i];
    }
    free(f->rows);
    f->rows = rows;
    f->mask = mask;
}

static struct row *find(struct floor *f, uint64_t key)
{
    struct row *row = locate(f->rows, f->mask, key);

    if (row->key)
        return row;
    if (++f->rows_count * 4 > (f->mask + 1) * 3) {
        grow(f);
        row = locate(f->rows, f->mask, key);
    }
    row->key = key;
    return row;
}

/* ---- decoding ---- */

static inline uint64_t varint(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;

    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t octet = *(*at)++;

        value |= (uint64_t) (octet & 0x7f) << shift;
        if (octet < 0x80)
            return value;
    }
    fail("a varint does not end");
}

static void take_entry(struct floor *f, uint64_t proxy, const uint8_t *at, const uint8_t *end)
{
    uint64_t address = 0, rssi = 0, type = 0, size = 0;
    const uint8_t *payload = NULL;
    struct row *row;

    while (at < end) {
        switch (*at++) {
        case 0x08:
            address = varint(&at, end);
            break;
        case 0x10:
            rssi = varint(&at, end);
            break;
        case 0x18:
            type = varint(&at, end);
            break;
        case 0x22:
            size = varint(&at, end);
            if (size > (uint64_t) (end - at) || size > PAYLOAD_MAX)
                fail("a payload is too long");
            payload = at;
            at += size;
            break;
        default:
            fail("a field that is not known");
        }
    }
    row = find(f, address << 8 | (proxy + 1));
    row->time = f->now;
    row->count++;
    row->rssi = (int8_t) ((rssi >> 1) ^ -(rssi & 1));
    row->type = (uint8_t) type;
    row->size = (uint8_t) size;
    if (payload)
        memcpy(row->payload, payload, size);
    f->advertisements++;
}

static void take_body(struct floor *f, uint64_t proxy, const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size;

    while (at < end) {
        uint64_t length;

        if (*at++ != 0x0a)
            fail("a field that is not known");
        length = varint(&at, end);
        if (length > (uint64_t) (end - at))
            fail("an entry does not end");
        take_entry(f, proxy, at, at + length);
        at += length;
    }
}

/* ---- frames: how many octets one takes, or NOT_COMPLETE ---- */

static size_t take_plain(struct floor *f, struct stream *s, const uint8_t *data, size_t size)
{
    const uint8_t *at = data + 1, *end = data + size;
    uint64_t length, type;

    if (size < 7)
        return NOT_COMPLETE;
    if (data[0] != 0)
        fail("not a plaintext frame");
    length = varint(&at, end);
    type = varint(&at, end);
    if (length > (uint64_t) (end - at))
        return NOT_COMPLETE;
    if (type == MESSAGE)
        take_body(f, s->proxy, at, length);
    return (size_t) (at - data) + length;
}

static size_t take_noise(struct floor *f, struct stream *s, uint8_t *data, size_t size)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};
    size_t length;

    if (size < 3)
        return NOT_COMPLETE;
    if (data[0] != 1)
        fail("not an encrypted frame");
    length = (size_t) data[1] << 8 | data[2];
    if (size < 3 + length)
        return NOT_COMPLETE;
    memcpy(nonce + 4, &s->nonce, sizeof s->nonce);
    s->nonce++;
    if (crypto_aead_chacha20poly1305_ietf_decrypt(data + 3, NULL, NULL, data + 3, length, NULL, 0,
                                                  nonce, s->key) != 0)
        fail("a frame was tampered with");
    if (((unsigned) data[3] << 8 | data[4]) == MESSAGE)
        take_body(f, s->proxy, data + 7, length - 4 - TAG_SIZE);
    return 3 + length;
}

static size_t take_key(struct stream *s, const uint8_t *data, size_t size)
{
    if (size < KEY_SIZE)
        return 0;
    memcpy(s->key, data, KEY_SIZE);
    s->has_key = true;
    return KEY_SIZE;
}

static void take(struct floor *f, struct stream *s)
{
    size_t start = s->has_key ? 0 : take_key(s, s->data, s->end);

    while (s->has_key && start < s->end) {
        size_t size = f->is_encrypted ? take_noise(f, s, s->data + start, s->end - start)
                                      : take_plain(f, s, s->data + start, s->end - start);

        if (size == NOT_COMPLETE)
            break;
        start += size;
    }
    memmove(s->data, s->data + start, s->end - start);
    s->end -= start;
}

/* ---- sockets ---- */

static void read_stream(struct floor *f, struct stream *s)
{
    ssize_t size = recv(s->socket, s->data + s->end, BUFFER_SIZE - s->end, 0);
    struct timespec now;

    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        fail("the sender is gone");
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    f->now = (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
    f->reads++;
    s->end += (size_t) size;
    take(f, s);
}

static void open_stream(struct floor *f, int loop, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) atoi(port)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct stream *s = &f->streams[f->streams_count];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};

    if (f->streams_count == STREAMS_MAX)
        fail("too many ports");
    s->proxy = f->streams_count++;
    s->data = malloc(BUFFER_SIZE);
    s->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!s->data || s->socket < 0 ||
        connect(s->socket, (struct sockaddr *) &address, sizeof address) < 0 ||
        fcntl(s->socket, F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(loop, EPOLL_CTL_ADD, s->socket, &event) < 0)
        fail("cannot connect");
}

/* False at the end of the input. */
static bool answer(const struct floor *f)
{
    char line[64];

    if (!fgets(line, sizeof line, stdin))
        return false;
    (void) printf("{\"advertisements\": %llu, \"rows\": %zu, \"reads\": %llu}\n",
                  (unsigned long long) f->advertisements, f->rows_count,
                  (unsigned long long) f->reads);
    return true;
}

static void run(struct floor *f, int loop)
{
    struct epoll_event events[STREAMS_MAX];

    for (;;) {
        int count = epoll_wait(loop, events, STREAMS_MAX, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                read_stream(f, events[i].data.ptr);
            else if (!answer(f))
                return;
        }
    }
}

int main(int argc, char **argv)
{
    struct floor *f = calloc(1, sizeof *f);
    struct epoll_event commands = {.events = EPOLLIN, .data.ptr = NULL};
    int loop = epoll_create1(EPOLL_CLOEXEC), first = 1;

    if (argc > 1 && strcmp(argv[1], "--key") == 0)
        first = 2;
    if (!f || loop < 0 || sodium_init() < 0 ||
        epoll_ctl(loop, EPOLL_CTL_ADD, STDIN_FILENO, &commands) < 0)
        fail("cannot start");
    f->is_encrypted = first == 2;
    grow(f);
    for (int i = first; i < argc; i++)
        open_stream(f, loop, argv[i]);
    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    (void) printf("{\"streams\": %zu}\n", f->streams_count);
    run(f, loop);
    return 0;
}
