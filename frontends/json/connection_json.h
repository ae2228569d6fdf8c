/* Links to devices as JSON: the link with its leases and attempts, and who holds a slot. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema Connection: the link, or state "none" where there is none. */
void connection_json_write(struct writer *w, const char *key, const struct gateway *g,
                           uint64_t address);

/* Schema ConnectionOpened: the same, with the lease of a request. */
void connection_json_write_opened(struct writer *w, const char *key, const struct gateway *g,
                                  uint64_t address, const char *lease, usec_t expires);

/* Schema DeviceLink; null where there is no link. */
void connection_json_write_short(struct writer *w, const char *key, const struct gateway *g,
                                 uint64_t address);

/* Schema Attempt of each that is over; one that goes on has no result yet and is left out. */
void connection_json_write_attempts(struct writer *w, const char *key, const struct gateway *g,
                                    const struct gateway_attempt *attempts, size_t count);

/* The last attempts for the address, at most max, the newest first. */
void connection_json_write_latest_attempts(struct writer *w, const char *key,
                                           const struct gateway *g, uint64_t address, size_t max);

/* Schema ScoreTerms. */
void connection_json_write_terms(struct writer *w, const char *key,
                                 const struct gateway_score_terms *terms);

/* Schema Reason; null unless has_reason. name NULL: the number has no name. */
void connection_json_write_reason(struct writer *w, const char *key, bool has_reason,
                                  int32_t number, const char *name);

/* Schema SlotHolder of each slot of the proxy that is taken, into an array that is open. */
void connection_json_write_holders_of(struct writer *w, const struct gateway *g,
                                      size_t proxy_index);
