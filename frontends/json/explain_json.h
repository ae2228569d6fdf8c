/* Why a device is heard or could be reached, or not, as JSON. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "gateway/gateway.h"
#include "json/writer.h"

/* The schema Explanation, of any address; is_hearing: what is asked is how it is heard, otherwise
 * how a connection would go. */
void explain_json_write(struct writer *w, const char *key, const struct gateway *g,
                        uint64_t address, bool is_hearing);

/* Parts of it, as they are told with a refused connection: the schemas Candidate and SlotHolder in
 * arrays, and the summary as a sentence. */
void explain_json_write_candidates(struct writer *w, const char *key, const struct gateway *g,
                                   uint64_t address);
void explain_json_write_holders(struct writer *w, const char *key, const struct gateway *g,
                                uint64_t address);
void explain_json_summarise(struct buffer *b, const struct gateway *g, uint64_t address);
