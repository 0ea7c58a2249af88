/* Sends messages from every `post` session; a message is done when it is acked and has reached every
 * `read` session of its conversation.
 *
 * Without --rate a sender's next message leaves when one of its window is done (closed loop). With
 * --rate messages leave on a fixed timetable and latency counts from the planned time, so that a
 * server that stalls is not asked less (Tene's "coordinated omission").
 *
 * The text of a message names its sender and its number, so a reader knows what reached it; that
 * `seq` rises by exactly one at every reader is what shows that nothing was lost, doubled or swapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "histogram.h"
#include "meter.h"
#include "modes.h"
#include "sessions.h"

#define TEXT_BYTES 80
#define MARK_BYTES 17 /* "ssssssss nnnnnnnn": sender and number, in hexadecimal */
#define LONGEST_DRAIN (20 * SECOND)

struct flight {
    uint64_t number;
    uint64_t started; /* 0: nothing is in flight here */
    uint32_t deliveries;
    bool acked;
};

struct sender {
    uint64_t next;
    uint32_t readers;
    struct flight *flights; /* message n is in flights[n % window] */
};

static const struct options *options;
static struct sender *senders; /* by session index; zeroes for readers */
static uint64_t *last_seq;     /* by session index; 0: nothing seen yet */
static bool sending = true;

static struct {
    uint64_t sent, acked, delivered, repeated, out_of_order, overruns, in_flight;
    uint64_t messages_measured, deliveries_measured;
} counts;
static struct meter meter;
static struct histogram ack_latency, delivery_latency;

static void post(struct session *session, uint64_t started) {
    struct sender *sender = &senders[session->index];
    uint64_t number = sender->next++;
    sender->flights[number % options->window] = (struct flight){.number = number, .started = started};
    counts.sent++;
    counts.in_flight++;
    uint64_t time = clock_wall_ms(), random = random_bits();
    char request[512], text[TEXT_BYTES + 1];
    memset(text, '.', TEXT_BYTES);
    int mark = snprintf(text, sizeof text, "%08zx %08llx", session->index, (unsigned long long)number);
    text[mark] = ' ';
    text[TEXT_BYTES] = 0;
    int bytes = snprintf(request, sizeof request,
                         "{\"id\":%llu,\"op\":\"messages.post\",\"conversation\":\"%s\","
                         "\"cid\":\"%08x-%04x-7%03x-%04x-%012llx\",\"text\":\"%s\"}",
                         (unsigned long long)number + FIRST_REQUEST, session->conversation, (unsigned)(time >> 16),
                         (unsigned)(time & 0xffff), (unsigned)(random >> 52),
                         (unsigned)(0x8000 | (session->index & 0x3fff)), (unsigned long long)(random & 0xffffffffffff),
                         text);
    session_send(session, request, (size_t)bytes);
}

static bool has_room(const struct sender *sender) {
    return sender->flights[sender->next % options->window].started == 0;
}

static bool may_send(void) {
    return sending && (options->messages == 0 || counts.sent < options->messages);
}

static void fill_window(struct session *session) {
    while (may_send() && has_room(&senders[session->index])) post(session, clock_now());
}

static struct flight *find_flight(size_t index, uint64_t number) {
    if (index >= session_count || !sessions[index].posts) fail("a message from sender %zu, who does not send", index);
    struct flight *flight = &senders[index].flights[number % options->window];
    if (flight->started == 0 || flight->number != number) fail("message %zu/%llu came again after it was done",
                                                               index, (unsigned long long)number);
    return flight;
}

static void finish_if_done(struct session *session, struct flight *flight, uint64_t now) {
    if (!flight->acked || flight->deliveries < senders[session->index].readers) return;
    flight->started = 0;
    counts.in_flight--;
    if (meter_covers(&meter, now)) counts.messages_measured++;
    if (options->rate == 0) fill_window(session);
}

static void take_ack(struct session *session, struct span frame, uint64_t id, uint64_t now) {
    struct span ok, dup;
    if (!json_member(frame, "ok", &ok))
        fail("session %zu: refused: %.*s", session->index, (int)(frame.end - frame.start), frame.start);
    struct flight *flight = find_flight(session->index, id - FIRST_REQUEST);
    if (json_member(ok, "dup", &dup) && *dup.start == 't') counts.repeated++;
    flight->acked = true;
    counts.acked++;
    if (meter_covers(&meter, flight->started)) histogram_add(&ack_latency, now - flight->started);
    finish_if_done(session, flight, now);
}

