/* What the device table is told of the configuration. */
#pragma once

#include "config/config.h"
#include "scan/device_table.h"

struct device_table_settings table_settings_make(const struct config *config);
