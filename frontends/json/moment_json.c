#include "moment_json.h"

void moment_json_write(struct writer *w, const char *key, const struct gateway *g, usec_t moment)
{
    if (moment == 0)
        writer_null(w, key);
    else
        writer_time(w, key, gateway_wall(g, moment));
}

void moment_json_write_until(struct writer *w, const char *key, const struct gateway *g,
                             usec_t moment)
{
    if (moment == USEC_NEVER)
        writer_null(w, key);
    else
        writer_time(w, key, gateway_wall(g, moment));
}
