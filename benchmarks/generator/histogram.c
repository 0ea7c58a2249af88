#include "histogram.h"

#include <stdio.h>

/* Values below 128 have a bucket each; above, every power of two is cut into 64. */
static unsigned bucket_of(uint64_t value) {
    if (value < 128) return (unsigned)value;
    unsigned shift = 57 - (unsigned)__builtin_clzll(value);
    return shift * 64 + (unsigned)(value >> shift);
}

static uint64_t highest_in(unsigned bucket) {
    if (bucket < 128) return bucket;
    unsigned shift = bucket / 64 - 1;
    return (((uint64_t)(bucket - shift * 64) + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->count++;
    if (value > histogram->highest) histogram->highest = value;
    histogram->buckets[bucket_of(value)]++;
}

uint64_t histogram_at(const struct histogram *histogram, double part) {
    uint64_t wanted = (uint64_t)(part * (double)histogram->count), seen = 0;
    if (histogram->count == 0) return 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > wanted || seen == histogram->count) {
            uint64_t value = highest_in(bucket);
            return value < histogram->highest ? value : histogram->highest;
        }
    }
    return histogram->highest;
}

void histogram_print(const char *name, const struct histogram *histogram) {
    printf("\"%s\": {\"count\": %llu, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}", name,
           (unsigned long long)histogram->count, (double)histogram_at(histogram, 0.50) / 1e6,
           (double)histogram_at(histogram, 0.99) / 1e6, (double)histogram->highest / 1e6);
}
