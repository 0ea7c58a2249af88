/* People who come and go: each session is open for a while, then closed for a while, again and again, and none in
 * step with another. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "modes.h"
#include "sessions.h"

#define LOOK_EVERY (SECOND / 200)

static const struct options *options;
static uint64_t *turn; /* by session index: when it comes or goes next; 0: it is coming */
static bool *been_here;
static uint64_t came, went, everybody;

/* From a half to one and a half of `middle`. */
static uint64_t around(uint64_t middle) {
    return middle / 2 + (middle ? random_bits() % middle : 0);
}

static void take_frame(struct session *session, struct span frame, uint64_t now) {
    (void)frame;
    if (turn[session->index] != 0) return; /* not the welcome */
    turn[session->index] = now + around(options->here);
    came++;
    if (been_here[session->index]) return;
    been_here[session->index] = true;
    everybody++;
}

static void take_turn(struct session *session) {
    if (session->state == SESSION_AWAY) {
        turn[session->index] = 0;
        session_come(session);
    } else {
        session_go(session);
        turn[session->index] = clock_now() + around(options->away);
        went++;
    }
}

void run_flap(const struct options *given) {
    options = given;
    sessions_prepare(options, take_frame);
    turn = calloc(session_count, sizeof *turn);
    been_here = calloc(session_count, sizeof *been_here);
    if (!turn || !been_here) fail("out of memory");
    uint64_t start = clock_now(), said_ready = 0;
    for (size_t i = 0; i < session_count; i++)
        turn[i] = start + 1 + random_bits() % (options->here + options->away + 1);
    while (!told_to_stop()) {
        uint64_t now = clock_now();
        for (size_t i = 0; i < session_count; i++)
            if (turn[i] != 0 && turn[i] <= now) take_turn(&sessions[i]);
        if (!said_ready && everybody == session_count) {
            said_ready = now;
            came = went = 0;
            puts("ready");
            fflush(stdout);
        }
        sessions_wait(now + LOOK_EVERY);
    }
    double seconds = said_ready ? (double)(clock_now() - said_ready) / (double)SECOND : 0;
    printf("{\"came\": %llu, \"went\": %llu, \"seconds\": %.3f}\n", (unsigned long long)came,
           (unsigned long long)went, seconds);
}
