/* Streams of advertisements as proxies send them, made beforehand, and a device table that takes
 * them in: framing and decoding of message 93 by the client session, then device_table_observe().
 *
 * 1,000 devices, each heard by 3 of 20 proxies, frames of 16 reports. The same every time. Any
 * failure aborts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct ingest;

/* rounds: how often each device is heard by each of its proxies; changed_percent: how likely its
 * payload is another one then. */
struct ingest *ingest_new(bool is_encrypted, unsigned changed_percent, unsigned rounds);
/* From now on the flight recorder takes each report as well, before the table. */
void ingest_record(struct ingest *i);
void ingest_free(struct ingest *i);

/* Plays all streams into the table; the number of reports that came out. Once. */
uint64_t ingest_run(struct ingest *i);
