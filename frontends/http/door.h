/* A listening socket on the loop: it accepts and hands each connection on, for as long as it is
 * open. What comes while it is shut waits in the kernel.
 *
 * Thread: the loop's. */
#pragma once

#include <stdbool.h>

#include <sys/socket.h>

struct uv_loop_s;
struct door;

/* The socket is the receiver's, without blocking and closed on exec. May shut the door, but not
 * close it. */
typedef void door_fn(void *user, int fd, const struct sockaddr *from, socklen_t size);

/* Open at first. fd listens and does not block; it is the door's from now on. 0 or a negative
 * errno, and then fd is still the caller's. */
int door_new(struct uv_loop_s *loop, int fd, door_fn *on_client, void *user,
             struct door **ret_door);

/* Opens or shuts it; costs nothing when it is so already. */
void door_let_in(struct door *d, bool is_open);

/* Closes the socket at once, and calls on_closed from the loop, after which the door is gone. */
void door_close(struct door *d, void (*on_closed)(void *user), void *user);
