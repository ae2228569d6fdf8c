/* What SQLite says, as causes of ours. */
#pragma once

struct sqlite3;

/* 0 for a success; else a negative errno of a result code: -EBADMSG, when what is in the file is
 * not what should be. connection NULL: the cause of the system is not known. */
int sqlite_cause(struct sqlite3 *connection, int rc);