static void take_delivery(struct session *session, struct span message, uint64_t now) {
    struct span value;
    uint64_t seq = json_member(message, "seq", &value) ? json_number(value, 0) : 0;
    if (last_seq[session->index] != 0 && seq != last_seq[session->index] + 1) counts.out_of_order++;
    last_seq[session->index] = seq;
    if (!json_member(message, "text", &value)) fail("a message without text");
    struct span text = json_inside(value);
    if (text.end - text.start < MARK_BYTES) fail("a message that this run did not send");
    char *number_start;
    size_t index = strtoul(text.start, &number_start, 16);
    uint64_t number = strtoull(number_start, NULL, 16);
    struct flight *flight = find_flight(index, number);
    flight->deliveries++;
    counts.delivered++;
    if (meter_covers(&meter, now)) counts.deliveries_measured++;
    if (meter_covers(&meter, flight->started)) histogram_add(&delivery_latency, now - flight->started);
    finish_if_done(&sessions[index], flight, now);
}

static void take_frame(struct session *session, struct span frame, uint64_t now) {
    session_sort(session, frame, now, take_delivery, take_ack);
}

static void prepare(void) {
    senders = calloc(session_count, sizeof *senders);
    last_seq = calloc(session_count, sizeof *last_seq);
    if (!senders || !last_seq) fail("out of memory");
    for (size_t i = 0; i < session_count; i++) {
        if (!sessions[i].posts) continue;
        senders[i].flights = calloc(options->window, sizeof *senders[i].flights);
        if (!senders[i].flights) fail("out of memory");
        for (size_t j = 0; j < session_count; j++)
            if (!sessions[j].posts && strcmp(sessions[i].conversation, sessions[j].conversation) == 0)
                senders[i].readers++;
    }
}

static void start_windows(void) {
    for (size_t i = 0; i < session_count; i++)
        if (sessions[i].posts) fill_window(&sessions[i]);
}

/* Sends the one planned for `due`, from the senders in turn; a sender whose window is full is an overrun. */
static void post_planned(uint64_t due) {
    static size_t turn;
    do turn = (turn + 1) % session_count;
    while (!sessions[turn].posts);
    if (has_room(&senders[turn])) post(&sessions[turn], due);
    else counts.overruns++;
}

static void run(void) {
    uint64_t start = clock_now(), due = start, now = start;
    uint64_t measure = start + options->warm_up;
    uint64_t stop = options->duration ? measure + options->duration : UINT64_MAX;
    uint64_t give_up = UINT64_MAX;
    if (options->rate == 0) start_windows();
    while (now < give_up && (may_send() || counts.in_flight > 0)) {
        if (meter.began == 0 && now >= measure) meter_begin(&meter, options->server, now);
        if (sending && now >= stop) {
            meter_end(&meter, now);
            sending = false;
            give_up = now + LONGEST_DRAIN;
        }
        while (options->rate && may_send() && due <= now) {
            post_planned(due);
            due += SECOND / options->rate;
        }
        uint64_t next = now < measure ? measure : now < stop ? stop : give_up;
        if (options->rate && may_send() && due < next) next = due;
        sessions_wait(next);
        now = clock_now();
    }
    if (meter.ended == 0) meter_end(&meter, now);
}

static void report(void) {
    printf("{\"sent\": %llu, \"acked\": %llu, \"delivered\": %llu, \"unfinished\": %llu, \"repeated\": %llu, "
           "\"out_of_order\": %llu, \"overruns\": %llu, \"messages\": %llu, \"deliveries\": %llu, ",
           (unsigned long long)counts.sent, (unsigned long long)counts.acked, (unsigned long long)counts.delivered,
           (unsigned long long)counts.in_flight, (unsigned long long)counts.repeated,
           (unsigned long long)counts.out_of_order, (unsigned long long)counts.overruns,
           (unsigned long long)counts.messages_measured, (unsigned long long)counts.deliveries_measured);
    meter_print(&meter);
    fputs(", ", stdout);
    histogram_print("ack_ms", &ack_latency);
    fputs(", ", stdout);
    histogram_print("delivery_ms", &delivery_latency);
    puts("}");
}

void run_post(const struct options *given) {
    options = given;
    sessions_open(options, take_frame);
    prepare();
    run();
    report();
}
