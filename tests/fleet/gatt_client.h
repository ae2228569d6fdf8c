/* The proxy's side of GATT on one link: messages 70 and 73 to 78 and what answers them
 * (esphome-protocol 5.6, 5.7).
 *
 * The list of services goes out in a message a pass of the firmware's loop. Operations wait in
 * line, one exchange with the device at a time; when the device does not answer for 30 s, the link
 * has to end. Notifications pass where the client has enabled them here and written the CCCD there.
 * What the API's connection does not take is kept or lost, by generation.
 *
 * Pure: time goes in, messages come out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "esphome/message.h"
#include "gatt_server.h"

#define GATT_CLIENT_LINE_MAX   16   /* operations that wait; others are answered 0x84, busy */
#define GATT_CLIENT_NOTIFY_MAX 12   /* handles with notifications; others are answered 0x80 */
#define GATT_CLIENT_BATCH_MAX  1360 /* octets of a message 71, unless one service is larger */
#define GATT_CLIENT_PASS       (16 * USEC_PER_MSEC) /* of the firmware's loop */
#define GATT_CLIENT_PATIENCE   (30 * USEC_PER_SEC)

#define GATT_CLIENT_BUSY         0x84
#define GATT_CLIENT_NO_RESOURCES 0x80

struct gatt_client_options {
    bool is_packing;      /* several services in a message 71 */
    bool has_short_uuids; /* otherwise all are told in 128 bits */
    bool is_restarting;   /* a 70 while the list is told begins it anew; otherwise it is ignored */
    bool is_repeating;    /* a 70 after the list is answered again; otherwise never */
    bool is_owing;        /* an 82, 83 or 84 that was not taken is kept; a second replaces it */
    bool is_command_silent; /* no 83 to writes without response */
    bool is_broken_told;    /* a list that breaks off ends the link; otherwise nothing is said */
    double breaks;          /* share of lists that break off */
};

/* Hands a message to whoever owns the proxy: 0, or negative when it was not taken. */
typedef int gatt_client_send_fn(void *user, const struct message *message);

struct gatt_client;

/* link is borrowed. services is what the proxy has discovered; NULL: nothing, the list is empty.
 * writes_cccd: as in the first version of connecting, the proxy writes the CCCD itself. options is
 * copied. */
struct gatt_client *gatt_client_new(const struct gatt_client_options *options, uint64_t address,
                                    struct gatt_link *link, const struct gatt *services,
                                    bool writes_cccd, uint64_t seed, gatt_client_send_fn *on_send,
                                    void *user);
/* What waits is not answered. Accepts NULL. */
void gatt_client_free(struct gatt_client *c);

/* Messages 70, 73, 75 to 78. */
void gatt_client_receive(struct gatt_client *c, const struct message *message, usec_t now);

enum gatt_client_state {
    GATT_CLIENT_GOES_ON,
    GATT_CLIENT_TIMED_OUT, /* the device is silent */
    GATT_CLIENT_BROKEN,    /* the list of services broke off; the link has to end */
};
/* Does what is due. After anything but GOES_ON the client is only to be freed. */
enum gatt_client_state gatt_client_tick(struct gatt_client *c, usec_t now);
usec_t gatt_client_deadline(const struct gatt_client *c);

/* For those who watch: operations that wait for the device. */
size_t gatt_client_waiting(const struct gatt_client *c);
