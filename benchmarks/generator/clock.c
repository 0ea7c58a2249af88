#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

uint64_t clock_now(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t clock_wall_ms(void) { return read_clock(CLOCK_REALTIME) / 1000000; }

uint64_t clock_used_here(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

uint64_t clock_used_by(pid_t pid) {
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    if (pid == 0) return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t bytes = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[bytes] = 0;
    char *name_end = strrchr(line, ')'); /* the second field is a name and may hold anything */
    if (!name_end) return 0;
    if (sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return 0;
    return (uint64_t)(user + system) * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t random_bits(void) { /* xorshift64*, Vigna 2016 */
    static uint64_t state = 0x9e3779b97f4a7c15ULL;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}
