#include "meter.h"

#include <stdio.h>

#include "clock.h"

void meter_begin(struct meter *meter, pid_t server, uint64_t now) {
    meter->server = server;
    meter->server_cpu = clock_used_by(server);
    meter->own_cpu = clock_used_here();
    meter->began = now;
}

void meter_end(struct meter *meter, uint64_t now) {
    meter->ended = now;
    meter->server_cpu = clock_used_by(meter->server) - meter->server_cpu;
    meter->own_cpu = clock_used_here() - meter->own_cpu;
}

bool meter_covers(const struct meter *meter, uint64_t time) {
    return meter->began != 0 && time >= meter->began && (meter->ended == 0 || time < meter->ended);
}

void meter_print(const struct meter *meter) {
    printf("\"seconds\": %.6f, \"server_cpu_seconds\": %.2f, \"generator_cpu_seconds\": %.3f",
           (double)(meter->ended - meter->began) / 1e9, (double)meter->server_cpu / 1e9, (double)meter->own_cpu / 1e9);
}
