#include <stdio.h>

#include "clock.h"
#include "modes.h"
#include "sessions.h"

static void ignore(struct session *session, struct span frame, uint64_t now) {
    (void)session, (void)frame, (void)now;
}

void run_idle(const struct options *options) {
    sessions_open(options, ignore);
    puts("ready");
    fflush(stdout);
    while (!told_to_stop()) sessions_wait(clock_now() + SECOND / 10);
}
