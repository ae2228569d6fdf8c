/* What is drawn anew each time: a span of time between two bounds, and the number of an error. Pure
 * values; valid when zeroed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "dice.h"

#define LUCK_ERRORS_MAX 16

struct luck_span {
    usec_t low, high;
};

/* Each as likely as the others; one that stands there twice is twice as likely. */
struct luck_errors {
    int32_t numbers[LUCK_ERRORS_MAX];
    size_t count;
};

usec_t luck_span_draw(const struct luck_span *span, struct dice *dice);

/* fallback where there are none. */
int32_t luck_error_draw(const struct luck_errors *errors, struct dice *dice, int32_t fallback);
