#include "recording.h"

#include <math.h>
#include <string.h>

static void put_little(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t) (value >> 8 * i);
}

void recording_write_header(uint8_t ret_header[RECORDING_HEADER_SIZE],
                            const struct recording_segment *segment)
{
    memcpy(ret_header, RECORDING_MAGIC, 8);
    put_little(ret_header + 8, RECORDING_VERSION, 2);
    put_little(ret_header + 10, RECORDING_HEADER_SIZE, 2);
    put_little(ret_header + 12, segment->size, 4);
    put_little(ret_header + 16, segment->sequence, 8);
    put_little(ret_header + 24, segment->start, 8);
    put_little(ret_header + 32, (uint64_t) segment->wall, 8);
}

int16_t recording_rssi(double rssi)
{
    return isnan(rssi) || rssi < -300 || rssi > 300 ? INT16_MIN : (int16_t) lrint(rssi * 100);
}

int16_t recording_tenths(double db)
{
    return isnan(db) ? INT16_MIN : (int16_t) lrint(fmin(fmax(db * 10, -INT16_MAX), INT16_MAX));
}
