#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "modes.h"
#include "sessions.h"

static void ignore(struct session *session, struct span frame, uint64_t now) {
    (void)session, (void)frame, (void)now;
}

static bool told_to_stop(void) {
    char byte;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

void run_idle(const struct options *options) {
    sessions_open(options, ignore);
    puts("ready");
    fflush(stdout);
    while (!told_to_stop()) sessions_wait(clock_now() + SECOND / 10);
}
