/* The measured stretch of a run: how long it was and what processor time it took on both sides. */
#ifndef METER_H
#define METER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct meter {
    pid_t server;
    uint64_t began;
    uint64_t ended; /* 0 while it runs */
    uint64_t server_cpu;
    uint64_t own_cpu;
};

void meter_begin(struct meter *meter, pid_t server, uint64_t now);
void meter_end(struct meter *meter, uint64_t now);

/* Whether it was running at `time`. */
bool meter_covers(const struct meter *meter, uint64_t time);

/* Prints `"seconds", "server_cpu_seconds", "generator_cpu_seconds"`. */
void meter_print(const struct meter *meter);

#endif
