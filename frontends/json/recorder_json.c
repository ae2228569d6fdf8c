#include "recorder_json.h"

void recorder_json_write_info(struct writer *w, const char *key, const struct gateway *g)
{
    struct gateway_recorder recorder;

    gateway_get_recorder(g, &recorder);
    writer_begin_object(w, key);
    writer_bool(w, "enabled", recorder.is_enabled);
    writer_unsigned(w, "bytes", recorder.bytes);
    if (recorder.oldest)
        writer_time(w, "oldest", gateway_wall(g, recorder.oldest));
    else
        writer_null(w, "oldest");
    writer_end_object(w);
}

void recorder_json_write_line(struct writer *w, const struct gateway_recorded *recorded)
{
    w->needs_comma = false; /* each line stands alone */
    writer_begin_object(w, NULL);
    writer_time(w, "time", recorded->time);
    writer_text(w, "proxy", recorded->proxy);
    writer_address(w, "address", recorded->address);
    writer_text(w, "address_type", ble_address_type_name(recorded->address_type));
    if (recorded->rssi != 0)
        writer_integer(w, "rssi", recorded->rssi);
    else
        writer_null(w, "rssi");
    writer_hex(w, "raw", recorded->data, recorded->size);
    writer_end_object(w);
}
