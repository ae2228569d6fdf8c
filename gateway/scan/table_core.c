/* What all files of the device table use. */
#include "scan/table_core.h"

#include <math.h>

void table_core_set_now(struct device_table *t, usec_t now)
{
    if (now <= t->now)
        return;
    t->now = now;
    if (now - t->slot_start >= DEVICE_SLOT)
        t->slot_start = now - now % DEVICE_SLOT;
}

void table_core_tell(const struct device_table *t, const struct device_change *change)
{
    if (t->on_change)
        t->on_change(t->user, change);
}

usec_t table_core_interval(const struct device *d)
{
    usec_t learned = interval_learned(&d->interval);

    return learned ? learned : d->expected_interval;
}

usec_t table_core_patience(const struct device_table *t, const struct device *d)
{
    return ownership_stale_time(&t->rule, table_core_interval(d));
}

double table_core_rssi(const struct sighting *s)
{
    return s->signal.count ? (double) s->signal.fast : (double) NAN;
}

struct device_slot table_core_slot(const struct sighting *s)
{
    return (struct device_slot){
            .start = s->last_seen - s->last_seen % DEVICE_SLOT,
            .packets = s->slot_packets,
            .rssi = s->slot_packets ? (double) (int32_t) s->slot_sum / (double) s->slot_packets
                                    : (double) NAN,
    };
}
