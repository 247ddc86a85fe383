#include "core/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_of_wall(int64_t wall_ms)
{
    int64_t now = clock_wall_ms();
    return clock_ms() - (wall_ms < now ? now - wall_ms : 0);
}

/* Any time of 64 bits fits: "-292275055-05-16T16:47:04.192Z". Before 1970 division rounds the wrong way. */
const char *clock_text(int64_t wall_ms, char text[CLOCK_TEXT_SIZE])
{
    int64_t milliseconds = (wall_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0));
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, CLOCK_TEXT_SIZE - length, ".%03dZ", (int)milliseconds);
    return text;
}
