#include "replay_json.h"

static void write_outcome(struct writer *w, const char *key,
                          const struct gateway_replay_outcome *outcome)
{
    writer_begin_object(w, key);
    writer_unsigned(w, "events", outcome->events);
    writer_unsigned(w, "owner_changes", outcome->owner_changes);
    writer_unsigned(w, "availability_changes", outcome->availability_changes);
    writer_unsigned(w, "windows", outcome->windows);
    writer_end_object(w);
}

void replay_json_write(struct writer *w, const char *key,
                       const struct gateway_replay_result *result)
{
    writer_begin_object(w, key);
    writer_unsigned(w, "packets", result->packets);
    writer_time(w, "since", result->since);
    writer_time(w, "until", result->until);
    write_outcome(w, "actual", &result->actual);
    write_outcome(w, "replayed", &result->replayed);
    writer_begin_array(w, "differences");
    for (size_t i = 0; i < result->differences_count; i++) {
        const struct gateway_replay_difference *d = &result->differences[i];

        writer_begin_object(w, NULL);
        writer_address(w, "address", d->address);
        writer_unsigned(w, "owner_changes_actual", d->owner_changes_actual);
        writer_unsigned(w, "owner_changes_replayed", d->owner_changes_replayed);
        writer_text(w, "owner_actual", d->owner_actual);
        writer_text(w, "owner_replayed", d->owner_replayed);
        writer_end_object(w);
    }
    writer_end_array(w);
    writer_end_object(w);
}
