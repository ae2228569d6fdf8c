/* What one ESPHome device says of itself by mDNS: an instance of _esphomelib._tcp with its host,
 * its port, its TXT record and where it was seen. Anybody on the network can say anything, so every
 * text is bounded and valid UTF-8, and what cannot be believed is left out. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define ANNOUNCEMENT_NAME_SIZE     64  /* a label of DNS has 63 octets at most */
#define ANNOUNCEMENT_HOST_SIZE     256 /* a name of DNS has 255 */
#define ANNOUNCEMENT_TEXT_SIZE     64
#define ANNOUNCEMENT_FRIENDLY_SIZE 128 /* ESPHome allows 120 octets */
#define ANNOUNCEMENT_ZONE_SIZE     16  /* of an interface, as the kernel bounds it */
#define ANNOUNCEMENT_ADDRESS_TEXT  64  /* "fe80::1%eth0" and the like, with the NUL */

enum announcement_encryption {
    ANNOUNCEMENT_PLAIN,
    ANNOUNCEMENT_ENCRYPTION_SUPPORTED, /* it could, and has no key yet */
    ANNOUNCEMENT_ENCRYPTION_REQUIRED,  /* it has a key */
};

/* What it says. Valid when zeroed; what follows a text is zero, so that two can be compared as
 * octets. "" is not told. */
struct announcement_facts {
    char name[ANNOUNCEMENT_NAME_SIZE]; /* of the instance: the name of the device */
    char host[ANNOUNCEMENT_HOST_SIZE]; /* "kitchen.local" */
    uint32_t port;
    uint32_t encryption; /* enum announcement_encryption */
    uint64_t mac;        /* 0: not told */
    char friendly_name[ANNOUNCEMENT_FRIENDLY_SIZE];
    char version[ANNOUNCEMENT_TEXT_SIZE], platform[ANNOUNCEMENT_TEXT_SIZE];
    char board[ANNOUNCEMENT_TEXT_SIZE];
    char network[ANNOUNCEMENT_TEXT_SIZE]; /* "wifi", "ethernet", "thread" */
};

/* One way in which it is seen: on an interface by one protocol, with one address. */
struct announcement_sighting {
    int interface;
    bool is_v6;
    uint8_t octets[16];                /* of the address; four of IPv4 */
    char zone[ANNOUNCEMENT_ZONE_SIZE]; /* name of the interface; "" but for link-local ones */
};

/* Name, host and port. False when they cannot be those of a device: a text that is too long, empty,
 * or not plain UTF-8; port 0. *ret_facts is zeroed then. */
bool announcement_read(struct announcement_facts *ret_facts, const char *name, const char *host,
                       unsigned port);

/* One string of its TXT record, "key=value" as octets. Keys that nobody asks for, values that
 * cannot be, and all but the first of a key (RFC 6763, 6.4) are passed over. */
void announcement_read_txt(struct announcement_facts *facts, const uint8_t *data, size_t size);

/* "none", "supported", "required". */
const char *announcement_encryption_name(unsigned encryption);

/* IPv4 first, then IPv6 that is known elsewhere too, then that of one link alone. */
unsigned announcement_address_rank(const struct announcement_sighting *s);
void announcement_format_address(char ret_text[ANNOUNCEMENT_ADDRESS_TEXT],
                                 const struct announcement_sighting *s);
