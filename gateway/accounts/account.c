#include "account.h"

#include <string.h>

#include "base/memory.h"

static const char *const role_names[] = {
        [ACCOUNT_NONE] = "none",
        [ACCOUNT_READ] = "read",
        [ACCOUNT_CONTROL] = "control",
        [ACCOUNT_ADMIN] = "admin",
};

const char *account_role_name(enum account_role role)
{
    return role_names[role];
}

bool account_role_parse(const char *text, enum account_role *ret_role)
{
    for (enum account_role role = ACCOUNT_READ; role <= ACCOUNT_ADMIN; role++) {
        if (strcmp(text, role_names[role]) == 0) {
            *ret_role = role;
            return true;
        }
    }
    return false;
}

bool account_name_is_valid(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char *const taken[] = {"discovered", "import", "test"}; /* other labels are not */
    size_t length = strlen(name);

    if (length == 0 || length >= ACCOUNT_NAME_SIZE || !strchr(letters, name[0]))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!strchr(letters, name[i]) && !strchr("_.-", name[i]))
            return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        if (strcmp(name, taken[i]) == 0)
            return false;
    }
    return true;
}
