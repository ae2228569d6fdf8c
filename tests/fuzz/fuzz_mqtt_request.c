/* The first octet says how many of the following are the topic, the rest is the payload; what comes
 * out is an answer, once, and JSON of ours. The topics are also tried as names from elsewhere. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fake_gateway.h"
#include "fuzz_target.h"
#include "mqtt/topics.h"
#include "mqtt/verbs.h"

static void on_answer(void *user, struct outbox_message *answer)
{
    json_t *json = json_loadb(answer->payload, answer->size, 0, NULL);

    if (!json_is_object(json) || !json_is_string(json_object_get(json, "status")) ||
        !topics_may_answer_to("blefleet", answer->topic))
        abort();
    json_decref(json);
    outbox_message_free(answer);
    ++*(int *) user;
}

/* Read once: it does not change. */
static const struct config *configuration(void)
{
    static struct config *config;

    if (!config)
        config = fake_config("{\"limits\":{\"devices\":100,\"event_ring\":64,\"sse_queue\":16},"
                             "\"proxies\":[{\"name\":\"a\",\"host\":\"a\"}]}");
    return config;
}

static void request(const struct broker_message *message)
{
    struct gateway *gateway = fake_gateway_new(configuration());
    struct rest *rest = rest_new(gateway);
    int answers = 0;
    struct verbs *verbs = verbs_new(rest, "blefleet", REST_ROLE_CONTROL, on_answer, &answers);
    bool is_request = verbs_request(verbs, message);

    verbs_stop(verbs);
    if (answers != is_request)
        abort();
    verbs_free(verbs);
    rest_free(rest);
    fake_gateway_free(gateway);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char topic[256 + 24] = "blefleet/bridge/request/", name[TOPICS_NAME_SIZE];
    size_t topic_size = size > 0 ? data[0] : 0;
    struct broker_message message = {.topic = topic};

    if (size < 1 + topic_size)
        return 0;
    memcpy(topic + 24, data + 1, topic_size);
    message.response_topic = topic + 24;
    message.correlation = data;
    message.correlation_size = topic_size % 8;
    message.payload = data + 1 + topic_size;
    message.size = size - 1 - topic_size;
    if (topics_read_availability("blefleet", topic + 24, name) && strchr(name, '/'))
        abort();
    request(&message);
    return 0;
}
