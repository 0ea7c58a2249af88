/* A load generator for chatnode's client protocol (docs/protocol.md): one thread, epoll, plain
 * WebSocket. It stands in C so that it is not what is measured: on the machine of
 * docs/performance.md it takes a fraction of its core where the server fills its own.
 *
 *   generator post    --port N --sessions FILE --window W (--seconds S [--warm-up S] | --messages N) [--rate N]
 *   generator mixed   --port N --sessions FILE --seconds S [--warm-up S] [--page N]
 *   generator history --port N --sessions FILE --messages N --seconds S [--warm-up S] [--page N]
 *   generator idle    --port N --sessions FILE
 *   generator flap    --port N --sessions FILE --here S --away S
 *   generator hello   --port N --sessions FILE [--cursor JSON]
 *
 * --server PID adds that process's processor time to the report of `post`, `mixed` and `history`.
 */
#include <string.h>
#include <sys/prctl.h>

#include "modes.h"

int main(int count, char **arguments) {
    struct options options = options_read(count, arguments);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* the timetable of --rate is to the microsecond */
    if (strcmp(options.mode, "post") == 0) run_post(&options);
    else if (strcmp(options.mode, "mixed") == 0) run_mixed(&options);
    else if (strcmp(options.mode, "history") == 0) run_history(&options);
    else if (strcmp(options.mode, "idle") == 0) run_idle(&options);
    else if (strcmp(options.mode, "flap") == 0) run_flap(&options);
    else if (strcmp(options.mode, "hello") == 0) run_hello(&options);
    else fail("unknown mode: %s", options.mode);
    return 0;
}
