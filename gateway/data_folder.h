/* Where the store is: for main.c and token_command.c alone. */
#pragma once

/* data_dir, else $STATE_DIRECTORY, else "blefleet.data" beside the configuration file. To be freed;
 * NULL: none of them is known. */
char *data_folder_find(const char *data_dir, const char *config);
