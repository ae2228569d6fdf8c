/* What happens to the configuration file behind our back: SIGHUP has it read again, and an edit
 * that nobody asked to run is told once in the log. For main.c alone. Thread: the loop's. */
#pragma once

struct config_watch;
struct gateway;
struct uv_loop_s;

/* path: of the file; the gateway must outlive it. */
struct config_watch *config_watch_new(struct uv_loop_s *loop, struct gateway *g, const char *path);

/* Reads the file again, and runs it; how that went is in the log. */
void config_watch_reload(struct config_watch *w);

/* Nothing is told any more. It is freed in a later turn of the loop. Accepts NULL. */
void config_watch_close(struct config_watch *w);
