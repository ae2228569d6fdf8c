/* One outgoing TCP connection on the loop: opening it (happy eyeballs over several addresses),
 * moving octets in and out, closing it. It knows nothing of what the octets mean and does not
 * retry. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct uv_loop_s;
struct sockaddr_storage;
struct connection;
struct intake;

#define CONNECTION_STAGGER            (100 * USEC_PER_MSEC) /* before the next address is tried as well */
#define CONNECTION_TIMEOUT            (60 * USEC_PER_SEC) /* for all addresses together */
#define CONNECTION_RECEIVE_BUFFER     (2 * 1024 * 1024)   /* asked for, halved while refused */
#define CONNECTION_RECEIVE_BUFFER_MIN (128 * 1024)
#define CONNECTION_SHARE              ((size_t) 256 * 1024) /* octets a patient one reads in a turn */

/* None may be NULL. All but on_closed stop with connection_close(). */
struct connection_callbacks {
    void (*on_open)(void *user);
    /* Where the next octets may be read to: at least one octet of room. */
    uint8_t *(*on_room)(void *user, size_t *ret_size);
    void (*on_received)(void *user, size_t size);
    /* What connection_send() did not take can be offered again. */
    void (*on_writable)(void *user);
    /* Opening failed or the connection broke (negative errno of the system), or the peer closed its
     * side (0). Once; connection_close() is still the owner's to call. */
    void (*on_end)(void *user, int cause);
};

/* Begins to open; never calls back from inside. count is at least 1. The intake is borrowed; NULL:
 * there is none. */
struct connection *connection_open(struct uv_loop_s *loop, struct intake *intake,
                                   const struct sockaddr_storage *addresses, size_t count,
                                   const struct connection_callbacks *callbacks, void *user);

/* A patient one is read in turns with the others of its intake, up to INTAKE_INTERVAL later, which
 * costs much less while packets keep coming; the others are read at once, as each is when it opens.
 * Only for one that is open (else without effect). Best effort. Never calls back from inside. */
void connection_set_patient(struct connection *c, bool is_patient);

/* Takes as many octets as the socket accepts now; when that is not all, on_writable follows.
 * Returns how many were taken. */
size_t connection_send(struct connection *c, const uint8_t *data, size_t size);

/* The kernel's smoothed round trip time; 0: not open, or not measured yet. */
usec_t connection_round_trip(const struct connection *c);

/* Stops all callbacks at once, closes, then calls on_closed (may be NULL) from the loop and frees
 * itself. Accepts NULL: then on_closed is not called and false is returned. */
bool connection_close(struct connection *c, void (*on_closed)(void *user), void *user);
