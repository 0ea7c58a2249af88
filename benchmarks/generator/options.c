#include "options.h"

#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

static const struct option NAMES[] = {
    {"port", required_argument, NULL, 'p'},     {"sessions", required_argument, NULL, 's'},
    {"cursor", required_argument, NULL, 'c'},   {"server", required_argument, NULL, 'S'},
    {"warm-up", required_argument, NULL, 'u'},  {"seconds", required_argument, NULL, 'd'},
    {"messages", required_argument, NULL, 'm'}, {"rate", required_argument, NULL, 'r'},
    {"window", required_argument, NULL, 'w'},   {"page", required_argument, NULL, 'g'},
    {"here", required_argument, NULL, 'h'},     {"away", required_argument, NULL, 'a'},
    {NULL, 0, NULL, 0},
};

static uint64_t whole(const char *text) {
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0) fail("not a whole number: %s", text);
    return number;
}

static uint64_t seconds(const char *text) {
    char *end;
    double number = strtod(text, &end);
    if (*text == 0 || *end != 0 || number < 0) fail("not a number of seconds: %s", text);
    return (uint64_t)(number * (double)SECOND);
}

struct options options_read(int count, char **arguments) {
    struct options options = {.window = 1, .page = 50};
    int name;
    while ((name = getopt_long(count, arguments, "", NAMES, NULL)) != -1) {
        switch (name) {
        case 'p': options.port = (uint16_t)whole(optarg); break;
        case 's': options.plan = optarg; break;
        case 'c': options.cursor = optarg; break;
        case 'S': options.server = (pid_t)whole(optarg); break;
        case 'u': options.warm_up = seconds(optarg); break;
        case 'd': options.duration = seconds(optarg); break;
        case 'm': options.messages = whole(optarg); break;
        case 'r': options.rate = whole(optarg); break;
        case 'w': options.window = (uint32_t)whole(optarg); break;
        case 'h': options.here = seconds(optarg); break;
        case 'a': options.away = seconds(optarg); break;
        case 'g': options.page = (uint32_t)whole(optarg); break;
        default: fail("usage: generator post|mixed|history|idle|flap|hello --port N --sessions FILE [...]");
        }
    }
    if (optind != count - 1 || options.port == 0 || options.plan == NULL)
        fail("usage: generator post|mixed|history|idle|flap|hello --port N --sessions FILE [...]");
    if (options.window == 0 || options.page == 0) fail("--window and --page must be at least 1");
    options.mode = arguments[optind];
    return options;
}

bool told_to_stop(void) {
    char byte;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

void fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("generator: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(1);
}
