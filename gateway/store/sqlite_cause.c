#include "sqlite_cause.h"

#include <errno.h>
#include <sqlite3.h>

int sqlite_cause(struct sqlite3 *connection, int rc)
{
    int system = connection ? sqlite3_system_errno(connection) : 0;

    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_INTERRUPT:
        return -ECANCELED;
    case SQLITE_CANTOPEN:
        return system ? -system : -EACCES;
    case SQLITE_IOERR:
        return system ? -system : -EIO;
    default:
        return -EBADMSG;
    }
}
