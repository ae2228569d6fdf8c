#include "fault.h"

#include <string.h>

struct fault_row {
    const char *name;
    bool is_lasting;
    usec_t span;
};

static const struct fault_row ROWS[FAULT_COUNT] = {
#define XX(symbol, name, is_lasting, span) [FAULT_##symbol] = {name, is_lasting, span},
        FAULT_MAP(XX)
#undef XX
};

const char *fault_name(enum fault_kind kind)
{
    return ROWS[kind].name;
}

bool fault_from_name(const char *name, enum fault_kind *ret_kind)
{
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        if (strcmp(ROWS[i].name, name) != 0)
            continue;
        *ret_kind = (enum fault_kind) i;
        return true;
    }
    return false;
}

bool fault_is_lasting(enum fault_kind kind)
{
    return ROWS[kind].is_lasting;
}

usec_t fault_default_span(enum fault_kind kind)
{
    return ROWS[kind].span;
}
