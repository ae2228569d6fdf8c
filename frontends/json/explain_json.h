/* Why a device is heard or could be reached, or not, as JSON. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "json/writer.h"

/* The schema Explanation, of any address; is_hearing: what is asked is how it is heard, otherwise
 * how a connection would go. */
void explain_json_write(struct writer *w, const char *key, const struct gateway *g,
                        uint64_t address, bool is_hearing);
