#include "scan_json.h"

#include "json/moment_json.h"

void scan_json_write_window(struct writer *w, const char *key, const struct gateway *g,
                            const struct gateway_window *window)
{
    writer_begin_object(w, key);
    writer_text(w, "id", window->id);
    writer_text(w, "proxy", window->proxy);
    writer_text(w, "state", window->state);
    writer_text(w, "cause", window->cause);
    writer_begin_array(w, "addresses");
    for (size_t i = 0; i < window->addresses_count; i++)
        writer_address(w, NULL, window->addresses[i]);
    writer_end_array(w);
    writer_time(w, "planned", gateway_wall(g, window->planned));
    moment_json_write(w, "started", g, window->started);
    moment_json_write(w, "ends", g, window->ends);
    moment_json_write(w, "ended", g, window->ended);
    writer_number(w, "duration_s", (double) window->duration / USEC_PER_SEC, 3);
    writer_unsigned(w, "answered", window->answered);
    writer_text(w, "detail", window->detail);
    writer_end_object(w);
}

void scan_json_write_need(struct writer *w, const char *key, const struct gateway *g,
                          const struct gateway_need *need)
{
    writer_begin_object(w, key);
    writer_address(w, "address", need->address);
    writer_unsigned(w, "interval_s", need->interval / USEC_PER_SEC);
    writer_unsigned(w, "duration_s", need->duration / USEC_PER_SEC);
    writer_text(w, "proxy", need->proxy);
    writer_text(w, "state", need->state);
    moment_json_write(w, "next_due", g, need->next_due);
    writer_text(w, "last_window", need->last_window[0] ? need->last_window : NULL);
    writer_unsigned(w, "answered", need->answered);
    writer_unsigned(w, "missed", need->missed);
    writer_end_object(w);
}
