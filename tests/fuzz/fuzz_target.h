/* What a fuzz target gives, and the fuzzer or the replay calls. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Must cope with any octets; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
