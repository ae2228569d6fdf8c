#include "error.h"

#include <string.h>

const char *error_token(int cause)
{
    switch (cause) {
#define XX(symbol, token, sentence)                                                                \
    case E_##symbol:                                                                               \
        return token;
        ERROR_MAP(XX)
#undef XX
    default:
        break;
    }
    return strerrorname_np(-cause) ? strerrorname_np(-cause) : "unknown";
}

const char *error_sentence(int cause)
{
    switch (cause) {
#define XX(symbol, token, sentence)                                                                \
    case E_##symbol:                                                                               \
        return sentence;
        ERROR_MAP(XX)
#undef XX
    default:
        break;
    }
    return strerrordesc_np(-cause) ? strerrordesc_np(-cause) : "unknown error";
}
