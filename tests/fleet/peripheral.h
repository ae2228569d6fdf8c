/* The side of a device that can be connected to: how long that takes, how often it fails and why,
 * how many links it holds, how long they last, and its GATT server.
 *
 * It has dice of its own: connecting to a device does not change what it advertises. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gatt_server.h"
#include "luck.h"

#define ERROR_SUPERVISION_TIMEOUT 0x08
#define ERROR_LIMITED_RESOURCES   0x0d
#define ERROR_PEER_TERMINATED     0x13
#define ERROR_LOCALLY_TERMINATED  0x16
#define ERROR_NOT_ESTABLISHED     0x3e
#define ERROR_GATT                0x85
#define ERROR_CANCELLED           0x100

struct peripheral_options {
    bool is_connectable;
    bool is_linked_elsewhere;    /* to a telephone, that is: one of its links is taken for ever */
    bool advertises_linked;      /* goes on, not connectable, when it can hold no more links */
    unsigned links_max;          /* at least 1 */
    struct luck_span connect;    /* until the link is open */
    usec_t discovery;            /* MTU and services, on connects without cache */
    double failure;              /* share of attempts that fail wherever they come from */
    double weak_dbm;             /* at this loudness every second attempt fails */
    struct luck_errors failures; /* why attempts fail; none: 0x3e */
    double unanswered;           /* share of the attempts that nobody answers */
    struct luck_span life;       /* of a link; high 0: for ever */
    int32_t end_error;           /* of a link whose life is over */
    uint32_t mtu;                /* negotiated */
    int32_t pairing_error;       /* 0: pairing succeeds */
    bool pairs_itself;           /* asks for pairing when a link is there */
    struct gatt_server_options gatt;
};

/* What devices are where nothing else is said, but for is_connectable. */
extern const struct peripheral_options PERIPHERAL_USUAL;

struct peripheral {
    struct peripheral_options options;
    struct dice dice;
    unsigned links;
    uint64_t seed;
    unsigned fails_next; /* so many attempts fail, with next_error */
    int32_t next_error;
    struct gatt_server *server; /* NULL before it is needed */
};

/* What an attempt leads to, if the device is still free when the span is over. */
struct peripheral_attempt {
    bool is_answered; /* false: nobody answers, and the proxy gives up when it wants */
    usec_t span;
    int32_t error; /* 0: the link opens */
};

/* A link that opened. */
struct peripheral_link {
    usec_t life; /* USEC_NEVER: it does not end by itself */
    int32_t end_error;
    usec_t discovery;
    uint32_t mtu;
    int32_t pairing_error;
    bool pairs_itself;
    struct gatt_server *server; /* borrowed, for a gatt_link */
};

void peripheral_init(struct peripheral *p, const struct peripheral_options *options, uint64_t seed);
void peripheral_done(struct peripheral *p);

/* Its GATT server; the peripheral's. */
struct gatt_server *peripheral_server(struct peripheral *p);

/* Whether it sends advertisements, whether it accepts a connection. */
bool peripheral_advertises(const struct peripheral *p);
bool peripheral_is_free(const struct peripheral *p);

/* An attempt by somebody who hears it that loud. */
struct peripheral_attempt peripheral_attempt(struct peripheral *p, double rssi);

/* The link opens; false when it holds as many as it can. Each opened one is closed once. */
bool peripheral_open(struct peripheral *p, struct peripheral_link *ret_link);
void peripheral_close(struct peripheral *p);

void peripheral_fail_next(struct peripheral *p, unsigned attempts, int32_t error);
