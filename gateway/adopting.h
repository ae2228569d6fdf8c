/* Adds proxies that mDNS finds to the configuration, unasked (discovery.auto_adopt): devices
 * without a key that say, when they are asked, that they are Bluetooth proxies. For discovering.c
 * alone. Thread: the loop's. */
#pragma once

#include "config/config.h"

struct uv_loop_s;
struct adopting;
struct announcements;
struct fleet;
struct gateway;

#define ADOPTING_PROXIES_MAX   256 /* with more proxies nothing is adopted: anybody can announce */
#define ADOPTING_QUESTIONS_MAX 4   /* devices that are asked at one time */
#define ADOPTING_DECLINED_MAX  256 /* removed ones that are remembered; the oldest goes */

/* All are borrowed and outlive it. It is off until adopting_configure(). */
struct adopting *adopting_new(struct uv_loop_s *loop, struct gateway *g, struct announcements *all,
                              const struct fleet *fleet);

/* Asks nobody any more: while the loop still runs. */
void adopting_stop(struct adopting *a);
void adopting_free(struct adopting *a); /* accepts NULL; after adopting_stop() */

/* Another configuration counts, and the fleet has its proxies. Those that are not in it any more
 * were removed by somebody: they are not adopted again in this run. before NULL: it is the first
 * one. */
void adopting_configure(struct adopting *a, const struct config *before,
                        const struct config *config);

/* There may be something to do: something else is announced. */
void adopting_look(struct adopting *a);
