/* The recording as Wireshark reads it: a btsnoop file of what the Linux kernel's monitor would say
 * (datalink 2001). Each proxy is an adapter: it is introduced with its MAC and the first eight
 * octets of its name, and a note tells the whole name. An advertisement is the HCI event LE
 * Extended Advertising Report, of which one alone holds address, RSSI and all 62 octets. Pure. */
#pragma once

#include "base/buffer.h"
#include "gateway/gateway.h"

void btsnoop_write_header(struct buffer *out);
/* Before the first advertisement of the proxy. */
void btsnoop_write_proxy(struct buffer *out, const struct gateway_recorded *recorded);
void btsnoop_write_advertisement(struct buffer *out, const struct gateway_recorded *recorded);
