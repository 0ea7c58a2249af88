/* Latencies counted in buckets no wider than 1/64 of their value: constant memory, constant time. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (64 * 60)

struct histogram {
    uint64_t count;
    uint64_t highest;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value that `part` (0 to 1) of the counted ones do not exceed; 0 when none were counted. */
uint64_t histogram_at(const struct histogram *histogram, double part);

/* Prints `"name": {"count", "p50", "p99", "max"}`, from nanoseconds to milliseconds. */
void histogram_print(const char *name, const struct histogram *histogram);

#endif
