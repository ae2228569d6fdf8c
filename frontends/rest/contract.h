/* The contract that we serve: schema/openapi.yaml as JSON, part of the program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Static storage. */
const char *contract_get(bool is_compressed, size_t *ret_size);

/* The entity tag of either form, with its quotes. */
const char *contract_etag(bool is_compressed);
