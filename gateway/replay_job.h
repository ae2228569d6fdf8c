/* A replay of the flight recorder on a thread of its own. It holds the segments that were there
 * when it began, which nobody writes to any more; the loop goes on. Thread: the loop's. */
#pragma once

#include "gateway.h"

struct recorder;
struct replay_job;

typedef void replay_job_fn(void *user, int rc, const struct gateway_replay_result *result);

/* The patch must have been checked. on_done comes once, later: 0 with a result that borrows for the
 * call, or E_CANCELLED; the job is gone then. */
struct replay_job *replay_job_start(struct uv_loop_s *loop, struct recorder *recorder,
                                    const struct gateway_replay_wish *wish, bool is_changed,
                                    replay_job_fn *on_done, void *user);

/* It ends soon. NULL is allowed. */
void replay_job_cancel(struct replay_job *job);
