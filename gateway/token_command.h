/* blefleet token add|list|remove: tokens without the gateway, or beside one that runs. */
#pragma once

/* argv[0] is "token". The exit code: 0, 1 for what was asked wrongly or cannot be done, 2 when the
 * store cannot be used. */
int token_command_run(int argc, char **argv);
