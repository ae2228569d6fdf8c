/* The GATT databases of a scenario: those of a folder, read once when they are named first, and
 * those that stand in a scenario itself. All belong to the library.
 *
 * The format is described in tests/fleet/README.md. */
#pragma once

#include "gatt.h"
#include "reader.h"

#define GATT_LIBRARY_MAX  10000
#define GATT_LIBRARY_NAME 64

struct gatt_library;

/* folder: of files NAME.json; copied. NULL: there are no names. */
struct gatt_library *gatt_library_new(const char *folder);
/* Accepts NULL. */
void gatt_library_free(struct gatt_library *l);

/* A name, or a database in place. Notes faults at the spot, or at their place in the file behind
 * it, and returns NULL. */
const struct gatt *gatt_library_read(struct gatt_library *l, const struct spot *spot);
