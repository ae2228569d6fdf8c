/* What the program owes to whoever started it: the ready file, and systemd's notification protocol
 * (sd_notify(3): datagrams to $NOTIFY_SOCKET, which its manual allows programs to speak
 * themselves). For main.c alone. Thread: the loop's. */
#pragma once

#include <stdint.h>

/* Writes text to the path so that it appears whole or not at all. Negative errno. */
int service_write_ready_file(const char *path, const char *text);

/* Sends state ("READY=1", "STOPPING=1", "WATCHDOG=1"). Does nothing when nobody listens. */
void service_notify(const char *state);

/* Milliseconds between two WATCHDOG=1; 0: no watchdog watches us. */
uint64_t service_watchdog_interval_ms(void);
