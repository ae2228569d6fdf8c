#include "event_metrics.h"

#include "rest/event_publisher.h"

void event_metrics_collect(void *user, struct metrics_text *text)
{
    struct event_statistics s;

    event_publisher_get_statistics(user, &s);
    metrics_text_figure(text, "blefleet_event_streams", METRIC_GAUGE, "Open event streams.",
                        (double) s.readers);
    metrics_text_figure(text, "blefleet_event_streams_cut_total", METRIC_COUNTER,
                        "Event streams closed because nobody read them.", (double) s.cut);
    metrics_text_figure(text, "blefleet_events_published_total", METRIC_COUNTER,
                        "Events made for streams.", (double) s.published);
    metrics_text_figure(text, "blefleet_events_delivered_total", METRIC_COUNTER,
                        "Events written to streams, all streams together.", (double) s.delivered);
    metrics_text_figure(text, "blefleet_events_dropped_total", METRIC_COUNTER,
                        "Events that streams lost because they were read too slowly.",
                        (double) s.dropped);
    metrics_text_figure(text, "blefleet_event_ring_events", METRIC_GAUGE,
                        "Events kept for streams that come back.", (double) s.ring_events);
    metrics_text_figure(text, "blefleet_event_ring_bytes", METRIC_GAUGE,
                        "Octets of the events kept.", (double) s.ring_bytes);
}
