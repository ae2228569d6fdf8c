/* Who is who: the numbers by which the rooms know proxies, and their places in the configuration.
 *
 * A proxy has a number (its source) as long as it is there, whatever becomes of its name, its place
 * and its settings. The places are only for lists. The number of one that was removed is free at
 * once: whoever removes it sees to it that nobody knows the number any more.
 *
 * Where arrays by source have ROSTER_MAX entries from the start, they are so large that they come
 * from the system, and pages that are never touched cost no memory; small ones grow. Pure; internal
 * to the gateway. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define ROSTER_MAX  4096 /* sources are below it */
#define ROSTER_NONE UINT16_MAX

struct roster;

/* Empty. */
struct roster *roster_new(void);
void roster_free(struct roster *r); /* accepts NULL */

/* Which of the proxies that are there each proxy of another configuration is, by its place there;
 * ROSTER_NONE: a new one. Of those that are left after each step it is the one
 *   1. of the same name, unless both have a MAC and they differ;
 *   2. with the same MAC;
 *   3. at the same host and port, as in 1;
 *   4. at the same place, if no other is left on either side, as in 1.
 * The MAC of one that is there is the one that it was learned by, else the configured one.
 * ret_sources has room for all proxies of the configuration. */
void roster_match(const struct roster *r, const struct config *config, uint16_t *ret_sources);

/* The configuration is in force from now on, borrowed until the next one. sources: as
 * roster_match() wrote them; those that are new get the lowest numbers that are free, which are
 * written there. Those of before that are not among them are gone. */
void roster_set(struct roster *r, const struct config *config, uint16_t *sources);

/* How many there are, and the number of the one at this place of the configuration. */
size_t roster_count(const struct roster *r);
uint16_t roster_source(const struct roster *r, size_t place);

/* Above all numbers that are given. */
uint16_t roster_end(const struct roster *r);

/* No other proxy of this run has the same one, whatever its number. */
uint32_t roster_id(const struct roster *r, uint16_t source);

/* NULL and SIZE_MAX: nobody has that number (ROSTER_NONE among them). */
const struct config_proxy *roster_get(const struct roster *r, uint16_t source);
const char *roster_name(const struct roster *r, uint16_t source);
size_t roster_place(const struct roster *r, uint16_t source);

/* The MAC that it is known by; 0: none yet. It stays until another is set or the proxy goes. */
uint64_t roster_mac(const struct roster *r, uint16_t source);
void roster_set_mac(struct roster *r, uint16_t source, uint64_t mac);
