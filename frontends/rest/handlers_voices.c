#include "handlers_voices.h"

#include "rest/log_list.h"

const struct query_rule handlers_logs_query[] = {
        LOG_LIST_RULES,
        {.name = NULL},
};

int handlers_metrics(struct call *call)
{
    struct metrics_text text = {0};

    metrics_write(call->metrics, &text);
    answer_set_text(&call->request->answer, 200, METRICS_CONTENT_TYPE, &text.text);
    return REST_ANSWERED;
}

int handlers_logs(struct call *call)
{
    struct faults faults = {0};
    struct writer w = {0};
    struct log_list list;

    log_list_read(&list, call->query, &faults);
    if (faults_any(&faults)) {
        faults_answer(&faults, &call->request->answer);
    } else {
        log_list_write(&list, &w);
        answer_set_json(&call->request->answer, 200, &w);
    }
    faults_done(&faults);
    return REST_ANSWERED;
}
