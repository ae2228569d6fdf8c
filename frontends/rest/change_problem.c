#include "change_problem.h"

#include <stdio.h>
#include <string.h>

#include "rest/faults.h"
#include "rest/rest.h"

static const char foreign_detail[] =
        "the configuration file was edited by somebody else, and is left alone: SIGHUP (systemctl "
        "reload blefleet) runs what stands there now; or put back what stood there before";

static void answer_faults(const struct config_faults *found, struct answer *ret_answer)
{
    struct faults faults = {0};

    for (size_t i = 0; i < found->count; i++)
        faults_add(&faults, found->items[i].pointer, "%s", found->items[i].detail);
    faults_answer(&faults, ret_answer);
    faults_done(&faults);
}

/* "/proxies/2/name" -> "name" */
static const char *last_name(const char *pointer)
{
    const char *slash = pointer ? strrchr(pointer, '/') : NULL;

    return slash ? slash + 1 : "alias";
}

static void answer_conflict(const struct config_edited *edited, struct answer *ret_answer)
{
    char detail[160];
    const struct problem problem = {
            .cause = E_CONFLICT, .status = 409, .detail = detail, .holder = edited->holder};

    (void) snprintf(detail, sizeof detail, "the %.20s is taken by %.80s",
                    last_name(edited->pointer), edited->holder);
    answer_set_problem(ret_answer, &problem);
}

static void answer_override(const struct config_edited *edited, struct answer *ret_answer)
{
    char detail[256];
    const struct problem problem = {
            .cause = E_OVERRIDDEN, .status = 409, .detail = detail, .variable = edited->variable};

    (void) snprintf(detail, sizeof detail,
                    "the environment variable %.80s holds %.80s, and it can be changed there alone",
                    edited->variable, edited->pointer);
    answer_set_problem(ret_answer, &problem);
}

static void answer_precondition(const struct config_edited *edited, struct answer *ret_answer)
{
    const struct problem problem = {
            .cause = E_PRECONDITION_FAILED,
            .status = 412,
            .detail =
                    edited->is_foreign
                            ? foreign_detail
                            : "the configuration is not the one that If-Match names; read it again",
            .etag = edited->etag};

    answer_set_problem(ret_answer, &problem);
}

static void answer_failure(int cause, struct answer *ret_answer)
{
    char detail[192];

    (void) snprintf(detail, sizeof detail,
                    "the configuration file cannot be changed, and all stays as it was: %.100s",
                    error_sentence(cause));
    rest_refuse(ret_answer, 500, E_INTERNAL, detail);
}

void change_problem_answer(int cause, int missing, const struct config_edited *edited,
                           struct answer *ret_answer)
{
    switch (cause) {
    case E_INVALID_REQUEST:
        answer_faults(&edited->faults, ret_answer);
        break;
    case E_CONFLICT:
        answer_conflict(edited, ret_answer);
        break;
    case E_OVERRIDDEN:
        answer_override(edited, ret_answer);
        break;
    case E_NOT_FOUND:
    case E_DEVICE_NOT_FOUND:
        rest_refuse(ret_answer, 404, missing, NULL);
        break;
    case E_PRECONDITION_FAILED:
        answer_precondition(edited, ret_answer);
        break;
    case E_OVERLOADED:
        rest_refuse(ret_answer, 503, cause, "too many changes wait already");
        break;
    case E_SHUTTING_DOWN:
        rest_refuse(ret_answer, 503, cause, NULL);
        break;
    default:
        answer_failure(cause, ret_answer);
    }
}
