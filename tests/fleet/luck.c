#include "luck.h"

usec_t luck_span_draw(const struct luck_span *span, struct dice *dice)
{
    return span->low + dice_below(dice, span->high - span->low + 1);
}

int32_t luck_error_draw(const struct luck_errors *errors, struct dice *dice, int32_t fallback)
{
    return errors->count == 0 ? fallback : errors->numbers[dice_below(dice, errors->count)];
}
