/* Names of the types of advertising data elements. Pure. */
#pragma once

#include <stdint.h>

/* "flags", "service_data_16", "manufacturer_data" …: the common data types of the Bluetooth
 * Assigned Numbers, 2.3, in lower case. NULL: no such type. */
const char *element_name_of(uint8_t type);
