/* What the device table tells, as a recording has it. Pure. */
#pragma once

#include "recorder/recording.h"
#include "scan/device_table.h"

void recorded_change_make(const struct device_table *table, const struct device_change *change,
                          struct recording_change *ret_change);
