/* The readers of ours, whatever carries them: who they are, and how much they got. For GET
 * /clients.
 *
 * Who serves a reader embeds a struct client, registers it, keeps its figures, and takes it out
 * again. Thread: the loop's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "json/writer.h"

enum client_kind { CLIENT_SSE, CLIENT_MQTT, CLIENT_ESPHOME, CLIENT_MATTER };

#define CLIENT_NAME_SIZE   64 /* with NUL; a longer one is cut */
#define CLIENT_REMOTE_SIZE 72 /* "[…]:65535" of the longest IPv6 literal with its zone */

struct client {
    enum client_kind kind;
    char name[CLIENT_NAME_SIZE]; /* set with client_set_name() */
    char remote[CLIENT_REMOTE_SIZE];
    usec_t since;
    uint64_t messages, bytes, dropped;
    size_t queued; /* messages that wait for it */
    size_t links;
    const char *wanted_mode; /* "passive", "active", "auto"; NULL: none */

    uint64_t number; /* private, like the next */
    struct client *next, *previous;
};

/* Takes over what the peer calls itself (NULL: nothing): cut, control characters replaced. */
void client_set_name(struct client *client, const char *name);

struct clients;

struct clients *clients_new(void);
void clients_free(struct clients *clients); /* none may be in; accepts NULL */

/* The client is the caller's and stays where it is until it is taken out. */
void clients_add(struct clients *clients, struct client *client);
void clients_remove(struct clients *clients, struct client *client);
size_t clients_count(const struct clients *clients);

/* "sse" …; false: no such kind. */
bool clients_parse_kind(const char *text, enum client_kind *ret_kind);

/* Writes {"items":[…],"next":…}: at most limit clients, in order of their arrival, that came after
 * the cursor (NULL: from the first). kind NULL: all kinds. E_INVALID_REQUEST when the cursor is not
 * one of this list; nothing is written then. */
int clients_write(const struct clients *clients, struct writer *w, const struct gateway *g,
                  const enum client_kind *kind, const char *cursor, size_t limit);
